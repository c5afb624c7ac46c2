// What a camera sees, as the arrays that Python has: rows from the top, metres, unit normals.
import type { CameraSpec } from "../messages";
import { slopes } from "./lens";
import { array, npz, textArray } from "./npz";
import { readTexel } from "./probe";

export interface RawPicture {
  spec: CameraSpec;
  /** Rows from the bottom, as OpenGL has them. */
  rgba: Uint8Array;
  geometry: Uint32Array;
}

/** fx, fy, cx, cy; pixels, or pixels per metre where rays are parallel. */
function calibration(spec: CameraSpec): Float64Array {
  const { x, y, cx, cy } = slopes(spec);
  const [fx, fy] = [spec.width / 2 / x, spec.height / 2 / y];
  return Float64Array.of(fx, 0, spec.width / 2 - cx * fx, 0, fy, spec.height / 2 + cy * fy, 0, 0, 1);
}

function rowMajor(matrix: readonly number[]): Float64Array {
  return Float64Array.from({ length: 16 }, (_, at) => matrix[4 * (at % 4) + Math.floor(at / 4)] ?? 0);
}

/** The passes of a picture as an .npz file. */
export function passesFile({ spec, rgba, geometry }: RawPicture, labels: Record<string, [string, string]>): Uint8Array<ArrayBuffer> {
  const { width, height } = spec;
  const count = width * height;
  const [rgb, depth, normals, ids] = [new Uint8Array(3 * count), new Float32Array(count), new Float32Array(3 * count), new Int32Array(count)];
  for (let to = 0; to < count; to++) {
    const from = (height - 1 - Math.floor(to / width)) * width + (to % width);
    rgb.set(rgba.subarray(4 * from, 4 * from + 3), 3 * to);
    const found = readTexel(geometry.subarray(4 * from, 4 * from + 4));
    depth[to] = found.depth ?? Infinity;
    if (found.normal) normals.set(found.normal, 3 * to);
    ids[to] = found.id;
  }
  const facts = { projection: spec.orthographic ? "orthographic" : "perspective", near: spec.near, far: spec.far, labels };
  return npz([
    array("rgb", "|u1", [height, width, 3], rgb),
    array("depth", "<f4", [height, width], depth),
    array("normals", "<f4", [height, width, 3], normals),
    array("segmentation", "<i4", [height, width], ids),
    array("K", "<f8", [3, 3], calibration(spec)),
    array("world_from_camera", "<f8", [4, 4], rowMajor(spec.matrix)),
    textArray("meta", JSON.stringify(facts)),
  ]);
}

const FAR_SHARE = 0.98; // a floor that runs to the horizon leaves colours for the rest

/** Nearest depth, and the 98th percentile of what was hit; as Python's `depth_range`. */
export function depthRange(geometry: Uint32Array): { near: number; far: number } {
  const bits = Uint32Array.from({ length: geometry.length / 4 }, (_, at) => geometry[4 * at] ?? 0);
  const depths = new Float32Array(bits.buffer).filter(Number.isFinite).sort();
  if (depths.length === 0) return { near: 0.1, far: 10 };
  const near = Math.max(depths[0] ?? 0.1, 1e-6);
  return { near, far: Math.max(depths[Math.floor(FAR_SHARE * (depths.length - 1))] ?? 10, 1.001 * near) };
}
