// Smooth tables of numbers as text that compresses well: their bits as differences to the neighbours above and on the
// left, byte by byte. Exact: what comes out is what went in.

/** Numbers from one row of a table to the next, and from one place to the next. */
const STEPS = [256, 4];

/** Of float32 numbers, a table of 64 columns with four numbers each. */
export function packed(table: Float32Array): string {
  const bits = new Int32Array(table.slice().buffer);
  for (const step of STEPS) for (let i = bits.length - 1; i >= step; i--) bits[i]! -= bits[i - step]!;
  let text = "";
  for (let byte = 0; byte < 32; byte += 8) {
    for (let place = 0; place < 4; place++) {
      for (let i = place; i < bits.length; i += 4) {
        const folded = (bits[i]! << 1) ^ (bits[i]! >> 31); // small numbers of either sign
        text += String.fromCharCode((folded >>> byte) & 255);
      }
    }
  }
  return btoa(text);
}

/** What was packed. */
export function unpacked(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const bits = new Int32Array(bytes.length / 4);
  let next = 0;
  for (let byte = 0; byte < 32; byte += 8) {
    for (let place = 0; place < 4; place++) {
      for (let i = place; i < bits.length; i += 4) bits[i]! |= bytes[next++]! << byte;
    }
  }
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i]! >>> 1) ^ -(bits[i]! & 1);
  for (const step of STEPS) for (let i = step; i < bits.length; i++) bits[i]! += bits[i - step]!;
  return new Float32Array(bits.buffer);
}
