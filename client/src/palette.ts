// Colours of ids: the same in the object list, in the segmentation that is shown, and in Python
// (src/heliograph/picture/colours.py).

const GOLDEN = 2654435769; // of 2 ** 32

/** A colour for an id, 0 to 255 each; black for the background. */
export function idColor(id: number): [number, number, number] {
  if (id === 0) return [0, 0, 0];
  const hue = (Math.imul(id, GOLDEN) >>> 0) / 2 ** 32;
  const value = 0.95 - 0.3 * (Math.floor(id / 3) % 2);
  const strength = 0.75 - 0.3 * (Math.floor(id / 7) % 2);
  const channel = (shift: number): number => {
    const ramp = (hue * 6 + shift) % 6;
    return Math.round(255 * (value - value * strength * Math.min(Math.max(Math.min(ramp, 4 - ramp), 0), 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

/** The same in GLSL. */
export const ID_COLOR_GLSL = /* glsl */ `
vec3 idColor(uint id) {
  if (id == 0u) return vec3(0.0);
  float hue = float(id * ${GOLDEN}u) / 4294967296.0;
  float value = 0.95 - 0.3 * float((id / 3u) % 2u);
  float strength = 0.75 - 0.3 * float((id / 7u) % 2u);
  vec3 ramp = mod(hue * 6.0 + vec3(5.0, 3.0, 1.0), 6.0);
  return value - value * strength * clamp(min(ramp, 4.0 - ramp), 0.0, 1.0);
}
`;
