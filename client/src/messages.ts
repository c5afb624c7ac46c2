// Written by scripts/page_messages.py from src/heliograph/engines/web/messages.py; do not edit.

export const PROTOCOL = 2;

/** One component without its children. */
export interface Row {
  key: string;
  parent: string | null;
  tag: string;
  id: number;
  props: Record<string, unknown>;
}

/** An array that was, or is with this message, sent to the page by the hash of its content. */
export interface BlobRef {
  blob: string;
  dtype: string;
  shape: number[];
}

/** A file, to be fetched from the path `url` of the same server (it needs the token as well). */
export interface AssetRef {
  asset: string;
  url: string;
  name: string;
}

/** The content of a blob: `nbytes` at `offset` of the message's buffers. */
export interface BlobData {
  blob: string;
  offset: number;
  nbytes: number;
}

/** How a page behaves; the first message it gets, and again when something of it changes. */
export interface Configure {
  type: "configure";
  session: string;
  title?: string;
  draws_viewport?: boolean;
  shows?: "pictures" | "scene";
  tone_mapping?: "aces" | "neutral" | "none" | null;
  up?: number[];
  queries?: Record<string, unknown>;
}

/** Bring the page's scene to a version: remove keys, then put rows, parents first. */
export interface Apply {
  type: "apply";
  version: number;
  reset: boolean;
  removed: string[];
  rows: Row[];
  blobs: BlobData[];
}

/** Blobs that no row of this page's scene refers to any more. */
export interface Forget {
  type: "forget";
  blobs: string[];
}

/** A camera by value. */
export interface CameraSpec {
  name: string;
  width: number;
  height: number;
  matrix: number[];
  projection: number[];
  near: number;
  far: number;
  orthographic: boolean;
}

/** Draw sensor pictures of the scene as it is after the messages before this one. */
export interface Render {
  type: "render";
  request: number;
  cameras: CameraSpec[];
  passes: string[];
  encoding?: "jpeg" | "png" | "raw" | "webp";
  quality?: number;
  patience?: number;
  samples?: number;
  file_slot?: number | null;
  viewport?: boolean;
}

/** Write the pictures of a slot into a file that the server, too, can open; `Shared` answers. */
export interface Share {
  type: "share";
  slot: number;
  mark: string;
}

/** The server ends this page's session; `reason` is shown, and it reconnects if `again`. */
export interface Close {
  type: "close";
  reason: string;
  again: boolean;
}

/** A picture for the viewport of a page that shows pictures. */
export interface Show {
  type: "show";
  update: number;
  camera: CameraSpec;
  encoding: "jpeg" | "png" | "raw" | "webp";
  offset: number;
  nbytes: number;
  facts: Record<string, unknown>;
}

/** What the page's side panel offers, as plain data that `client/src/page` draws. */
export interface Panel {
  type: "panel";
  controls: (Record<string, unknown>)[];
  cameras: CameraSpec[];
  facts: Record<string, unknown>;
}

/** The answer to an `Ask`; buffers, if any, are named in `value` by offset and nbytes. */
export interface Answer {
  type: "answer";
  ask: number;
  value: unknown;
  error?: string | null;
}

/** The first message of a page. */
export interface Hello {
  type: "hello";
  protocol: number;
  gl: string;
  info: Record<string, unknown>;
  session?: string;
}

/** The page's scene has this version. */
export interface Applied {
  type: "applied";
  version: number;
}

/** One pass of one camera. */
export interface Picture {
  camera: string;
  content: "depth" | "ids" | "image/jpeg" | "image/png" | "image/webp" | "normals" | "rgb" | "rgba";
  width: number;
  height: number;
  offset: number;
  nbytes: number;
}

/** The answer to `Render`. */
export interface Rendered {
  type: "rendered";
  request: number;
  version: number;
  pictures: Picture[];
  camera?: CameraSpec | null;
  milliseconds?: number;
  more?: boolean;
}

/** Why a `Render` could not be answered. */
export interface Refused {
  type: "refused";
  request: number;
  reason: string;
  missing: string[];
  fatal?: boolean;
}

/** Somebody dragged a component: its new parent_from_component. */
export interface Moved {
  type: "moved";
  key: string;
  matrix: number[];
  final: boolean;
}

/** The viewport's camera has moved, or its size has changed. */
export interface Viewport {
  type: "viewport";
  update: number;
  camera: CameraSpec;
  moving: boolean;
}

/** Anything else that happened: a click on an object, a key, a button of the panel. */
export interface Event {
  type: "event";
  etype: string;
  key: string;
  value: unknown;
}

/** What the page could not do: an unknown tag or property, a file that does not load. */
export interface Problem {
  type: "problem";
  key: string;
  text: string;
}

/** A question of the page's user interface, such as what is at a pixel; answered by number. */
export interface Ask {
  type: "ask";
  ask: number;
  what: string;
  value: unknown;
}

/** The answer to `Share`; `error` is empty where the file is there. */
export interface Shared {
  type: "shared";
  slot: number;
  error: string;
}

export type ToPage = Configure | Apply | Render | Forget | Close | Show | Panel | Answer | Share;

export type FromPage = Hello | Applied | Rendered | Refused | Moved | Viewport | Event | Problem | Ask | Shared;
