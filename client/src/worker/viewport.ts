// What the page shows: the scene or an engine's pictures, with gizmos over it. It draws when
// something has changed, one frame at a time, and makes room for sensors.
import { Box3, NoToneMapping, Vector3, type Texture } from "three";
import type { ShownPass, ToWorker } from "../bridge";
import type { CameraSpec, Configure, Panel, Show, ToPage } from "../messages";
import { depthRange, passesFile } from "./arrays";
import { Drags } from "./drags";
import { Gizmos, type Pictures } from "./gizmos";
import { Hand } from "./hand";
import { resized } from "./lens";
import { Monitors } from "./monitors";
import { Outline } from "./outline";
import type { Outbox, Part } from "./parts";
import { PassView, PictureView } from "./passview";
import { Prober } from "./prober";
import type { ScenePart } from "./scene_part";
import { ShownPictures } from "./shown";
import { ValueCamera } from "./value_camera";
import { ViewCamera, type Region } from "./view_camera";
import type { World } from "./world";

const SENSORS_LAST = 300; // milliseconds after a sensor picture in which the viewport makes room
const BUSY_EVERY = 100; // milliseconds between frames then, at least
const TELL_EVERY = 16; // milliseconds between two `Viewport` messages
const BADGE_EVERY = 500; // milliseconds
const RANGE_WIDTH = 64; // pixels of the picture that tells how far things are
const SAME_SHAPE = 0.02; // a picture of rounded size fills the canvas all the same
const GROUND = { light: [0.925, 0.925, 0.918], dark: [0.09, 0.098, 0.106] } as const;
const AROUND = { light: [0.85, 0.85, 0.84], dark: [0.055, 0.06, 0.066] } as const;

export class Viewport implements Part {
  private readonly lens: ValueCamera;
  private readonly view: ViewCamera;
  private readonly hand: Hand;
  private readonly prober: Prober;
  private readonly gizmos: Gizmos;
  private readonly monitors: Monitors;
  private readonly outline: Outline;
  private readonly drags: Drags;
  private readonly passView = new PassView();
  private readonly pictureView = new PictureView();
  private readonly backdrop = new PictureView();
  private readonly shown: ShownPictures;

  dpr = 1;
  private configured: Configure | null = null;
  private pass: ShownPass = "rgb";
  private dark = false;
  /** Whether an engine's pictures are those of a recording. */
  recorded = false;
  private sceneName: string | null = null;

  private waiting = false;
  private drawnAt = -Infinity;
  private fence: WebGLSync | null = null;
  private range = { near: 0.1, far: 10 };
  private toldScale = "null";
  private toldCamera = "";
  private update = 0;
  private toldServer = "";
  private toldServerAt = -Infinity;
  private tellTimer: ReturnType<typeof setTimeout> | null = null;
  private badgeAt = 0;
  private sensorPictures = 0;

  constructor(
    private readonly world: World,
    private readonly scene: ScenePart,
    private readonly outbox: Outbox,
    private readonly hasCanvas: boolean,
    pictures: Pictures,
  ) {
    const changed = (): void => this.invalidate();
    const cameras = (): Map<string, CameraSpec> => this.gizmos.cameras();
    this.lens = new ValueCamera(world.renderer.state.buffers.depth.getReversed());
    this.view = new ViewCamera(world, cameras, {
      moved: (moving) => this.moved(moving),
      dragged: (final) => this.hand.dragged(final),
      through: (key) => this.lookedThrough(key),
      changed,
    });
    this.gizmos = new Gizmos(world, pictures, changed);
    this.drags = new Drags(world, outbox, () => this.dragged());
    const planeShows = (key: string, picture: Texture | null): void => this.planeShows(key, picture);
    this.monitors = new Monitors(world, scene.passes, outbox, cameras, planeShows, (draw) => this.during(draw));
    this.outline = new Outline(world, outbox, cameras);
    this.shown = new ShownPictures((facts) => this.pictureArrived(facts));
    this.prober = new Prober(world, scene.passes, outbox, this, (key) => this.hand.select(key), (key) => this.over(key));
    this.hand = new Hand(this.view, this.gizmos, this.drags, this.prober, outbox, this.lens, this, changed);
    world.gizmos.add(this.view.controls.helper, this.hand.stand);
    world.onChange((keys) => this.sceneChanged(keys));
    world.canvas.addEventListener("webglcontextrestored", () => {
      this.fence = null;
      this.invalidate();
    });
    scene.sensors.viewport = () => this.spec;
  }

