// The link that restores what is looked at: camera, pass, time, controls, kept current in the address.
import { paced } from "./dom";
import type { WorkerLink } from "./link";
import type { State, Store, Value } from "./state";

const SET = "set."; // before the names of controls
const KEEP_EVERY = 400; // milliseconds; browsers refuse more than about 100 changes in 30 s

export interface Restored {
  matrix: number[] | null;
  target: [number, number, number] | null;
  fov: number | null;
  pass: string;
  through: string | null;
  index: number | null;
  changed: [string, Value][];
}

function numbers(text: string | null, count: number): number[] | null {
  const values = (text ?? "").split(",").map(Number);
  return text !== null && values.length === count && values.every(Number.isFinite) ? values : null;
}

export function fovOf(projection: readonly number[]): number {
  return (2 * Math.atan(1 / (projection[5] ?? 1)) * 180) / Math.PI;
}

export function readHash(hash: string): Restored {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  const pose = numbers(values.get("pose"), 12);
  return {
    matrix: pose && matrixOf(pose),
    target: numbers(values.get("target"), 3) as [number, number, number] | null,
    fov: numbers(values.get("fov"), 1)?.[0] ?? null,
    pass: values.get("pass") ?? "rgb",
    through: values.get("through"),
    index: numbers(values.get("t"), 1)?.[0] ?? null,
    changed: [...values].filter(([name]) => name.startsWith(SET)).map(([name, value]) => [name.slice(SET.length), valueOf(value)]),
  };
}

function valueOf(text: string): Value {
  return text === "true" || text === "false" ? text === "true" : Number(text);
}

/** A matrix, column after column, of its upper three rows, column after column. */
function matrixOf(pose: readonly number[]): number[] {
  return [0, 1, 2, 3].flatMap((column) => [...pose.slice(3 * column, 3 * column + 3), column === 3 ? 1 : 0]);
}

function short(value: number): string {
  return String(Number(value.toPrecision(7)));
}

export function hashOf(state: Readonly<State>): string {
  const values: string[] = [];
  if (state.camera !== null) {
    const pose = [0, 1, 2, 3].flatMap((column) => state.camera?.matrix.slice(4 * column, 4 * column + 3) ?? []);
    values.push(`pose=${pose.map(short).join(",")}`, `target=${state.target.map(short).join(",")}`);
    if (!state.camera.orthographic) values.push(`fov=${short(fovOf(state.camera.projection))}`);
  }
  if (state.pass !== "rgb") values.push(`pass=${state.pass}`);
  if (state.through !== null) values.push(`through=${encodeURIComponent(state.through)}`);
  if (state.index !== null) values.push(`t=${state.index}`);
  for (const [name, value] of state.changed) values.push(`${SET}${encodeURIComponent(name)}=${String(value)}`);
  return `#${values.join("&")}`;
}

export function keepHash(store: Store): void {
  const keep = paced(KEEP_EVERY, () => history.replaceState(null, "", hashOf(store.now)));
  store.watch(["camera", "pass", "through", "index", "changed"], (state) => { if (state.camera !== null) keep(); });
}

/** Bring the page to what the link says. */
export function restore(link: WorkerLink, store: Store, wanted: Restored): void {
  store.set({ pass: wanted.pass });
  link.post({ type: "show-pass", pass: wanted.pass });
  if (wanted.matrix !== null) link.post({ type: "set-camera", matrix: wanted.matrix, target: wanted.target, fov: wanted.fov });
  if (wanted.through !== null) link.post({ type: "look-through", key: wanted.through });
}
