// The page: the canvas, its events and the user interface; everything that draws is in the worker.
const worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
worker.postMessage({});
