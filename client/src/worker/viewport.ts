// What the page shows: the scene or an engine's pictures, with gizmos over it. It draws when
// something has changed, one frame at a time, and makes room for sensors.
import { Box3, Matrix4, NoToneMapping, PerspectiveCamera, Sphere, Vector3, type Texture } from "three";
import type { ForwardedEvent, HandleMode, Probe, ShownPass, ToWorker } from "../bridge";
import type { CameraSpec, Configure, Panel, Row, Show, ToPage } from "../messages";
import { depthRange, passesFile } from "./arrays";
import { Controls } from "./controls";
import { Drags, Handle, PlaneDrag } from "./drags";
import { Gizmos, type Pictures } from "./gizmos";
import { lookAt, perspective, resized, slopes } from "./lens";
import { Monitors } from "./monitors";
import { Outline } from "./outline";
import type { Outbox, Part } from "./parts";
import { PassView, PictureView } from "./passview";
import { pickFrustum, type Hit } from "./pick";
import { pixelOf, pointAt, readTexel } from "./probe";
import type { ScenePart } from "./scene_part";
import { ShownPictures } from "./shown";
import { ValueCamera } from "./value_camera";
import { flag, number, vector } from "./values";
import type { World } from "./world";

const SENSORS_LAST = 300; // milliseconds after a sensor picture in which the viewport makes room
const BUSY_EVERY = 100; // milliseconds between frames then, at least
const TELL_EVERY = 16; // milliseconds between two `Viewport` messages
const CLICK = 4; // pixels that a click may move
const RANGE_WIDTH = 64; // pixels of the picture that tells how far things are
const FIT_WITHIN = 3000; // milliseconds in which a scene that still grows is fitted again
const FIRST_VIEW = new Vector3(0.8, -1, 0.6);
const GROUND = { light: [0.925, 0.925, 0.918], dark: [0.09, 0.098, 0.106] } as const;
const AROUND = { light: [0.85, 0.85, 0.84], dark: [0.055, 0.06, 0.066] } as const;

interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Press {
  x: number;
  y: number;
  hit: Hit | null;
  drag: PlaneDrag | null;
  depth: number;
  moved: boolean;
  /** Whether the orbit controls were told of it. */
  told: boolean;
}

export class Viewport implements Part {
  private readonly camera = new PerspectiveCamera(50, 1, 0.01, 1000);
  private readonly lens: ValueCamera;
  private readonly controls: Controls;
  private readonly gizmos: Gizmos;
  private readonly monitors: Monitors;
  private readonly outline: Outline;
  private readonly drags: Drags;
  private readonly handle = new Handle();
  private readonly passView = new PassView();
  private readonly pictureView = new PictureView();
  private readonly backdrop = new PictureView();
  private readonly shown: ShownPictures;
  private readonly target = new Vector3();
  private readonly up = new Vector3(0, 0, 1);

  private width = 1;
  private height = 1;
  private dpr = 1;
  private configured: Configure | null = null;
  private pass: ShownPass = "rgb";
  private passName = "rgb";
  private dark = false;
  private selected: string | null = null;
  private through: string | null = null;
  private handles: HandleMode = "translate";
  private press: Press | null = null;
  private kind = "scene";
  /** Round the scene of an engine. */
  private bounds: Box3 | null = null;
  private sceneName: string | null = null;

  /** Whether the view was chosen by somebody: a link, a hand, a component. */
  private placed = false;
  private firstApply = 0;
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
  private moving = false;
  private probing: { x: number; y: number } | null = null;
  private asked = 0;
  /** Whether what is found next is selected. */
  private selecting = false;
  private askedFor: { x: number; y: number } | null = null;
  private badgeAt = 0;
  private sensorPictures = 0;

