// NumPy's files: arrays as .npy, several of them in a zip without compression.
// Formats: numpy.lib.format (version 1.0); PKWARE's APPNOTE 6.3, 4.3.

export interface NamedArray {
  name: string;
  /** As NumPy writes it, such as `<f4`. */
  dtype: string;
  shape: readonly number[];
  bytes: Uint8Array;
}

export function array(name: string, dtype: string, shape: readonly number[], data: ArrayBufferView): NamedArray {
  return { name, dtype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** A string as an array of no dimension. */
export function textArray(name: string, text: string): NamedArray {
  const points = Uint32Array.from([...text], (letter) => letter.codePointAt(0) ?? 0);
  return array(name, `<U${points.length}`, [], points);
}

const ALIGN = 64;

function npy({ dtype, shape, bytes }: NamedArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const said = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + said.length + 1) / ALIGN) * ALIGN;
  const header = `${said.padEnd(length - 11)}\n`;
  const made = new Uint8Array(length + bytes.length);
  made.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length & 0xff, header.length >> 8]);
  made.set(new TextEncoder().encode(header), 10);
  made.set(bytes, length);
  return made;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

const FIRST_DAY = 0x21; // 1 January 1980

/** The fields that a file's own header and the directory share. */
function shared(data: Uint8Array, name: Uint8Array): number[] {
  return [...u16(20, 0, 0, 0, FIRST_DAY), ...u32(crc32(data), data.length, data.length), ...u16(name.length, 0)];
}

function u16(...values: number[]): number[] {
  return values.flatMap((value) => [value & 0xff, (value >> 8) & 0xff]);
}

function u32(...values: number[]): number[] {
  return values.flatMap((value) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]);
}

export function npz(arrays: readonly NamedArray[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  const put = (list: Uint8Array[], part: ArrayLike<number>): number => {
    const bytes = part instanceof Uint8Array ? part : Uint8Array.from(part);
    list.push(bytes);
    return bytes.length;
  };
  for (const each of arrays) {
    const name = new TextEncoder().encode(`${each.name}.npy`);
    const data = npy(each);
    const fields = shared(data, name);
    put(directory, [...u32(0x02014b50), ...u16(20), ...fields, ...u16(0, 0, 0), ...u32(0, offset), ...name]);
    offset += put(parts, [...u32(0x04034b50), ...fields, ...name]) + put(parts, data);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = arrays.length;
  const end = Uint8Array.from([...u32(0x06054b50), ...u16(0, 0, count, count), ...u32(size, offset), ...u16(0)]);
  const all = [...parts, ...directory, end];
  const whole = new Uint8Array(offset + size + end.length);
  let at = 0;
  for (const part of all) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
