// The WebSocket, which connects again by itself. It lives in the worker, where hidden tabs do not
// slow it.
import type { FromPage, Hello, ToPage } from "../messages";
import { PROTOCOL } from "../messages";
import { pack, unpack } from "../wire";

const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;
const UNAUTHORIZED = 401;

export interface SocketEvents {
  message(message: ToPage, frame: ArrayBuffer): void;
  /** `again`: it connects again by itself. */
  connection(connected: boolean, reason: string, again: boolean): void;
}

export class Socket {
  private socket: WebSocket | null = null;
  private pause = FIRST_PAUSE;
  private ended = false;
  private session = "";

  constructor(
    private readonly url: string,
    private readonly gl: string,
    private readonly info: Hello["info"],
    private readonly events: SocketEvents,
  ) {
    this.connect();
  }

  send(message: FromPage): void {
    if (this.open) this.socket?.send(pack(message));
  }

  sendFrame(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.open) this.socket?.send(bytes);
  }

  private get open(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  private connect(): void {
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let reason = "the server does not answer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.pause = FIRST_PAUSE;
      this.send({ type: "hello", protocol: PROTOCOL, gl: this.gl, info: this.info, session: this.session });
      this.events.connection(true, "", true);
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const message = unpack(event.data);
      if (message.type === "configure") this.session = message.session;
      if (message.type === "close") {
        this.ended = !message.again;
        reason = message.reason;
        socket.close();
      }
      this.events.message(message, event.data);
    };
    socket.onclose = (event) => {
      if (this.socket === socket) void this.closed(event.reason || reason, opened);
    };
  }

  private async closed(reason: string, opened: boolean): Promise<void> {
    const refused = !opened && (await this.isRefused());
    this.ended ||= refused;
    this.events.connection(false, refused ? "the server was started again with another token: open its new link" : reason, !this.ended);
    if (!this.ended) setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  /** Whether the server answers, but does not take our token; browsers do not tell why a WebSocket fails. */
  private async isRefused(): Promise<boolean> {
    const answer = await fetch(this.url.replace(/^ws/, "http")).catch(() => null);
    return answer?.status === UNAUTHORIZED;
  }
}