  constructor(
    private readonly world: World,
    private readonly scene: ScenePart,
    private readonly outbox: Outbox,
    private readonly hasCanvas: boolean,
    pictures: Pictures,
  ) {
    const reversed = world.renderer.state.buffers.depth.getReversed();
    this.lens = new ValueCamera(reversed);
    this.camera.up.copy(this.up);
    this.camera.position.copy(FIRST_VIEW).multiplyScalar(3);
    this.controls = new Controls(this.camera, {
      moved: (moving) => this.orbited(moving),
      grabbed: () => { this.placed = true; },
      dragged: (final) => this.dragged(final),
      changed: () => this.invalidate(),
    });
    this.controls.place(this.camera.position.clone(), this.target);
    this.gizmos = new Gizmos(world, pictures, () => this.invalidate());
    const cameras = (): Map<string, CameraSpec> => this.gizmos.cameras();
    this.monitors = new Monitors(world, scene.passes, outbox, cameras, (key, picture) => this.planeShows(key, picture), (draw) => this.drags.during(draw));
    this.outline = new Outline(world, outbox, cameras);
    this.drags = new Drags(world, outbox, () => { this.monitors.changed(); this.invalidate(); });
    this.shown = new ShownPictures((facts) => this.pictureArrived(facts));
    world.gizmos.add(this.controls.helper, this.handle.object);
    world.onChange((keys) => this.sceneChanged(keys));
    world.canvas.addEventListener("webglcontextrestored", () => {
      this.fence = null;
      this.invalidate();
    });
    scene.sensors.viewport = () => this.spec();
  }

  // What arrives.

  fromServer(message: ToPage, frame: ArrayBuffer): void {
    if (message.type === "configure") this.configure(message);
    else if (message.type === "panel") this.panel(message);
    else if (message.type === "show") void this.shown.take(message, frame).catch(() => {});
    else if (message.type === "render") this.sensed();
    else if (message.type === "answer" && message.ask < 0) this.probed(message.value, message.error ?? null);
  }

  private configure(message: Configure): void {
    this.configured = message;
    this.fitCanvas();
    const [x = 0, y = 0, z = 1] = message.up ?? [];
    this.up.set(x, y, z).normalize();
    this.controls.setUp(this.up);
    this.shown.reset();
    this.probing = null;
    this.toldServer = "";
    this.tellServer(false);
    this.invalidate();
  }

  /** The side panel of an engine's viewer says what its scene's cameras are and where to look from. */
  private panel({ cameras, facts }: Panel): void {
    this.kind = facts["kind"] === "run" ? "run" : "scene";
    this.gizmos.showPanelCameras(this.kind === "run" ? [] : cameras);
    this.gizmos.update([]);
    const rows = cameras.map((spec) => ({ key: spec.name, spec, movable: false, monitor: false }));
    if (this.shows === "pictures") this.outbox.main({ type: "scene", version: 0, cameras: rows, objects: null });
    this.bounds = boxOf(facts["bounds"]);
    const name = String(facts["scene"] ?? "");
    if (name === this.sceneName) return;
    const first = this.sceneName === null;
    this.sceneName = name;
    if (first && this.placed) return;
    const start = cameras.find((spec) => spec.name === facts["start"]) ?? cameras[0];
    if (start) this.stand(start, facts["target"]);
    this.leave();
  }

  /** Stand where a camera stands. */
  private stand(spec: CameraSpec, target: unknown): void {
    const matrix = new Matrix4().fromArray(spec.matrix);
    const eye = new Vector3().setFromMatrixPosition(matrix);
    const ahead = new Vector3().setFromMatrixColumn(matrix, 2).negate();
    const given = Array.isArray(target) ? new Vector3().fromArray(target as number[]) : null;
    const distance = given ? Math.max(given.sub(eye).dot(ahead), 1e-3) : Math.max(this.camera.position.distanceTo(this.target), 1);
    if (!spec.orthographic) this.camera.fov = (Math.atan(slopes(spec).y) * 360) / Math.PI;
    this.place(eye, ahead.multiplyScalar(distance).add(eye));
  }

  private place(eye: Vector3, target: Vector3): void {
    this.target.copy(target);
    this.controls.place(eye, target);
    this.orbited(false);
  }

  fromMain(message: ToWorker): void {
    switch (message.type) {
      case "start":
      case "resize":
        return this.resize(message.width, message.height, message.dpr);
      case "visible":
        this.monitors.visible = message.visible;
        this.monitors.schedule();
        return this.invalidate();
      case "input":
        return this.input(message.event);
      case "probe":
        return this.probe(message.x, message.y);
      case "show-pass":
        return this.showPass(message.pass);
      case "look-through":
        return message.key === null ? this.leave() : this.lookThrough(message.key);
      case "set-camera":
        return this.setCamera(message.matrix, message.target, message.fov);
      case "frame":
        return this.fit(message.key, message.axis);
      case "select":
        return this.select(message.key);
      case "hide":
        if (message.hidden) this.drags.hidden.add(message.key);
        else this.drags.hidden.delete(message.key);
        return this.invalidate();
      case "gizmos":
        this.gizmos.choose(message.grid, message.frustums);
        this.handles = message.handles;
        return this.invalidate();
      case "theme":
        this.dark = message.dark;
        this.gizmos.theme(message.dark);
        return this.invalidate();
      case "monitor":
        return this.monitors.tell(message.key, message.on && this.shows === "scene", message);
      case "snapshot":
        return void this.snapshot(message.ask);
      case "arrays":
        return this.arrays(message.ask);
      case "event":
      case "ask":
        return;
    }
  }

