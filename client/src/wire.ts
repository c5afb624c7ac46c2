// Frames, as src/heliograph/engines/web/wire.py describes them: buffers, then the message as
// msgpack, then the message's length as uint32.
import { decode, encode } from "@msgpack/msgpack";
import type { FromPage, ToPage } from "./messages";

export const ALIGNMENT = 16;

export function unpack(frame: ArrayBuffer): ToPage {
  const length = new DataView(frame).getUint32(frame.byteLength - 4, true);
  const end = frame.byteLength - 4;
  return decode(new Uint8Array(frame, end - length, length)) as ToPage;
}

/** Bytes that a buffer of so many takes with the gap behind it. */
export const roomOf = (nbytes: number) => ALIGNMENT * Math.ceil(nbytes / ALIGNMENT);

/** A message without buffers. */
export function pack(message: FromPage): Uint8Array<ArrayBuffer> {
  return new FrameWriter().finish(message);
}

/** Collects buffers in the memory that is sent, and puts the message behind them. */
export class FrameWriter {
  private memory = new ArrayBuffer(0);
  private used = 0;

  /** Start anew; what the last `finish` returned is not to be read any more. */
  clear(): void {
    this.used = 0;
  }

  /** Room for so many bytes; returns where it starts. Views of the body are taken after all room is. */
  reserve(nbytes: number): number {
    const offset = this.used;
    this.used = offset + roomOf(nbytes);
    this.grow(this.used);
    return offset;
  }

  bytes(offset: number, nbytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory, offset, nbytes);
  }

  /** All that was reserved. */
  get body(): Uint8Array<ArrayBuffer> {
    return this.bytes(0, this.used);
  }

  words(offset: number, nbytes: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.memory, offset, nbytes / 4);
  }

  /** The frame, in memory that the next one uses again. */
  finish(message: FromPage): Uint8Array<ArrayBuffer> {
    const header = encode(message);
    const end = this.used + header.byteLength;
    this.grow(end + 4);
    new Uint8Array(this.memory).set(header, this.used);
    new DataView(this.memory).setUint32(end, header.byteLength, true);
    return new Uint8Array(this.memory, 0, end + 4);
  }

  private grow(nbytes: number): void {
    if (nbytes <= this.memory.byteLength) return;
    const larger = new ArrayBuffer(Math.ceil(1.25 * nbytes) + 1024);
    new Uint8Array(larger).set(new Uint8Array(this.memory));
    this.memory = larger;
  }
}
