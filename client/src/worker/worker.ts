// The worker: the socket to the server, the scene, sensor pictures and the viewport.
export {};
