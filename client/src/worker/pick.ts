// Which frustum is under the pointer: by the distance to its lines on the screen.
import { Matrix4, Vector4, type Camera } from "three";
import type { FrustumMark } from "./marks";

const REACH = 7; // pixels

export interface Hit {
  key: string;
  /** Metres in front of the viewport's camera. */
  depth: number;
}

interface ScreenPoint {
  x: number;
  y: number;
  depth: number;
}

interface Screen {
  width: number;
  height: number;
  /** Clip from camera axes of the frustum. */
  matrix: Matrix4;
}

const point = new Vector4();

function onScreen(screen: Screen, x: number, y: number, z: number): ScreenPoint | null {
  point.set(x, y, z, 1).applyMatrix4(screen.matrix);
  if (point.w < 1e-6) return null;
  return { x: ((point.x / point.w + 1) * screen.width) / 2, y: ((1 - point.y / point.w) * screen.height) / 2, depth: point.w };
}

/** How far a point is from a segment, and how far away the nearest point of it is. */
function toSegment(x: number, y: number, a: ScreenPoint, b: ScreenPoint): { distance: number; depth: number } {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const at = length === 0 ? 0 : Math.min(Math.max(((x - a.x) * dx + (y - a.y) * dy) / length, 0), 1);
  const depth = 1 / ((1 - at) / a.depth + at / b.depth);
  return { distance: Math.hypot(x - a.x - at * dx, y - a.y - at * dy), depth };
}

function inside(x: number, y: number, corners: readonly ScreenPoint[]): boolean {
  let within = false;
  corners.forEach((a, at) => {
    const b = corners[(at + 1) % corners.length] ?? a;
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) within = !within;
  });
  return within;
}

function nearest(mark: FrustumMark, screen: Screen, x: number, y: number): { distance: number; depth: number } | null {
  let best: { distance: number; depth: number } | null = null;
  const { ends } = mark;
  for (let i = 0; i + 5 < ends.length; i += 6) {
    const a = onScreen(screen, ends[i] ?? 0, ends[i + 1] ?? 0, ends[i + 2] ?? 0);
    const b = onScreen(screen, ends[i + 3] ?? 0, ends[i + 4] ?? 0, ends[i + 5] ?? 0);
    const found = a && b && toSegment(x, y, a, b);
    if (found && found.distance <= REACH && (best === null || found.distance < best.distance)) best = found;
  }
  const corners = mark.corners.map((corner) => onScreen(screen, corner.x, corner.y, corner.z));
  const whole = corners.filter((corner) => corner !== null);
  if (mark.hasPicture && whole.length === 4 && inside(x, y, whole)) {
    best = { distance: 0, depth: whole.reduce((sum, corner) => sum + corner.depth, 0) / 4 };
  }
  return best;
}

/** The frustum under a pixel; of several the one whose line is closest to it. */
export function pickFrustum(frustums: Iterable<[string, FrustumMark]>, camera: Camera, at: { x: number; y: number }, size: { width: number; height: number }): Hit | null {
  const clip = new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
  let best: (Hit & { distance: number }) | null = null;
  for (const [key, mark] of frustums) {
    const screen = { ...size, matrix: new Matrix4().multiplyMatrices(clip, mark.object.matrixWorld) };
    const found = nearest(mark, screen, at.x, at.y);
    if (found && (best === null || found.distance < best.distance)) best = { key, ...found };
  }
  return best;
}
