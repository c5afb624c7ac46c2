// The viewport's camera: where it stands, what it turns about, whose camera it looks through.
import { Box3, Matrix4, PerspectiveCamera, Sphere, Vector3 } from "three";
import type { CameraSpec, Row } from "../messages";
import { Controls, type ControlEvents } from "./controls";
import { lookAt, perspective, resized, slopes } from "./lens";
import { flag, number, vector } from "./values";
import type { World } from "./world";

const FIT_WITHIN = 3000; // milliseconds in which a scene that still grows is fitted again
const FIRST_VIEW = new Vector3(0.8, -1, 0.6);
const SMALLEST = 1e-3; // metres
const [NEAR, FAR] = [0.01, 1000]; // metres

/** A part of the canvas, in its pixels, from the bottom left. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface ViewEvents extends Omit<ControlEvents, "grabbed"> {
  /** Another camera is looked through, or none. */
  through(key: string | null): void;
}

export class ViewCamera {
  readonly camera = new PerspectiveCamera(50, 1, NEAR, FAR);
  readonly controls: Controls;
  readonly target = new Vector3();
  readonly up = new Vector3(0, 0, 1);
  /** Key of the camera that is looked through. */
  through: string | null = null;
  /** Round an engine's scene, whose components are not here. */
  bounds: Box3 | null = null;
  /** Whether somebody chose the view: a link, a hand, a component. */
  placed = false;
  moving = false;
  width = 1;
  height = 1;
  private start: string | null = null;
  private firstFit = 0;

  constructor(
    private readonly world: World,
    private readonly cameras: () => Map<string, CameraSpec>,
    private readonly events: ViewEvents,
  ) {
    this.camera.up.copy(this.up);
    this.camera.position.copy(FIRST_VIEW).multiplyScalar(3);
    this.controls = new Controls(this.camera, { ...events, moved: (moving) => this.orbited(moving), grabbed: () => { this.placed = true; } });
    this.controls.place(this.camera.position.clone(), this.target);
  }

  /** Metres to what it turns about. */
  get distance(): number {
    return Math.max(this.camera.position.distanceTo(this.target), SMALLEST);
  }

  /** The camera as it is looked from, of the region that shows it. */
  get spec(): CameraSpec {
    const through = this.through === null ? undefined : this.cameras().get(this.through);
    if (through === undefined) return this.own;
    const { width, height } = this.regionOf(through.width / through.height);
    return { ...resized(through, width, height), name: "" };
  }

  private get own(): CameraSpec {
    this.camera.updateMatrixWorld();
    const { near, far, fov } = this.camera;
    const tan = Math.tan((fov * Math.PI) / 360);
    const projection = perspective((tan * this.width) / this.height, tan, near, far);
    const matrix = this.camera.matrixWorld.toArray();
    return { name: "", width: this.width, height: this.height, matrix, projection, near, far, orthographic: false };
  }

  /** The largest part of the canvas of a shape, in its middle. */
  regionOf(aspect: number): Region {
    const width = Math.max(1, Math.min(this.width, Math.round(this.height * aspect)));
    const height = Math.max(1, Math.min(this.height, Math.round(this.width / aspect)));
    return { x: Math.floor((this.width - width) / 2), y: Math.floor((this.height - height) / 2), width, height };
  }

  resize(width: number, height: number, dpr: number): void {
    this.width = Math.max(1, Math.round(width * dpr));
    this.height = Math.max(1, Math.round(height * dpr));
    this.camera.aspect = this.width / this.height;
    this.controls.resize(width, height);
  }

  setUp(up: readonly number[]): void {
    const [x = 0, y = 0, z = 1] = up;
    this.up.set(x, y, z).normalize();
    this.controls.setUp(this.up);
  }

  /** An engine's scene is in this box: see all of it, and its details. */
  around(bounds: Box3 | null): void {
    this.bounds = bounds;
    const size = bounds?.getSize(new Vector3()).length() ?? 0;
    if (!Number.isFinite(size) || size === 0) return;
    this.camera.near = Math.max(Math.min(NEAR, 1e-3 * size), 1e-5 * size);
    this.camera.far = Math.max(FAR, 20 * size);
  }

  /** Stand at a pose, as a link says it; `fov` in degrees. */
  stand(matrix: readonly number[], target: readonly number[] | null, fov: number | null): void {
    this.placed = true;
    if (fov !== null && fov > 0.1 && fov < 179) this.camera.fov = fov;
    this.standAt({ ...this.own, matrix: [...matrix] }, target);
  }

