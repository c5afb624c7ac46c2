// Pictures as they are sent: of each pixel what was asked for, and no more.

/** What is drawn of shapes, in the order of a texel's words. */
export type Shape = "depth" | "normals" | "ids";

const WORDS: readonly Shape[] = ["depth", "normals", "ids"];

/** Red, green and blue of texels, three bytes each, four texels at a time; what goes beyond the end is dropped. */
export function packColours(texels: Uint32Array, into: Uint32Array): void {
  for (let from = 0, to = 0; to < into.length; from += 4, to += 3) {
    const [b, c] = [texels[from + 1] ?? 0, texels[from + 2] ?? 0];
    into[to] = ((texels[from] ?? 0) & 0xffffff) | (b << 24);
    into[to + 1] = ((b >>> 8) & 0xffff) | (c << 16);
    into[to + 2] = ((c >>> 16) & 0xff) | ((texels[from + 3] ?? 0) << 8);
  }
}

/** Each word of four-word texels by itself. */
export function splitShapes(texels: Uint32Array, into: ReadonlyMap<Shape, Uint32Array>): void {
  for (const [shape, plane] of into) {
    for (let at = 0, from = WORDS.indexOf(shape); at < plane.length; at += 1, from += 4) plane[at] = texels[from] ?? 0;
  }
}
