// The scene as it is shown, and the one GL context that draws it.
import { Group, Scene, WebGLRenderer, type BufferGeometry, type Object3D } from "three";
import type { Row } from "../messages";

/** One component of the scene. */
export interface SceneNode {
  row: Row;
  /** Placed in its parent; the objects of the rows below are its children. */
  object: Object3D;
}

/** Of llvmpipe's triangles; see `World.willDraw`. */
const BATCH = 1200;

type Listener = (keys: ReadonlySet<string>) => void;

/** The scene, its GL context, and who wants to know of changes. */
export class World {
  readonly renderer: WebGLRenderer;
  /** What sensors see. Its materials are those that draw colour alone. */
  readonly content = new Scene();
  /** Placed like `content`, but seen in the viewport alone. */
  readonly gizmos = new Scene();
  readonly nodes = new Map<string, SceneNode>();
  /** Of the scene's own component: what stands in it has its placement. */
  readonly root = new Group();
  version = 0;
  /** performance.now() when a sensor picture was last asked for; the viewport makes room for them. */
  lastRender = -Infinity;
  private readonly listeners = new Set<Listener>();
  private readonly batch: number;
  private triangles = 0;

  constructor(readonly canvas: OffscreenCanvas) {
    // Targets of sensors have samples of their own; the canvas of a page without a viewport stays tiny.
    this.renderer = new WebGLRenderer({ canvas, antialias: true, reversedDepthBuffer: true, alpha: false });
    this.renderer.autoClear = false;
    this.content.add(this.root);
    this.batch = this.glName.includes("llvmpipe") ? BATCH : Infinity;
  }

  get gl(): WebGL2RenderingContext {
    return this.renderer.getContext() as WebGL2RenderingContext;
  }

  /** Name of what draws. */
  get glName(): string {
    const { gl } = this;
    const unmasked = gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER;
    return String(gl.getParameter(unmasked));
  }

  /**
   * Make room for an object that is drawn next.
   *
   * Software GL is told to fill what it has after so many triangles, so that it works while more is
   * on its way; and what it frees after fewer triangles the browser keeps for the next ones, whose
   * page faults would take a fifth of a picture's time.
   */
  willDraw({ index, attributes }: BufferGeometry): void {
    const more = ((index ?? attributes["position"])?.count ?? 0) / 3;
    if (this.triangles > 0 && this.triangles + more > this.batch) {
      this.gl.flush();
      this.triangles = 0;
    }
    this.triangles += more;
  }

  /** Hear of the keys whose rows changed, came or went; returns what ends it. */
  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Tell that something of these components looks otherwise. */
  changed(keys: ReadonlySet<string>): void {
    for (const listener of this.listeners) listener(keys);
  }
}
