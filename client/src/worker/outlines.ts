// Hulls of what is seen, a little larger than it, as src/heliograph/engines/components/outlines.py
// makes them: what shows beyond it is a line round it.
import { BufferAttribute, BufferGeometry, Matrix4, Vector3 } from "three";

/** Corners nearer than this part of the whole are one. */
const MERGED = 1e-6;

interface Corner {
  /** The point it is at, of those that are there once. */
  point: number;
  normal: Vector3;
  angle: number;
}

/**
 * Triangles whose corners are moved out along their mean normals.
 *
 * @param geometry - triangles, counter-clockwise seen from outside.
 * @param pose - where they are; the hull is there as well.
 * @param angle - triangles that face farther than this (radians) from one another move apart.
 */
export function hull(geometry: BufferGeometry, pose: Matrix4, thickness: number, angle: number): BufferGeometry {
  const points = placed(geometry, pose);
  const { owner, merged } = mergedPoints(points);
  const corners = cornersOf(trianglesOf(geometry, pose), owner, merged);
  const ways = angle >= Math.PI ? meanWays(corners, merged.length) : creasedWays(corners, merged.length, Math.cos(angle));
  const positions = new Float32Array(3 * corners.length);
  corners.forEach(({ point }, at) => {
    const way = ways[at] ?? new Vector3();
    const from = merged[point] ?? new Vector3();
    way.clone().normalize().multiplyScalar(thickness).add(from).toArray(positions, 3 * at);
  });
  const made = new BufferGeometry();
  made.setAttribute("position", new BufferAttribute(positions, 3));
  const normals = new Float32Array(3 * corners.length);
  corners.forEach((_corner, at) => (ways[at] ?? new Vector3(0, 0, 1)).clone().normalize().toArray(normals, 3 * at));
  made.setAttribute("normal", new BufferAttribute(normals, 3));
  return made;
}

function placed(geometry: BufferGeometry, pose: Matrix4): Vector3[] {
  const position = geometry.getAttribute("position");
  return Array.from({ length: position.count }, (_, at) => new Vector3().fromBufferAttribute(position, at).applyMatrix4(pose));
}

/** Vertex numbers, three by three; mirrored triangles the other way round. */
function trianglesOf(geometry: BufferGeometry, pose: Matrix4): number[] {
  const { index } = geometry;
  const count = index?.count ?? geometry.getAttribute("position").count;
  const numbers = Array.from({ length: count }, (_, at) => index?.getX(at) ?? at);
  if (pose.determinant() >= 0) return numbers;
  return numbers.map((_, at) => numbers[at - (at % 3) + [0, 2, 1][at % 3]!] ?? 0);
}

function mergedPoints(points: readonly Vector3[]): { owner: number[]; merged: Vector3[] } {
  const low = points.reduce((least, point) => least.min(point), new Vector3(Infinity, Infinity, Infinity));
  const high = points.reduce((most, point) => most.max(point), new Vector3(-Infinity, -Infinity, -Infinity));
  const size = Math.max(...high.sub(low).toArray()) || 1;
  const seen = new Map<string, number>();
  const merged: Vector3[] = [];
  const owner = points.map((point) => {
    const cell = point
      .toArray()
      .map((value, axis) => Math.round((value - low.getComponent(axis)) / (size * MERGED)))
      .join(" ");
    const known = seen.get(cell);
    if (known !== undefined) return known;
    seen.set(cell, merged.length);
    return merged.push(point) - 1;
  });
  return { owner, merged };
}

function cornersOf(triangles: readonly number[], owner: readonly number[], merged: readonly Vector3[]): Corner[] {
  const corners: Corner[] = [];
  for (let at = 0; at < triangles.length; at += 3) {
    const numbers = [0, 1, 2].map((corner) => owner[triangles[at + corner] ?? 0] ?? 0);
    const points = numbers.map((number) => merged[number] ?? new Vector3());
    const edge = (from: number, to: number) => new Vector3().subVectors(points[to % 3]!, points[from % 3]!);
    const normal = edge(0, 1).cross(edge(0, 2));
    const solid = normal.length() > 0;
    normal.normalize();
    numbers.forEach((point, corner) => {
      const angle = solid ? edge(corner, corner + 1).angleTo(edge(corner, corner + 2)) : 0;
      corners.push({ point, normal, angle });
    });
  }
  return corners;
}

/** For each corner the sum of normals at its point, weighted by angles. */
function meanWays(corners: readonly Corner[], count: number): Vector3[] {
  const sums = Array.from({ length: count }, () => new Vector3());
  for (const { point, normal, angle } of corners) sums[point]?.addScaledVector(normal, angle);
  return corners.map(({ point }) => sums[point] ?? new Vector3());
}

/** The same over those corners at its point alone that face within an angle of it. */
function creasedWays(corners: readonly Corner[], count: number, least: number): Vector3[] {
  const at = Array.from({ length: count }, (): Corner[] => []);
  for (const corner of corners) at[corner.point]?.push(corner);
  return corners.map(({ point, normal }) => {
    const sum = new Vector3();
    for (const other of at[point] ?? []) {
      if (normal.dot(other.normal) >= least - 1e-9) sum.addScaledVector(other.normal, other.angle);
    }
    return sum;
  });
}
