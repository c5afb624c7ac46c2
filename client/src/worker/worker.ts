// The worker: the socket to the server, the scene, sensor pictures and the viewport.
import type { FromWorker, ToWorker } from "../bridge";
import type { Answer, ToPage } from "../messages";
import type { Outbox, Part } from "./parts";
import { ScenePart } from "./scene_part";
import { SharedFiles } from "./shared_file";
import { Socket } from "./socket";
import { Viewport } from "./viewport";
import { World } from "./world";

type Start = Extract<ToWorker, { type: "start" }>;

let parts: Part[] = [];

function start(message: Start): Part[] {
  const world = new World(message.canvas ?? new OffscreenCanvas(1, 1));
  const main = (told: FromWorker, transfer: Transferable[] = []) => self.postMessage(told, { transfer });
  const started: Part[] = [];
  const socket = new Socket(message.socket, world.glName, message.hello, {
    message: (told, frame) => started.forEach((part) => part.fromServer?.(told, frame)),
    connection: (connected, reason) => {
      if (connected) scene.connected();
      main({ type: "connection", connected, reason });
    },
  });
  const outbox: Outbox = {
    main,
    server: (told) => socket.send(told),
    frame: (bytes) => socket.sendFrame(bytes),
  };
  const scene = new ScenePart(world, outbox, message.socket.replace(/^ws/, "http"));
  const files = new SharedFiles(outbox);
  scene.sensors.files = files;
  const viewport = new Viewport(world, scene, outbox, message.canvas !== null, scene.pictures);
  started.push(new Status(outbox), scene, files, viewport);
  return started;
}

/** Tells the main thread what the server says about the page itself. */
class Status implements Part {
  constructor(private readonly outbox: Outbox) {}

  fromServer(message: ToPage, frame: ArrayBuffer): void {
    if (message.type === "answer" && message.ask > 0) this.answer(message, frame);
    if (message.type === "configure") this.outbox.main({ type: "configure", message });
    if (message.type === "panel") this.outbox.main({ type: "panel", message });
  }

  private answer({ ask, value, error = null }: Answer, frame: ArrayBuffer): void {
    this.outbox.main({ type: "answer", ask, value, error, body: new Uint8Array(frame) }, [frame]);
  }

  fromMain(message: ToWorker): void {
    if (message.type === "event") this.outbox.server(message);
    if (message.type === "ask") this.outbox.server(message);
  }
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  if (event.data.type === "start") parts = start(event.data);
  for (const part of parts) part.fromMain?.(event.data);
};
