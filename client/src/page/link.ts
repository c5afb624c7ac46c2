// The main thread's end of the bridge: messages to the worker, and who hears which of its own.
import type { FromWorker, ToWorker } from "../bridge";

type Kind = FromWorker["type"];
type Of<K extends Kind> = Extract<FromWorker, { type: K }>;

export interface Answered {
  value: Record<string, unknown>;
  body: Uint8Array;
}

interface Waiting {
  resolve: (answer: Answered) => void;
  reject: (error: Error) => void;
}

const PATIENCE = 60_000; // milliseconds until a question that nobody answers is given up

export class WorkerLink {
  private readonly handlers = new Map<Kind, ((message: FromWorker) => void)[]>();
  private readonly waiting = new Map<number, Waiting>();
  private readonly pictures = new Map<number, (png: Blob) => void>();
  private asked = 0;
  /** What is posted before the worker has the canvas; null after that. */
  private early: ToWorker[] | null = [];

  constructor(private readonly worker: Worker) {
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.receive(event.data);
    this.on("answer", (message) => this.answered(message));
    this.on("snapshot", (message) => this.pictures.get(message.ask)?.(message.png));
    this.on("connection", (message) => {
      if (!message.connected) this.giveUp(new Error("the connection was lost"));
    });
  }

  on<K extends Kind>(kind: K, handler: (message: Of<K>) => void): void {
    const list = this.handlers.get(kind) ?? [];
    list.push(handler as (message: FromWorker) => void);
    this.handlers.set(kind, list);
  }

  post(message: ToWorker, transfer: Transferable[] = []): void {
    if (this.early !== null && message.type !== "start") {
      this.early.push(message);
      return;
    }
    this.worker.postMessage(message, transfer);
    const early = this.early ?? [];
    this.early = null;
    for (const each of early) this.worker.postMessage(each);
  }

  event(etype: string, key: string, value: unknown): void {
    this.post({ type: "event", etype, key, value });
  }

  /** Ask the server; rejects with its own words when it cannot answer. */
  ask(what: string, value: unknown, body: Uint8Array<ArrayBuffer> | null = null): Promise<Answered> {
    return this.answer(what, (ask) => this.post({ type: "ask", ask, what, value, body }, body ? [body.buffer] : []));
  }

  /** The passes of the scene as an .npz file. */
  arrays(): Promise<Answered> {
    return this.answer("arrays", (ask) => this.post({ type: "arrays", ask }));
  }

  private answer(what: string, send: (ask: number) => void): Promise<Answered> {
    const ask = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(ask, { resolve, reject });
      send(ask);
      window.setTimeout(() => this.fail(ask, new Error(`nobody answered '${what}'`)), PATIENCE);
    });
  }

  /** What the canvas shows now, as PNG. */
  async snapshot(): Promise<Blob> {
    const ask = ++this.asked;
    const png = await new Promise<Blob>((resolve) => {
      this.pictures.set(ask, resolve);
      this.post({ type: "snapshot", ask });
    });
    this.pictures.delete(ask);
    return png;
  }

  private receive(message: FromWorker): void {
    for (const handler of this.handlers.get(message.type) ?? []) handler(message);
  }

  private answered(message: Of<"answer">): void {
    const waiting = this.waiting.get(message.ask);
    this.waiting.delete(message.ask);
    if (message.error !== null) waiting?.reject(new Error(message.error));
    else waiting?.resolve({ value: (message.value ?? {}) as Record<string, unknown>, body: message.body });
  }

  private fail(ask: number, error: Error): void {
    this.waiting.get(ask)?.reject(error);
    this.waiting.delete(ask);
  }

  private giveUp(error: Error): void {
    for (const ask of [...this.waiting.keys()]) this.fail(ask, error);
  }
}
