// What the page knows; panels read it and are told when a part of it changed.
import type { CameraRow, ObjectRow } from "../bridge";
import type { CameraSpec } from "../messages";

/** Of a control. */
export type Value = number | boolean;

export interface State {
  /** The scene of rows, or pictures that an engine sends. */
  shows: "scene" | "pictures";
  title: string;
  session: string;
  connected: boolean;
  pass: string;
  /** Passes that can be chosen. */
  passes: readonly string[];
  /** The viewport's camera, and what it turns about. */
  camera: CameraSpec | null;
  target: [number, number, number];
  /** Key of the camera that the viewport looks through. */
  through: string | null;
  selected: string | null;
  cameras: readonly CameraRow[];
  objects: readonly ObjectRow[];
  hidden: ReadonlySet<string>;
  version: number;
  /** Of the panel: engine, source, labels, timeline. */
  facts: Readonly<Record<string, unknown>>;
  /** Index on the timeline; null where there is none. */
  index: number | null;
  /** Controls of an engine's scene that are not as it began. */
  changed: readonly [string, Value][];
  dark: boolean;
}

export const PASSES: readonly string[] = ["rgb", "depth", "normals", "segmentation"];

type Listener = (state: Readonly<State>) => void;

export class Store {
  private readonly listeners: { of: readonly (keyof State)[]; run: Listener }[] = [];
  private current: State = {
    shows: "scene", title: "Heliograph", session: "", connected: false, pass: "rgb", passes: PASSES,
    camera: null, target: [0, 0, 0], through: null, selected: null, cameras: [], objects: [],
    hidden: new Set(), version: 0, facts: {}, index: null, changed: [], dark: false,
  };

  get now(): Readonly<State> {
    return this.current;
  }

  /** Run `listener` now and whenever one of these parts changes. */
  watch(of: readonly (keyof State)[], run: Listener): void {
    this.listeners.push({ of, run });
    run(this.current);
  }

  set(changes: Partial<State>): void {
    const before = this.current;
    this.current = { ...before, ...changes };
    const changed = (Object.keys(changes) as (keyof State)[]).filter((key) => before[key] !== this.current[key]);
    if (changed.length === 0) return;
    for (const each of this.listeners) {
      if (each.of.some((key) => changed.includes(key))) each.run(this.current);
    }
  }
}