  private resize(width: number, height: number, dpr: number): void {
    this.dpr = dpr;
    this.width = Math.max(1, Math.round(width * dpr));
    this.height = Math.max(1, Math.round(height * dpr));
    this.camera.aspect = this.width / this.height;
    this.controls.resize(width, height);
    this.fitCanvas();
    this.tellServer(false);
    this.drawSoon(true);
  }

  private fitCanvas(): void {
    const { canvas, renderer } = this.world;
    const [width, height] = this.draws ? [this.width, this.height] : [1, 1];
    if (canvas.width !== width || canvas.height !== height) renderer.setSize(width, height, false);
  }

  private sceneChanged(keys: ReadonlySet<string>): void {
    this.drags.update(keys);
    this.gizmos.update(keys);
    this.outline.update(keys);
    this.monitors.changed();
    if (this.selected !== null && !this.world.nodes.has(this.selected)) this.select(null);
    if (this.through !== null && !this.gizmos.cameras().has(this.through)) this.leave();
    for (const key of keys) this.followRow(this.world.nodes.get(key)?.row ?? null);
    this.fitFirst();
    this.invalidate();
  }

  /** `SceneCamera` and `OrbitControls` say where the viewport's camera starts and how it moves. */
  private followRow(row: Row | null): void {
    if (row?.tag === "OrbitControls") {
      const { props } = row;
      this.controls.configure({
        minDistance: number(props, "minDistance", 0), maxDistance: number(props, "maxDistance", Infinity),
        enablePan: flag(props, "enablePan", true), enableZoom: flag(props, "enableZoom", true), enableRotate: flag(props, "enableRotate", true),
      });
      this.target.fromArray(vector(props, "target", [0, 0, 0]) as number[]);
      this.place(this.camera.position.clone(), this.target);
    }
    const node = row?.tag === "SceneCamera" ? this.world.nodes.get(row.key) : undefined;
    if (node === undefined || (this.placed && this.sceneName !== node.row.key)) return;
    this.placed = true;
    this.sceneName = node.row.key;
    const { props } = node.row;
    this.camera.fov = number(props, "fov", 50);
    this.camera.near = number(props, "near", 0.01);
    this.camera.far = number(props, "far", 1000);
    this.camera.updateProjectionMatrix();
    this.world.content.updateMatrixWorld();
    const at = vector(props, "lookAt", []);
    const eye = new Vector3().setFromMatrixPosition(node.object.matrixWorld);
    const pose = at.length === 3 ? lookAt(eye, new Vector3().fromArray(at as number[])) : node.object.matrixWorld;
    this.stand({ ...this.viewSpec(), matrix: pose.toArray() }, at.length === 3 ? at : this.target.toArray());
  }

  // The camera.

  private get shows(): "scene" | "pictures" {
    return this.configured?.shows ?? "scene";
  }

  /** The camera as it is looked from, of the region that shows it. */
  private spec(): CameraSpec {
    const through = this.through === null ? undefined : this.gizmos.cameras().get(this.through);
    if (through === undefined) return this.viewSpec();
    const { width, height } = this.regionOf(through.width / through.height);
    return { ...resized(through, width, height), name: "" };
  }

  private viewSpec(): CameraSpec {
    this.camera.updateMatrixWorld();
    const { near, far, fov } = this.camera;
    const tan = Math.tan((fov * Math.PI) / 360);
    const projection = perspective((tan * this.width) / this.height, tan, near, far);
    const matrix = this.camera.matrixWorld.toArray();
    return { name: "", width: this.width, height: this.height, matrix, projection, near, far, orthographic: false };
  }

