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

/** A message without buffers. */
export function pack(message: FromPage): ArrayBuffer {
  return finish(new ArrayBuffer(0), 0, message);
}

/** A frame whose first `used` bytes, a multiple of 16, stand in `body` already. */
export function finish(body: ArrayBuffer, used: number, message: FromPage): ArrayBuffer {
  const header = encode(message);
  const frame = new ArrayBuffer(used + header.byteLength + 4);
  const bytes = new Uint8Array(frame);
  bytes.set(new Uint8Array(body, 0, used));
  bytes.set(header, used);
  new DataView(frame).setUint32(frame.byteLength - 4, header.byteLength, true);
  return frame;
}
