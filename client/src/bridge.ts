// What the page's main thread and its worker tell each other. The worker owns the socket, the scene
// and all drawing; the main thread owns the document.
import type { CameraSpec, Configure, Hello, Panel } from "./messages";

/** A DOM event as the worker's controls need it. */
export interface ForwardedEvent {
  type: string;
  clientX: number;
  clientY: number;
  deltaX: number;
  deltaY: number;
  deltaMode: number;
  button: number;
  buttons: number;
  pointerId: number;
  pointerType: string;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  code: string;
  key: string;
}

export type ShownPass = "rgb" | "depth" | "normals" | "segmentation";
export type HandleMode = "translate" | "rotate" | "scale";

/** What stands under a pixel of the viewport. */
export interface Probe {
  x: number;
  y: number;
  rgb: [number, number, number];
  /** Metres along the optical axis; null where nothing is. */
  depth: number | null;
  normal: [number, number, number] | null;
  id: number;
  /** Key of the component; empty for the background. */
  key: string;
  category: string;
}

export interface CameraRow {
  key: string;
  spec: CameraSpec;
  movable: boolean;
  monitor: boolean;
}

export interface ObjectRow {
  key: string;
  tag: string;
  parent: string | null;
  id: number;
  visible: boolean;
}

export type ToWorker =
  | { type: "start"; socket: string; canvas: OffscreenCanvas | null; hello: Hello["info"]; width: number; height: number; dpr: number }
  | { type: "resize"; width: number; height: number; dpr: number }
  | { type: "visible"; visible: boolean }
  | { type: "input"; event: ForwardedEvent }
  | { type: "probe"; x: number; y: number }
  | { type: "show-pass"; pass: string }
  | { type: "look-through"; key: string | null }
  /** Where the viewport's camera stands (column-major) and turns about; `fov` in degrees. */
  | { type: "set-camera"; matrix: number[]; target: [number, number, number] | null; fov: number | null }
  /** Fit the view to a component, or to everything; `axis`: look from there, or from where it is. */
  | { type: "frame"; key: string | null; axis: [number, number, number] | null }
  | { type: "select"; key: string | null }
  /** Hide a component in the viewport alone; sensors see it all the same. */
  | { type: "hide"; key: string; hidden: boolean }
  | { type: "gizmos"; grid: boolean; frustums: "none" | "asked" | "all"; handles: HandleMode }
  | { type: "theme"; dark: boolean }
  /** Send pictures of a camera when they change, at most every `interval` milliseconds. */
  | { type: "monitor"; key: string; on: boolean; width: number; height: number; interval: number }
  | { type: "event"; etype: string; key: string; value: unknown }
  /** `body` goes before the message, where `offset` and `nbytes` in `value` point into it. */
  | { type: "ask"; ask: number; what: string; value: unknown; body: Uint8Array<ArrayBuffer> | null }
  | { type: "snapshot"; ask: number }
  /** All passes of the scene as it is seen, as an .npz file: an `answer` with the file as its body. */
  | { type: "arrays"; ask: number };

export type FromWorker =
  | { type: "configure"; message: Configure }
  | { type: "connection"; connected: boolean; reason: string; again: boolean }
  /** `objects` are null where only cameras moved. */
  | { type: "scene"; version: number; cameras: CameraRow[]; objects: ObjectRow[] | null }
  | { type: "camera"; spec: CameraSpec; target: [number, number, number] }
  | { type: "through"; key: string | null }
  | { type: "badge"; facts: Record<string, unknown> }
  | { type: "probe"; probe: Probe | null }
  | { type: "monitor"; key: string; bitmap: ImageBitmap }
  | { type: "selected"; key: string | null }
  | { type: "cursor"; cursor: string }
  /** Metres of the lightest and the darkest colour; null where colours are no distances. */
  | { type: "scale"; near: number; far: number }
  | { type: "scale"; near: null; far: null }
  | { type: "panel"; message: Panel }
  | { type: "answer"; ask: number; value: unknown; error: string | null; body: Uint8Array }
  | { type: "snapshot"; ask: number; png: Blob }
  | { type: "problem"; key: string; text: string };