  /** The largest part of the canvas of a shape. */
  private regionOf(aspect: number): Region {
    const width = Math.max(1, Math.min(this.width, Math.round(this.height * aspect)));
    const height = Math.max(1, Math.min(this.height, Math.round(this.width / aspect)));
    return { x: Math.floor((this.width - width) / 2), y: Math.floor((this.height - height) / 2), width, height };
  }

  private region(): Region {
    const picture = this.shows === "pictures" ? this.shown.picture : null;
    if (picture !== null) {
      const aspect = picture.camera.width / picture.camera.height;
      // A picture of rounded size fills the canvas all the same.
      if (Math.abs((aspect * this.height) / this.width - 1) > 0.02 || this.kind === "run") return this.regionOf(aspect);
    } else if (this.through !== null) {
      const { width, height } = this.spec();
      return this.regionOf(width / height);
    }
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  private orbited(moving: boolean): void {
    this.target.copy(this.controls.target);
    this.moving = moving;
    this.tellServer(moving);
    this.invalidate();
  }

  private setCamera(matrix: number[], target: [number, number, number] | null, fov: number | null): void {
    this.placed = true;
    if (fov !== null && fov > 0.1 && fov < 179) this.camera.fov = fov;
    this.stand({ ...this.viewSpec(), matrix }, target);
  }

  private lookThrough(key: string): void {
    if (this.kind === "run") {
      this.outbox.server({ type: "event", etype: "CONTROL", key: "camera", value: key });
      return;
    }
    this.through = key;
    this.outbox.main({ type: "through", key });
    this.tellServer(false);
    this.invalidate();
  }

  private leave(): void {
    if (this.through === null) return;
    this.through = null;
    this.outbox.main({ type: "through", key: null });
    this.tellServer(false);
    this.invalidate();
  }

  /** Where a scene has nothing that says where to look from, all of it is looked at. */
  private fitFirst(): void {
    const now = performance.now();
    if (this.firstApply === 0) this.firstApply = now;
    if (this.placed || now - this.firstApply > FIT_WITHIN) return;
    this.fit(null, FIRST_VIEW.toArray());
    this.placed = false;
  }

  private fit(key: string | null, axis: [number, number, number] | null): void {
    const sphere = this.sphereOf(key);
    const direction = axis ? new Vector3().fromArray(axis) : this.camera.position.clone().sub(this.target);
    if (direction.lengthSq() === 0) direction.copy(FIRST_VIEW);
    const tan = Math.tan((this.camera.fov * Math.PI) / 360) * Math.min(1, this.width / this.height);
    const distance = (sphere.radius * 1.05) / Math.sin(Math.atan(tan));
    this.placed = true;
    this.leave();
    this.place(direction.setLength(distance).add(sphere.center), sphere.center);
  }

  private sphereOf(key: string | null): Sphere {
    const frustum = key === null ? undefined : this.gizmos.cameras().get(key);
    if (frustum) return new Sphere(new Vector3().setFromMatrixPosition(new Matrix4().fromArray(frustum.matrix)), 1);
    const node = key === null ? undefined : this.world.nodes.get(key);
    this.world.content.updateMatrixWorld();
    const box = node ? new Box3().setFromObject(node.object) : (this.bounds ?? this.boxOfAll());
    if (box.isEmpty() || !Number.isFinite(box.getSize(new Vector3()).length())) return new Sphere(this.target.clone(), 1.5);
    const sphere = box.getBoundingSphere(new Sphere());
    sphere.radius = Math.max(sphere.radius, 1e-3);
    return sphere;
  }

  /** Round everything but planes, which are often floors that reach far beyond what matters. */
  private boxOfAll(): Box3 {
    const [box, planes] = [new Box3(), new Box3()];
    for (const { row, object } of this.world.nodes.values()) {
      if (row.id === 0) continue;
      const own = new Box3().setFromObject(object);
      if (row.tag === "Plane") planes.union(own);
      else box.union(own);
    }
    return box.isEmpty() ? planes : box;
  }

  /** Tell the server where an engine is to look from. */
  private tellServer(moving: boolean): void {
    if (this.shows !== "pictures" || this.configured === null) return;
    const camera = this.spec();
    const state = JSON.stringify([camera, moving]);
    if (state === this.toldServer) return;
    const wait = this.toldServerAt + TELL_EVERY - performance.now();
    if (wait > 0) {
      this.tellTimer ??= setTimeout(() => { this.tellTimer = null; this.tellServer(this.moving); }, wait);
      return;
    }
    this.toldServer = state;
    this.toldServerAt = performance.now();
    this.outbox.server({ type: "viewport", update: ++this.update, camera, moving });
  }

  // Drawing.

  private get draws(): boolean {
    return this.hasCanvas && this.configured !== null && this.configured.draws_viewport !== false;
  }

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
    this.badge();
  }