  // What others read.

  get shows(): "scene" | "pictures" {
    return this.configured?.shows ?? "scene";
  }

  get draws(): boolean {
    return this.hasCanvas && this.configured !== null && this.configured.draws_viewport !== false;
  }

  get spec(): CameraSpec {
    return this.view.spec;
  }

  get height(): number {
    return this.view.height;
  }

  get hasPicture(): boolean {
    return this.shown.picture !== null;
  }

  /** The part of the canvas that shows the scene or the picture. */
  get region(): Region {
    const { view } = this;
    const picture = this.shows === "pictures" ? this.shown.picture : null;
    if (picture !== null) {
      const aspect = picture.camera.width / picture.camera.height;
      const other = Math.abs((aspect * view.height) / view.width - 1) > SAME_SHAPE;
      if (other || this.recorded) return view.regionOf(aspect);
    } else if (view.through !== null) {
      return view.regionOf(view.spec.width / view.spec.height);
    }
    return { x: 0, y: 0, width: view.width, height: view.height };
  }

  during(draw: () => void): void {
    this.drags.during(draw);
  }

  cameraAt(x: number, y: number): string | null {
    return this.hand.frustumAt(x, y)?.key ?? null;
  }

  // What arrives.

  fromServer(message: ToPage, frame: ArrayBuffer): void {
    if (message.type === "configure") this.configure(message);
    else if (message.type === "panel") this.panel(message);
    else if (message.type === "show") void this.shown.take(message, frame).catch(() => {});
    else if (message.type === "render") this.sensed();
    else if (message.type === "answer" && message.ask < 0) this.prober.answered(message.value, message.error ?? null);
  }

  private configure(message: Configure): void {
    this.configured = message;
    this.fitCanvas();
    this.view.setUp(message.up ?? []);
    this.shown.reset();
    this.prober.reset();
    this.toldServer = "";
    this.tellServer(false);
    this.invalidate();
  }

  /** The side panel of an engine's viewer says what its scene's cameras are and where to look from. */
  private panel({ cameras, facts }: Panel): void {
    this.recorded = facts["kind"] === "run";
    this.gizmos.showPanelCameras(this.recorded ? [] : cameras);
    this.gizmos.update([]);
    const rows = cameras.map((spec) => ({ key: spec.name, spec, movable: false, monitor: false }));
    if (this.shows === "pictures") this.outbox.main({ type: "scene", version: 0, cameras: rows, objects: null });
    this.view.around(boxOf(facts["bounds"]));
    const name = String(facts["scene"] ?? "");
    if (name === this.sceneName) return;
    const first = this.sceneName === null;
    this.sceneName = name;
    if (first && this.view.placed) return;
    const start = cameras.find((spec) => spec.name === facts["start"]) ?? cameras[0];
    const target = facts["target"];
    if (start) this.view.standAt(start, Array.isArray(target) ? (target as number[]) : null);
    this.view.leave();
  }

  fromMain(message: ToWorker): void {
    switch (message.type) {
      case "start":
      case "resize":
        return this.resize(message.width, message.height, message.dpr);
      case "visible":
        this.monitors.visible = message.visible;
        return this.monitors.schedule();
      case "input":
        if (message.event.type === "pointermove") this.prober.follow(message.event.clientX, message.event.clientY);
        return this.hand.input(message.event);
      case "probe":
        return this.pointer(message.x, message.y);
      case "show-pass":
        return this.showPass(message.pass);
      case "look-through":
        return this.lookThrough(message.key);
      case "set-camera":
        return this.view.stand(message.matrix, message.target, message.fov);
      case "frame":
        return this.view.fit(message.key, message.axis);
      case "select":
        return this.hand.select(message.key);
      case "monitor":
        return this.monitors.tell(message.key, message.on && this.shows === "scene", message);
      case "snapshot":
        return void this.snapshot(message.ask);
      case "arrays":
        return this.arrays(message.ask);
      case "hide":
      case "gizmos":
      case "theme":
        this.look(message);
        return this.invalidate();
      case "event":
      case "ask":
        return;
    }
  }