  /** Stand where a camera stands, and see as much. */
  standAt(spec: CameraSpec, target: readonly number[] | null): void {
    const matrix = new Matrix4().fromArray(spec.matrix);
    const eye = new Vector3().setFromMatrixPosition(matrix);
    const ahead = new Vector3().setFromMatrixColumn(matrix, 2).negate();
    const given = target && new Vector3().fromArray([...target]).sub(eye).dot(ahead);
    if (!spec.orthographic) this.camera.fov = (Math.atan(slopes(spec).y) * 360) / Math.PI;
    this.place(eye, ahead.multiplyScalar(given === null ? this.distance : Math.max(given, SMALLEST)).add(eye));
  }

  private place(eye: Vector3, target: Vector3): void {
    this.controls.place(eye, target);
    this.orbited(false);
  }

  private orbited(moving: boolean): void {
    this.target.copy(this.controls.target);
    this.moving = moving;
    this.events.moved(moving);
  }

  lookThrough(key: string): void {
    this.through = key;
    this.events.through(key);
  }

  leave(): void {
    if (this.through === null) return;
    this.through = null;
    this.events.through(null);
  }

  /** Leave the camera that is looked through, but stay where it stands. */
  goOn(): void {
    const { spec } = this;
    this.leave();
    this.placed = true;
    this.standAt(spec, null);
  }

  /** Fit the view to a component, or to everything, from where it is or from a direction. */
  fit(key: string | null, axis: readonly number[] | null): void {
    const sphere = this.sphereOf(key);
    const direction = axis ? new Vector3().fromArray([...axis]) : this.camera.position.clone().sub(this.target);
    if (direction.lengthSq() === 0) direction.copy(FIRST_VIEW);
    const tan = Math.tan((this.camera.fov * Math.PI) / 360) * Math.min(1, this.width / this.height);
    const distance = (sphere.radius * 1.05) / Math.sin(Math.atan(tan));
    this.placed = true;
    this.leave();
    this.place(direction.setLength(distance).add(sphere.center), sphere.center);
  }

  /** Where a scene has nothing that says where to look from, all of it is looked at. */
  fitFirst(): void {
    const now = performance.now();
    if (this.firstFit === 0) this.firstFit = now;
    if (this.placed || now - this.firstFit > FIT_WITHIN) return;
    this.fit(null, FIRST_VIEW.toArray());
    this.placed = false;
  }

  private sphereOf(key: string | null): Sphere {
    const camera = key === null ? undefined : this.cameras().get(key);
    if (camera) return new Sphere(new Vector3().fromArray(camera.matrix, 12), 1);
    const node = key === null ? undefined : this.world.nodes.get(key);
    this.world.content.updateMatrixWorld();
    const box = node ? new Box3().setFromObject(node.object) : (this.bounds ?? this.boxOfAll());
    if (box.isEmpty() || !Number.isFinite(box.getSize(new Vector3()).length())) return new Sphere(this.target.clone(), 1.5);
    const sphere = box.getBoundingSphere(new Sphere());
    sphere.radius = Math.max(sphere.radius, SMALLEST);
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

  /** `SceneCamera` says where it starts, `OrbitControls` how it moves. */
  followRow(row: Row): void {
    if (row.tag === "OrbitControls") this.followControls(row.props);
    if (row.tag === "SceneCamera" && (!this.placed || this.start === row.key)) this.startAt(row);
  }

  private followControls(props: Row["props"]): void {
    this.controls.configure({
      minDistance: number(props, "minDistance", 0), maxDistance: number(props, "maxDistance", Infinity),
      enablePan: flag(props, "enablePan", true), enableZoom: flag(props, "enableZoom", true), enableRotate: flag(props, "enableRotate", true),
    });
    this.target.fromArray(vector(props, "target", [0, 0, 0]) as number[]);
    this.place(this.camera.position.clone(), this.target);
  }

  private startAt({ key, props }: Row): void {
    const object = this.world.nodes.get(key)?.object;
    if (object === undefined) return;
    this.start = key;
    this.camera.near = number(props, "near", 0.01);
    this.camera.far = number(props, "far", 1000);
    this.world.content.updateMatrixWorld();
    const at = vector(props, "lookAt", []);
    const eye = new Vector3().setFromMatrixPosition(object.matrixWorld);
    const aimed = at.length === 3;
    const pose = aimed ? lookAt(eye, new Vector3().fromArray([...at])) : object.matrixWorld;
    this.stand(pose.toArray(), aimed ? at : this.target.toArray(), number(props, "fov", 50));
  }
}
