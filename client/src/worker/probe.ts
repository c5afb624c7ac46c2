// What stands at a pixel: the scene drawn into a target of one pixel.
import type { CameraSpec } from "../messages";

/** The part of a camera that one pixel sees; `x`, `y` count from the top left one. */
export function pixelOf(spec: CameraSpec, x: number, y: number): CameraSpec {
  const { width, height, orthographic: parallel } = spec;
  const projection = [...spec.projection];
  const x0 = (2 * (x + 0.5)) / width - 1;
  const y0 = 1 - (2 * (y + 0.5)) / height;
  const sign = parallel ? -1 : 1;
  const shift = parallel ? 12 : 8;
  projection[0] = (spec.projection[0] ?? 1) * width;
  projection[5] = (spec.projection[5] ?? 1) * height;
  projection[shift] = ((spec.projection[shift] ?? 0) + sign * x0) * width;
  projection[shift + 1] = ((spec.projection[shift + 1] ?? 0) + sign * y0) * height;
  return { ...spec, width: 1, height: 1, projection };
}

/** The world point at a depth in the middle of a pixel. */
export function pointAt(spec: CameraSpec, x: number, y: number, depth: number): [number, number, number] {
  const { projection: p, matrix: m, orthographic: parallel } = spec;
  const w = parallel ? 1 : depth;
  const ndcX = (2 * x) / spec.width - 1;
  const ndcY = 1 - (2 * y) / spec.height;
  const u = (ndcX * w - (parallel ? (p[12] ?? 0) : -(p[8] ?? 0) * depth)) / (p[0] ?? 1);
  const v = (ndcY * w - (parallel ? (p[13] ?? 0) : -(p[9] ?? 0) * depth)) / (p[5] ?? 1);
  const at = (row: number): number => (m[row] ?? 0) * u + (m[4 + row] ?? 0) * v - (m[8 + row] ?? 0) * depth + (m[12 + row] ?? 0);
  return [at(0), at(1), at(2)];
}

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

export interface Geometry {
  depth: number | null;
  normal: [number, number, number] | null;
  id: number;
}

/** A texel of the geometry target: bits of depth, octahedral normal, id, 0. */
export function readTexel(texel: Uint32Array): Geometry {
  bits[0] = texel[0] ?? 0;
  const depth = floats[0] ?? Infinity;
  const packed = texel[1] ?? 0;
  const normal = Number.isFinite(depth) ? normalOf(((packed << 16) >> 16) / 32767, (packed >> 16) / 32767) : null;
  return { depth: Number.isFinite(depth) ? depth : null, normal, id: texel[2] ?? 0 };
}

function normalOf(u: number, v: number): [number, number, number] {
  const z = 1 - Math.abs(u) - Math.abs(v);
  const fold = Math.max(-z, 0);
  const x = u + (u >= 0 ? -fold : fold);
  const y = v + (v >= 0 ? -fold : fold);
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