  private look(message: Extract<ToWorker, { type: "hide" | "gizmos" | "theme" }>): void {
    if (message.type === "hide") {
      if (message.hidden) this.drags.hidden.add(message.key);
      else this.drags.hidden.delete(message.key);
    } else if (message.type === "gizmos") {
      this.gizmos.choose(message.grid, message.frustums);
      this.hand.handles = message.handles;
    } else {
      this.dark = message.dark;
      this.gizmos.theme(message.dark);
    }
  }

  private resize(width: number, height: number, dpr: number): void {
    this.dpr = dpr;
    this.view.resize(width, height, dpr);
    this.fitCanvas();
    this.tellServer(false);
    this.drawSoon(true);
  }

  private fitCanvas(): void {
    const { canvas, renderer } = this.world;
    const [width, height] = this.draws ? [this.view.width, this.view.height] : [1, 1];
    if (canvas.width !== width || canvas.height !== height) renderer.setSize(width, height, false);
  }

  private sceneChanged(keys: ReadonlySet<string>): void {
    this.drags.update(keys);
    this.gizmos.update(keys);
    this.outline.update(keys);
    this.monitors.changed();
    const { selected } = this.hand;
    if (selected !== null && this.shows === "scene" && !this.world.nodes.has(selected)) this.hand.select(null);
    if (this.view.through !== null && !this.gizmos.cameras().has(this.view.through)) this.view.leave();
    for (const key of keys) {
      const row = this.world.nodes.get(key)?.row;
      if (row) this.view.followRow(row);
    }
    this.view.fitFirst();
    const { through } = this.view;
    const unseen = [...keys].every((key) => key !== through && this.gizmos.hides(key, selected));
    if (keys.size === 0 || !unseen) this.invalidate();
  }

  private showPass(pass: string): void {
    this.pass = pass === "depth" || pass === "normals" || pass === "segmentation" ? pass : "rgb";
    if (this.shows === "pictures") this.outbox.server({ type: "event", etype: "CONTROL", key: "pass", value: pass });
    if (this.pass !== "depth") this.tellScale(null);
    this.invalidate();
  }

  private lookThrough(key: string | null): void {
    if (key === null) this.view.leave();
    else if (this.recorded) this.outbox.server({ type: "event", etype: "CONTROL", key: "camera", value: key });
    else this.view.lookThrough(key);
  }

  private lookedThrough(key: string | null): void {
    this.outbox.main({ type: "through", key });
    this.tellServer(false);
    this.invalidate();
  }

  private moved(moving: boolean): void {
    this.tellServer(moving);
    this.invalidate();
  }

  private dragged(): void {
    this.monitors.changed();
    this.invalidate();
  }

  private pointer(x: number, y: number): void {
    if (x < 0 || y < 0) return this.prober.leave();
    this.hand.hover(x, y);
    this.prober.hover(x, y);
  }

  /** The pointer is over a component. */
  private over(key: string): void {
    if (this.drags.movableOf(key || null)) this.outbox.main({ type: "cursor", cursor: "grab" });
  }

  /** Tell the server where somebody looks from. */
  private tellServer(moving: boolean): void {
    if (this.configured === null || !this.draws) return;
    const camera = this.spec;
    const state = JSON.stringify([camera, moving]);
    if (state === this.toldServer) return;
    const wait = this.toldServerAt + TELL_EVERY - performance.now();
    if (wait > 0) {
      this.tellTimer ??= setTimeout(() => { this.tellTimer = null; this.tellServer(this.view.moving); }, wait);
      return;
    }
    this.toldServer = state;
    this.toldServerAt = performance.now();
    this.outbox.server({ type: "viewport", update: ++this.update, camera, moving });
  }

  // Drawing.

  private invalidate(): void {
    this.drawSoon(false);
  }