  private draw(): void {
    this.drags.during(() => {
      this.world.content.updateMatrixWorld();
      const spec = this.spec();
      const region = this.region();
      this.placeHandle();
      this.gizmos.place(this.camera, this.target, this.up, this.selected, this.through);
      this.monitors.planes(this.planeKeys());
      this.clearAround(region);
      if (this.shows === "pictures") this.drawPicture();
      else this.drawScene(spec, region);
      this.drawGizmos(spec);
      this.tellMain(spec);
    });
    this.world.renderer.setScissorTest(false);
    this.world.renderer.setViewport(0, 0, this.width, this.height);
  }

  private clearAround(region: Region): void {
    const { renderer, gl } = this.world;
    renderer.setRenderTarget(null);
    renderer.setScissorTest(false);
    renderer.setViewport(0, 0, this.width, this.height);
    renderer.state.buffers.color.setMask(true);
    renderer.state.buffers.depth.setMask(true);
    const around = this.dark ? AROUND.dark : AROUND.light;
    gl.clearBufferfv(gl.COLOR, 0, [...around, 1]);
    gl.clearBufferfv(gl.DEPTH, 0, [renderer.state.buffers.depth.getReversed() ? 0 : 1]);
    renderer.setViewport(region.x, region.y, region.width, region.height);
    renderer.setScissor(region.x, region.y, region.width, region.height);
    renderer.setScissorTest(true);
  }

  private get ground(): readonly [number, number, number] {
    return this.dark ? GROUND.dark : GROUND.light;
  }

  private drawScene(spec: CameraSpec, region: Region): void {
    const { renderer, content } = this.world;
    const size = resized(spec, region.width, region.height);
    if (this.pass === "rgb") {
      const backdrop = this.gizmos.backdrop;
      if (backdrop) this.addBackdrop(backdrop.map);
      this.scene.passes.show(size, this.configured?.tone_mapping, this.ground);
      if (backdrop) content.remove(this.backdrop.mesh);
      return;
    }
    if (this.pass === "depth") this.findRange(size);
    const { texture } = this.scene.passes.draw(size, "geometry");
    renderer.setRenderTarget(null);
    this.passView.show(texture, this.pass, [this.range.near, this.range.far], this.ground, this.lens.set(size));
    renderer.render(this.passView.mesh, this.lens);
  }

  private addBackdrop(map: Texture): void {
    this.backdrop.show(map, true);
    this.backdrop.mesh.renderOrder = -Infinity;
    this.world.content.add(this.backdrop.mesh);
  }

  private drawPicture(): void {
    const { picture } = this.shown;
    if (picture === null) return;
    this.pictureView.show(picture.texture, picture.bottomUp);
    this.world.renderer.render(this.pictureView.mesh, this.lens);
  }

  /** Gizmos are drawn for the picture that is seen, which may lag behind the camera. */
  private drawGizmos(spec: CameraSpec): void {
    if (this.shows === "pictures" && (this.kind === "run" || this.shown.picture === null)) return;
    const seen = this.shows === "pictures" ? (this.shown.picture?.camera ?? spec) : spec;
    const { renderer, gizmos } = this.world;
    this.controls.helper.visible = this.through === null && this.handle.held !== null;
    renderer.toneMapping = NoToneMapping;
    renderer.render(gizmos, this.lens.set(seen));
  }

  /** The distances that colours are spread over, by a small picture of the same. */
  private findRange(spec: CameraSpec): void {
    const small = resized(spec, RANGE_WIDTH, (RANGE_WIDTH * spec.height) / spec.width);
    const texels = new Uint32Array(4 * small.width * small.height);
    this.scene.passes.targets.read(this.scene.passes.draw(small, "geometry"), 0, texels);
    this.range = depthRange(texels);
    this.tellScale(this.range);
  }

