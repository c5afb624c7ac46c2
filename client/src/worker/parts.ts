// What the worker consists of, and how its parts hear of what arrives.
import type { FromWorker, ToWorker } from "../bridge";
import type { FromPage, ToPage } from "../messages";

/** Who can be told something: the server, and the page's main thread. */
export interface Outbox {
  /** Send a message without buffers to the server; dropped while there is no connection. */
  server(message: FromPage): void;
  /** Send a frame that is ready, as `wire.ts` makes them. */
  frame(bytes: Uint8Array<ArrayBuffer>): void;
  main(message: FromWorker, transfer?: Transferable[]): void;
}

/** A part of the worker. What it does not care for it does not name. */
export interface Part {
  fromMain?(message: ToWorker): void;
  /** `frame` holds the message's buffers at its start. */
  fromServer?(message: ToPage, frame: ArrayBuffer): void;
}