  private drawSoon(now: boolean): void {
    if (!this.draws || this.waiting) return;
    this.waiting = true;
    const time = performance.now();
    const busy = time - this.world.lastRender < SENSORS_LAST;
    const pause = busy && !now ? this.drawnAt + BUSY_EVERY - time : 0;
    if (pause > 0) setTimeout(() => self.requestAnimationFrame(() => this.frame()), pause);
    else self.requestAnimationFrame(() => this.frame());
  }

  private frame(): void {
    const { gl } = this.world;
    const inFlight = this.fence !== null && gl.getSyncParameter(this.fence, gl.SYNC_STATUS) !== gl.SIGNALED;
    if (inFlight && !gl.isContextLost()) {
      self.requestAnimationFrame(() => this.frame());
      return;
    }
    this.waiting = false;
    if (!this.draws) return;
    this.draw();
    if (this.fence !== null) gl.deleteSync(this.fence);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    this.drawnAt = performance.now();
    if (this.shows === "scene") this.prober.refresh();
    this.badge();
  }

  private draw(): void {
    this.during(() => {
      this.world.content.updateMatrixWorld();
      const { spec, region, view } = this;
      this.hand.placeHandle();
      this.gizmos.place(view.camera, view.target, view.up, this.hand.selected, view.through);
      this.monitors.planes(this.planeKeys());
      this.clearAround(region);
      if (this.shows === "pictures") this.drawPicture();
      else this.drawScene(spec, region);
      this.drawGizmos(spec);
      this.tellMain(spec);
    });
    this.world.renderer.setScissorTest(false);
    this.world.renderer.setViewport(0, 0, this.view.width, this.view.height);
  }

  private clearAround(region: Region): void {
    const { renderer, gl } = this.world;
    renderer.setRenderTarget(null);
    renderer.setScissorTest(false);
    renderer.setViewport(0, 0, this.view.width, this.view.height);
    renderer.state.buffers.color.setMask(true);
    renderer.state.buffers.depth.setMask(true);
    gl.clearBufferfv(gl.COLOR, 0, [...(this.dark ? AROUND.dark : AROUND.light), 1]);
    gl.clearBufferfv(gl.DEPTH, 0, [renderer.state.buffers.depth.getReversed() ? 0 : 1]);
    renderer.setViewport(region.x, region.y, region.width, region.height);
    renderer.setScissor(region.x, region.y, region.width, region.height);
    renderer.setScissorTest(true);
  }

  private drawScene(spec: CameraSpec, region: Region): void {
    const ground = this.dark ? GROUND.dark : GROUND.light;
    const size = resized(spec, region.width, region.height);
    if (this.pass !== "rgb") {
      this.drawPass(size, this.pass, ground);
      return;
    }
    const { content } = this.world;
    const { backdrop } = this.gizmos;
    if (backdrop) {
      this.backdrop.show(backdrop.map, true);
      this.backdrop.mesh.renderOrder = -Infinity;
      content.add(this.backdrop.mesh);
    }
    this.scene.passes.show(size, this.configured?.tone_mapping, ground);
    if (backdrop) content.remove(this.backdrop.mesh);
  }

  private drawPass(spec: CameraSpec, pass: Exclude<ShownPass, "rgb">, ground: readonly number[]): void {
    const { renderer } = this.world;
    if (pass === "depth") this.findRange(spec);
    const { texture } = this.scene.passes.draw(spec, "geometry");
    renderer.setRenderTarget(null);
    this.passView.show(texture, pass, [this.range.near, this.range.far], ground, this.lens.set(spec));
    renderer.render(this.passView.mesh, this.lens);
  }

  /** The distances that colours are spread over, by a small picture of the same. */
  private findRange(spec: CameraSpec): void {
    const small = resized(spec, RANGE_WIDTH, (RANGE_WIDTH * spec.height) / spec.width);
    const texels = new Uint32Array(4 * small.width * small.height);
    this.scene.passes.targets.read(this.scene.passes.draw(small, "geometry"), 0, texels);
    this.range = depthRange(texels);
    this.tellScale(this.range);
  }

