// Cameras: of rows, of messages and of three.
import { Matrix4, Vector3, type Object3D } from "three";
import type { CameraSpec, Row } from "../messages";
import { number, vector } from "./values";

const RADIANS = Math.PI / 180;
const MOST_PIXELS = 16384;
const right = new Vector3();
const up = new Vector3();
const back = new Vector3();
const from = new Vector3();

/** OpenGL's projection (z from -1 to 1), centred, by the tangents of half its angles. */
export function perspective(tanX: number, tanY: number, near: number, far: number): number[] {
  const span = far - near;
  return [1 / tanX, 0, 0, 0, 0, 1 / tanY, 0, 0, 0, 0, -(far + near) / span, -1, 0, 0, (-2 * far * near) / span, 0];
}

export function orthographic(halfX: number, halfY: number, near: number, far: number): number[] {
  const span = far - near;
  return [1 / halfX, 0, 0, 0, 0, 1 / halfY, 0, 0, 0, 0, -2 / span, 0, 0, 0, -(far + near) / span, 1];
}

/** A pose's matrix without scale and shear, as `placement.rigid` in Python leaves it. */
function rigid(matrix: Matrix4): Matrix4 {
  matrix.extractBasis(right, up, back);
  back.normalize();
  right.addScaledVector(back, -right.dot(back)).normalize();
  up.crossVectors(back, right);
  from.setFromMatrixPosition(matrix);
  return new Matrix4().makeBasis(right, up, back).setPosition(from);
}

export function lookAt(eye: Vector3, target: Vector3): Matrix4 {
  back.subVectors(eye, target).normalize();
  const parallel = Math.abs(back.z) > 1 - 1e-12;
  right.set(0, parallel ? 1 : 0, parallel ? 0 : 1).cross(back).normalize();
  up.crossVectors(back, right);
  return new Matrix4().makeBasis(right, up, back).setPosition(eye);
}

function pixels(row: Row, side: "width" | "height", otherwise: number): number {
  const value = (number(row.props, side, otherwise) * number(row.props, "dpr", 1)) / number(row.props, "downsample", 1);
  return Math.min(Math.max(Math.round(value), 1), MOST_PIXELS);
}

/** The camera of a `CameraView`, as Python's component engine has it. */
export function cameraOf(row: Row, object: Object3D): CameraSpec {
  const { props, key } = row;
  const width = pixels(row, "width", 320);
  const height = pixels(row, "height", 240);
  const near = number(props, "near", 0.1);
  const far = number(props, "far", 20);
  const parallel = props["ctype"] === "orthographic";
  const halfY = parallel ? number(props, "extent", 2) / 2 : Math.tan((number(props, "fov", 50) * RADIANS) / 2);
  const halfX = (halfY * width) / height;
  const projection = parallel ? orthographic(halfX, halfY, near, far) : perspective(halfX, halfY, near, far);
  return { name: key, width, height, matrix: poseOf(row, object).toArray(), projection, near, far, orthographic: parallel };
}

function poseOf(row: Row, object: Object3D): Matrix4 {
  const target = vector(row.props, "lookAt", []);
  if (target.length !== 3 || "matrix" in row.props) return rigid(object.matrixWorld);
  return lookAt(new Vector3().setFromMatrixPosition(object.matrixWorld), new Vector3().fromArray(target as number[]));
}

/** Half the picture's width and height at one metre, and where its centre is. */
export function slopes({ projection: p, orthographic: parallel }: CameraSpec): { x: number; y: number; cx: number; cy: number } {
  const x = 1 / (p[0] ?? 1);
  const y = 1 / (p[5] ?? 1);
  const shift = parallel ? -1 : 1;
  return { x, y, cx: x * shift * (p[parallel ? 12 : 8] ?? 0), cy: y * shift * (p[parallel ? 13 : 9] ?? 0) };
}

/** The camera with other pixels over the same field of view. */
export function resized(spec: CameraSpec, width: number, height: number): CameraSpec {
  return { ...spec, width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) };
}
