// The worker: the socket to the server, the scene, sensor pictures and the viewport.
import type { FromWorker, ToWorker } from "../bridge";
import type { Answer, ToPage } from "../messages";
import type { Outbox, Part } from "./parts";
import { ScenePart } from "./scene_part";
import { SharedFiles } from "./shared_file";
import { Socket } from "./socket";
import { Viewport } from "./viewport";
import { FrameWriter } from "../wire";
import { World } from "./world";

type Start = Extract<ToWorker, { type: "start" }>;

let parts: Part[] = [];

function start(message: Start): Part[] {
  const world = new World(message.canvas ?? new OffscreenCanvas(1, 1));
  const main = (told: FromWorker, transfer: Transferable[] = []) => self.postMessage(told, { transfer });
  const started: Part[] = [];
  const socket = new Socket(message.socket, world.glName, message.hello, {
    message: (told, frame) => started.forEach((part) => part.fromServer?.(told, frame)),
    connection: (connected, reason, again) => {
      if (connected) scene.connected();
      main({ type: "connection", connected, reason, again });
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

/** The parts; none where there is no WebGL 2, of which the server and the main thread hear. */
function started(message: Start): Part[] {
  try {
    return start(message);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    self.postMessage({ type: "problem", key: "", text } satisfies FromWorker);
    new Socket(message.socket, "", message.hello, { message: () => undefined, connection: () => undefined });
    return [];
  }
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
    if (message.type === "ask") this.ask(message);
  }

  private ask({ type, ask, what, value, body }: Extract<ToWorker, { type: "ask" }>): void {
    const frame = new FrameWriter();
    if (body !== null) frame.bytes(frame.reserve(body.byteLength), body.byteLength).set(body);
    this.outbox.frame(frame.finish({ type, ask, what, value }));
  }
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  if (event.data.type === "start") parts = started(event.data);
  for (const part of parts) part.fromMain?.(event.data);
};