  private drawPicture(): void {
    const { picture } = this.shown;
    if (picture === null) return;
    this.pictureView.show(picture.texture, picture.bottomUp);
    this.world.renderer.render(this.pictureView.mesh, this.lens);
  }

  /** Gizmos are drawn for the picture that is seen, which may lag behind the camera. */
  private drawGizmos(spec: CameraSpec): void {
    if (this.shows === "pictures" && (this.recorded || this.shown.picture === null)) return;
    const seen = this.shows === "pictures" ? (this.shown.picture?.camera ?? spec) : spec;
    const { renderer, gizmos } = this.world;
    this.view.controls.helper.visible = this.view.through === null && this.hand.holds;
    renderer.toneMapping = NoToneMapping;
    renderer.render(gizmos, this.lens.set(seen));
  }

  private planeKeys(): Set<string> {
    if (this.shows === "pictures") return new Set();
    return new Set([...this.gizmos.frustums()].map(([key]) => key));
  }

  private planeShows(key: string, picture: Texture | null): void {
    const mark = this.gizmos.frustumOf(key);
    if (mark) mark.picture = picture;
    this.invalidate();
  }

  // What the main thread is told.

  private tellMain(spec: CameraSpec): void {
    const state = JSON.stringify([spec, this.view.target]);
    if (state === this.toldCamera) return;
    this.toldCamera = state;
    this.outbox.main({ type: "camera", spec, target: this.view.target.toArray() });
  }

  private tellScale(scale: { near: number; far: number } | null): void {
    const state = JSON.stringify(scale);
    if (state === this.toldScale) return;
    this.toldScale = state;
    this.outbox.main(scale ? { type: "scale", ...scale } : { type: "scale", near: null, far: null });
  }

  private pictureArrived(facts: Show["facts"]): void {
    this.outbox.main({ type: "badge", facts });
    const scale = facts["scale"] as { near: number; far: number } | null | undefined;
    this.tellScale(scale ? { near: scale.near, far: scale.far } : null);
    if (facts["final"] === true) this.prober.refresh();
    this.invalidate();
  }

  private sensed(): void {
    this.sensorPictures += 1;
    this.badge();
  }

  private badge(): void {
    const now = performance.now();
    if (this.shows === "pictures" || now - this.badgeAt < BADGE_EVERY) return;
    const rate = (1000 * this.sensorPictures) / (now - this.badgeAt);
    this.sensorPictures = 0;
    this.badgeAt = now;
    const { glName: gl, version } = this.world;
    this.outbox.main({ type: "badge", facts: { engine: "three.js", gl, version, rate } });
  }

  private async snapshot(ask: number): Promise<void> {
    this.draw();
    const png = await this.world.canvas.convertToBlob({ type: "image/png" });
    this.outbox.main({ type: "snapshot", ask, png });
  }

  /** Whatever the hand holds or hides is where the server has it: the arrays are those of sensors. */
  private arrays(ask: number): void {
    const { spec } = this;
    const { targets } = this.scene.passes;
    const count = spec.width * spec.height;
    const [rgba, geometry] = [new Uint8Array(4 * count), new Uint32Array(4 * count)];
    const target = this.scene.passes.draw(spec, "both");
    targets.read(target, 0, rgba);
    targets.read(target, 1, geometry);
    this.world.renderer.setRenderTarget(null);
    const labels: Record<string, [string, string]> = {};
    for (const { row } of this.world.nodes.values()) if (row.id !== 0) labels[row.id] = [row.key, row.tag.toLowerCase()];
    const body = passesFile({ spec, rgba, geometry }, labels);
    const value = { name: `${this.view.through ?? "view"}-${this.world.version}.npz`, offset: 0, nbytes: body.byteLength };
    this.outbox.main({ type: "answer", ask, value, error: null, body }, [body.buffer]);
  }
}

/** A box of two corners, as the server says it; null for anything else. */
function boxOf(given: unknown): Box3 | null {
  if (!Array.isArray(given) || given.length !== 2) return null;
  const [least, greatest] = given as [number[], number[]];
  return new Box3(new Vector3().fromArray(least), new Vector3().fromArray(greatest));
}
