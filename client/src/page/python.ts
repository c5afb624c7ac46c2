// Cameras as lines of Python that make them again.
import type { CameraSpec } from "../messages";

type Vector = readonly [number, number, number];

/** The shortest decimal number that is within 1e-7 of it, relatively; a Python literal. */
function number(value: number): string {
  const rounded = Number(value.toPrecision(8));
  return Object.is(rounded, -0) || Math.abs(rounded) < 1e-9 ? "0" : String(rounded);
}

function vector(values: Vector): string {
  return `(${values.map(number).join(", ")})`;
}

function column(matrix: readonly number[], index: number): Vector {
  const at = 4 * index;
  return [matrix[at] ?? 0, matrix[at + 1] ?? 0, matrix[at + 2] ?? 0];
}

/** Whether the principal point is the centre and pixels are square. */
function isPlain(spec: CameraSpec): boolean {
  const p = spec.projection;
  const [x, y] = spec.orthographic ? [p[12] ?? 0, p[13] ?? 0] : [p[8] ?? 0, p[9] ?? 0];
  const fx = (p[0] ?? 1) * spec.width;
  const fy = (p[5] ?? 1) * spec.height;
  return Math.abs(x) < 1e-6 && Math.abs(y) < 1e-6 && Math.abs(fx / fy - 1) < 1e-5;
}

function poseRows(matrix: readonly number[]): string {
  const rows = [0, 1, 2, 3].map((row) => `[${[0, 1, 2, 3].map((col) => number(matrix[4 * col + row] ?? 0)).join(", ")}]`);
  return `[${rows.join(", ")}]`;
}

function call(name: string, values: [string, string][]): string {
  return [`hg.Camera.${name}(`, ...values.map(([key, value]) => `    ${key}=${value},`), ")"].join("\n");
}

function quoted(name: string): string {
  return JSON.stringify(name);
}

/** An expression that makes this camera; `target` is what it turns about, where that is known. */
export function cameraCode(spec: CameraSpec, target: Vector | null): string {
  const p = spec.projection;
  const fy = ((p[5] ?? 1) * spec.height) / 2;
  const fx = ((p[0] ?? 1) * spec.width) / 2;
  const size: [string, string][] = [["width", String(spec.width)], ["height", String(spec.height)]];
  const rest: [string, string][] = [...size, ["near", number(spec.near)], ["far", number(spec.far)], ["name", quoted(spec.name || "view")]];
  const pose: [string, string] = ["world_from_camera", poseRows(spec.matrix)];
  if (!isPlain(spec)) {
    const x = spec.orthographic ? (p[12] ?? 0) : -(p[8] ?? 0);
    const y = spec.orthographic ? (p[13] ?? 0) : -(p[9] ?? 0);
    const cx = ((x + 1) * spec.width) / 2;
    const cy = ((1 - y) * spec.height) / 2;
    const k = `[[${number(fx)}, 0, ${number(cx)}], [0, ${number(fy)}, ${number(cy)}], [0, 0, 1]]`;
    const made = call("from_K", [["K", k], pose, ...rest]);
    return spec.orthographic ? `${made}.replace(projection=hg.Projection.ORTHOGRAPHIC)` : made;
  }
  if (spec.orthographic) return call("orthographic", [["extent_y", number(spec.height / fy)], pose, ...rest]);
  const fov: [string, string] = ["fov_y", number(2 * Math.atan(spec.height / 2 / fy))];
  return call("look_at", [...lookAt(spec.matrix, target), fov, ...rest]);
}

function lookAt(matrix: readonly number[], target: Vector | null): [string, string][] {
  const eye = column(matrix, 3);
  const back = column(matrix, 2);
  const at = target ?? ([0, 1, 2].map((axis) => (eye[axis] ?? 0) - (back[axis] ?? 0)) as unknown as Vector);
  const rolled = Math.abs(column(matrix, 0)[2]) > 1e-6;
  const up: [string, string][] = rolled ? [["up", vector(column(matrix, 1))]] : [];
  return [["eye", vector(eye)], ["target", vector(at)], ...up];
}

/** A program that makes the camera and the view of it. */
export function viewCode(spec: CameraSpec, target: Vector | null, passes: readonly string[], index: number | null): string {
  const names = passes.map(quoted).join(", ");
  const at = index === null ? "" : `, index=${index}`;
  return [
    "import heliograph as hg",
    "",
    `camera = ${cameraCode(spec, target)}`,
    `view = hg.View(cameras=[camera], passes=(${names},)${at})`,
    "",
  ].join("\n");
}
