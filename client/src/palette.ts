// Colours of ids: the same in the object list and in the segmentation that is shown.

const FACTOR = 2654435761; // Knuth's multiplicative hash

/** A colour for an id, 0 to 255 each; black for the background. */
export function idColor(id: number): [number, number, number] {
  if (id === 0) return [0, 0, 0];
  const mixed = Math.imul(id, FACTOR) >>> 0;
  const hue = (mixed >>> 16) / 65536;
  const value = 0.7 + 0.3 * (((mixed >>> 8) & 3) / 3);
  const channel = (shift: number): number => {
    const at = Math.abs(((hue * 6 + shift) % 6) - 3) - 1;
    return Math.round(255 * value * (1 - 0.62 * (1 - Math.min(Math.max(at, 0), 1))));
  };
  return [channel(0), channel(4), channel(2)];
}

/** The same in GLSL. */
export const ID_COLOR_GLSL = /* glsl */ `
vec3 idColor(uint id) {
  if (id == 0u) return vec3(0.0);
  uint mixed_ = id * 2654435761u;
  float hue = float(mixed_ >> 16) / 65536.0;
  float value = 0.7 + 0.3 * (float((mixed_ >> 8) & 3u) / 3.0);
  vec3 at = clamp(abs(mod(hue * 6.0 + vec3(0.0, 4.0, 2.0), 6.0) - 3.0) - 1.0, 0.0, 1.0);
  return value * (1.0 - 0.62 * (1.0 - at));
}
`;