  private tellScale(scale: { near: number; far: number } | null): void {
    const state = JSON.stringify(scale);
    if (state === this.toldScale) return;
    this.toldScale = state;
    this.outbox.main(scale ? { type: "scale", ...scale } : { type: "scale", near: null, far: null });
  }

  private tellMain(spec: CameraSpec): void {
    const state = JSON.stringify([spec, this.target]);
    if (state === this.toldCamera) return;
    this.toldCamera = state;
    this.outbox.main({ type: "camera", spec, target: this.target.toArray() });
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

  private async snapshot(ask: number): Promise<void> {
    this.draw();
    const png = await this.world.canvas.convertToBlob({ type: "image/png" });
    this.outbox.main({ type: "snapshot", ask, png });
  }

  /** Whatever the hand holds or hides is as the server has it: the arrays are those of sensors. */
  private arrays(ask: number): void {
    const spec = this.spec();
    const { targets } = this.scene.passes;
    const [rgba, geometry] = [new Uint8Array(4 * spec.width * spec.height), new Uint32Array(4 * spec.width * spec.height)];
    const target = this.scene.passes.draw(spec, "both");
    targets.read(target, 0, rgba);
    targets.read(target, 1, geometry);
    this.world.renderer.setRenderTarget(null);
    const labels: Record<string, [string, string]> = {};
    for (const { row } of this.world.nodes.values()) if (row.id !== 0) labels[row.id] = [row.key, row.tag.toLowerCase()];
    const body = passesFile({ spec, rgba, geometry }, labels);
    const value = { name: `${this.through ?? "view"}-${this.world.version}.npz`, offset: 0, nbytes: body.byteLength };
    this.outbox.main({ type: "answer", ask, value, error: null, body }, [body.buffer]);
  }

  private badge(): void {
    const now = performance.now();
    if (this.shows === "pictures" || now - this.badgeAt < 500) return;
    const rate = (1000 * this.sensorPictures) / (now - this.badgeAt);
    this.sensorPictures = 0;
    this.badgeAt = now;
    this.outbox.main({ type: "badge", facts: { engine: "three.js", gl: this.world.glName, version: this.world.version, rate } });
  }

  private sensed(): void {
    this.sensorPictures += 1;
    this.badge();
  }

  private pictureArrived(facts: Show["facts"]): void {
    this.outbox.main({ type: "badge", facts });
    const scale = facts["scale"] as { near: number; far: number } | null | undefined;
    this.tellScale(scale ? { near: scale.near, far: scale.far } : null);
    this.invalidate();
  }

  // The hand.

  private select(key: string | null): void {
    this.selected = key;
    this.outbox.main({ type: "selected", key });
    this.invalidate();
  }

  private poseOf(key: string): Matrix4 | null {
    const spec = this.gizmos.cameras().get(key);
    return spec ? new Matrix4().fromArray(spec.matrix) : null;
  }

  private placeHandle(): void {
    if (this.controls.dragging) return;
    const node = this.through === null ? this.drags.movableOf(this.selected) : null;
    this.handle.hold(node, node && this.poseOf(node.row.key));
    this.controls.attach(node ? this.handle.object : null);
    // A camera has no size to be scaled.
    this.controls.mode = this.handles === "scale" && node?.row.tag === "CameraView" ? "translate" : this.handles;
  }

  private dragged(final: boolean): void {
    const node = this.handle.held;
    if (node) this.drags.move(node, this.handle.world, final);
  }

  private input(event: ForwardedEvent): void {
    if (event.type === "pointerdown") this.pointerDown(event);
    else if (event.type === "pointermove") this.pointerMove(event);
    else if (event.type === "pointerup" || event.type === "pointercancel") this.pointerUp(event);
    else if (event.type === "wheel" && this.through !== null) return;
    else if (this.kind !== "run") {
      this.placed = true;
      this.controls.dispatch(event);
    }
  }

  private pointerDown(event: ForwardedEvent): void {
    if (this.press !== null || this.kind === "run") {
      this.controls.dispatch(event);
      return;
    }
    this.controls.dispatch({ ...event, type: "pointermove", pointerType: "mouse", button: -1 });
    const onHandle = this.controls.busy && this.through === null;
    const hit = onHandle ? null : this.frustumAt(event.clientX, event.clientY);
    const grip = event.button === 0 && !onHandle && this.through === null ? this.gripAt(event, hit) : null;
    const told = grip === null && this.through === null;
    this.press = { x: event.clientX, y: event.clientY, hit, drag: grip?.drag ?? null, depth: grip?.depth ?? 0, moved: onHandle, told };
    if (told) this.controls.dispatch(event);
  }

  /** What is grabbed at a pixel, and how far away that is. */
  private gripAt(event: ForwardedEvent, hit: Hit | null): { drag: PlaneDrag; depth: number } | null {
    const found = hit ?? (this.drags.anyMovable && this.shows === "scene" ? this.objectAt(event.clientX, event.clientY) : null);
    const node = found && this.drags.movableOf(found.key);
    if (!found || !node) return null;
    const grabbed = this.pointOf(event, found.depth);
    return { drag: new PlaneDrag(node, this.poseOf(node.row.key), grabbed), depth: found.depth };
  }

  private pointOf(event: ForwardedEvent, depth: number): Vector3 {
    return new Vector3().fromArray(pointAt(this.spec(), event.clientX * this.dpr, event.clientY * this.dpr, depth));
  }

  private pointerMove(event: ForwardedEvent): void {
    const { press } = this;
    if (press === null) {
      if (this.through === null) this.controls.dispatch(event);
      return;
    }
    const far = Math.hypot(event.clientX - press.x, event.clientY - press.y) > CLICK;
    if (far && !press.moved) this.firstMove(press, event);
    press.moved ||= far;
    if (press.drag) {
      if (press.moved) this.drags.move(press.drag.node, press.drag.to(this.pointOf(event, press.depth)), false);
    } else if (press.told) {
      this.controls.dispatch(event);
    }
  }

  private firstMove(press: Press, event: ForwardedEvent): void {
    if (press.drag) {
      this.select(press.drag.node.row.key);
    } else if (this.through !== null) {
      // A hand that drags while it looks through a camera goes on from where that stands.
      const spec = this.spec();
      this.leave();
      this.placed = true;
      this.stand(spec, null);
      this.controls.dispatch({ ...event, type: "pointerdown", button: 0, buttons: 1 });
      press.told = true;
    }
  }

  private pointerUp(event: ForwardedEvent): void {
    const { press } = this;
    this.press = null;
    if (press === null || press.told) this.controls.dispatch(event);
    if (press === null || event.type === "pointercancel") return;
    if (press.drag && press.moved) this.drags.move(press.drag.node, press.drag.to(this.pointOf(event, press.depth)), true);
    else if (!press.moved && event.button === 0) this.click(event, press.hit);
  }

  private click(event: ForwardedEvent, hit: Hit | null): void {
    if (hit) {
      this.select(hit.key);
      this.lookThrough(hit.key);
      return;
    }
    if (this.shows === "pictures") {
      this.selecting = true;
      this.probe(event.clientX, event.clientY);
      return;
    }
    const found = this.objectAt(event.clientX, event.clientY);
    this.select(found?.key ?? null);
    const value = found && { pixel: [event.clientX, event.clientY], depth: found.depth, point: this.pointOf(event, found.depth).toArray() };
    this.outbox.server({ type: "event", etype: "CLICK", key: found?.key ?? "", value });
  }

  private frustumAt(x: number, y: number): Hit | null {
    if (this.through !== null || this.kind === "run") return null;
    const at = { x: x * this.dpr, y: y * this.dpr };
    return pickFrustum(this.gizmos.frustums(), this.lens.set(this.spec()), at, { width: this.width, height: this.height });
  }

  /** What is drawn at a place of the canvas, in its CSS pixels. */
  private objectAt(x: number, y: number): Hit | null {
    const probe = this.probeAt(x, y);
    return probe?.key && probe.depth !== null ? { key: probe.key, depth: probe.depth } : null;
  }

  // What stands at a pixel.

  private probe(x: number, y: number): void {
    if (x < 0 || y < 0) {
      this.probing = null;
      this.outbox.main({ type: "probe", probe: null });
      return;
    }
    const waits = this.probing !== null;
    this.probing = { x, y };
    this.hover(x, y);
    if (this.shows === "pictures") {
      if (!waits) this.askProbe();
    } else if (!waits) {
      setTimeout(() => this.answerProbe(), 0);
    }
  }

  private hover(x: number, y: number): void {
    const hit = this.frustumAt(x, y);
    const cursor = hit ? (this.drags.movableOf(hit.key) ? "grab" : "pointer") : this.controls.busy ? "grab" : "";
    this.outbox.main({ type: "cursor", cursor });
  }

  private answerProbe(): void {
    const at = this.probing;
    this.probing = null;
    const probe = at && this.draws ? this.probeAt(at.x, at.y) : null;
    if (at === null) return;
    this.outbox.main({ type: "probe", probe });
    if (probe?.key && this.drags.movableOf(probe.key)) this.outbox.main({ type: "cursor", cursor: "grab" });
  }

  private probeAt(cssX: number, cssY: number): Probe | null {
    const region = this.region();
    const x = Math.floor(cssX * this.dpr) - region.x;
    const y = Math.floor(cssY * this.dpr) - (this.height - region.y - region.height);
    if (x < 0 || y < 0 || x >= region.width || y >= region.height) return null;
    const spec = pixelOf(resized(this.spec(), region.width, region.height), x, y);
    const texel = new Uint32Array(4);
    const rgba = new Uint8Array(4);
    this.drags.during(() => {
      const { targets } = this.scene.passes;
      const target = this.scene.passes.draw(spec, "both");
      targets.read(target, 0, rgba);
      targets.read(target, 1, texel);
    });
    this.world.renderer.setRenderTarget(null);
    const found = readTexel(texel);
    const node = found.id === 0 ? null : this.nodeOf(found.id);
    return { x, y, rgb: [rgba[0] ?? 0, rgba[1] ?? 0, rgba[2] ?? 0], ...found, key: node?.key ?? "", category: node?.tag ?? "" };
  }

  private nodeOf(id: number): Row | null {
    for (const { row } of this.world.nodes.values()) if (row.id === id) return row;
    return null;
  }

  /** Ask the engine; questions of our own have negative numbers. */
  private askProbe(): void {
    if (this.probing === null || this.shown.picture === null) {
      this.probing = null;
      return;
    }
    const region = this.region();
    const x = (this.probing.x * this.dpr - region.x) / region.width;
    const y = (this.probing.y * this.dpr - (this.height - region.y - region.height)) / region.height;
    this.asked -= 1;
    this.probing = { x: this.probing.x, y: this.probing.y };
    if (x < 0 || y < 0 || x >= 1 || y >= 1) {
      this.probing = null;
      this.outbox.main({ type: "probe", probe: null });
      return;
    }
    this.askedFor = this.probing;
    this.outbox.server({ type: "ask", ask: this.asked, what: "probe", value: { x, y } });
  }

  private probed(value: unknown, error: string | null): void {
    const latest = this.probing;
    const again = latest !== null && latest !== this.askedFor;
    if (!again) this.probing = null;
    if (error === null && latest !== null) {
      const probe = probeOf(value);
      this.outbox.main({ type: "probe", probe });
      if (this.selecting && !again) this.select(probe.key || null);
      this.selecting &&= again;
    }
    if (again) this.askProbe();
  }

  private showPass(pass: string): void {
    this.passName = pass;
    this.pass = pass === "depth" || pass === "normals" || pass === "segmentation" ? pass : "rgb";
    if (this.shows === "pictures") this.outbox.server({ type: "event", etype: "CONTROL", key: "pass", value: this.passName });
    if (this.pass !== "depth") this.tellScale(null);
    this.invalidate();
  }
}

/** A box of two corners, as the server says it; null for anything else. */
function boxOf(given: unknown): Box3 | null {
  if (!Array.isArray(given) || given.length !== 2) return null;
  const [least, greatest] = given as [number[], number[]];
  return new Box3(new Vector3().fromArray(least), new Vector3().fromArray(greatest));
}

/** An engine's answer, as our own probe has it. */
function probeOf(value: unknown): Probe {
  const map = (value ?? {}) as Record<string, unknown>;
  const triple = (name: string): [number, number, number] | null => {
    const given = map[name];
    return Array.isArray(given) && given.length === 3 ? (given as [number, number, number]) : null;
  };
  return {
    x: Number(map["x"] ?? 0), y: Number(map["y"] ?? 0), rgb: triple("rgb") ?? [0, 0, 0], normal: triple("normal"),
    depth: typeof map["depth"] === "number" ? map["depth"] : null,
    id: Number(map["id"] ?? 0), key: String(map["name"] ?? ""), category: String(map["category"] ?? ""),
  };
}
