// OrbitControls and TransformControls in a worker: a stand-in element that hands on the events
// which the main thread forwards.
import type { Camera, Object3D, PerspectiveCamera } from "three";
import { Vector3 } from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { TransformControls } from "three/examples/jsm/controls/TransformControls.js";
import type { ForwardedEvent, HandleMode } from "../bridge";

type Listener = (event: object) => void;

/** As much of an element, and of its document, as the controls ask for. */
class StandIn {
  readonly style = { touchAction: "", cursor: "" };
  readonly pointerLockElement = null;
  clientWidth = 1;
  clientHeight = 1;
  private readonly listeners = new Map<string, Set<Listener>>();

  get ownerDocument(): this {
    return this;
  }

  getRootNode(): this {
    return this;
  }

  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, (this.listeners.get(type) ?? new Set()).add(listener));
  }

  removeEventListener(type: string, listener: Listener): void {
    this.listeners.get(type)?.delete(listener);
  }

  getBoundingClientRect(): { left: number; top: number; width: number; height: number } {
    return { left: 0, top: 0, width: this.clientWidth, height: this.clientHeight };
  }

  setPointerCapture(): void {}

  releasePointerCapture(): void {}

  dispatch(event: ForwardedEvent): void {
    const whole = { ...event, pageX: event.clientX, pageY: event.clientY, preventDefault: () => {}, stopPropagation: () => {}, target: this };
    for (const listener of [...(this.listeners.get(event.type) ?? [])]) listener(whole);
  }
}

export interface OrbitOptions {
  minDistance: number;
  maxDistance: number;
  enablePan: boolean;
  enableZoom: boolean;
  enableRotate: boolean;
}

export interface ControlEvents {
  /** The camera moved; `moving` while a hand is on it. */
  moved(moving: boolean): void;
  /** A hand is about to move the camera. */
  grabbed(): void;
  dragged(final: boolean): void;
  /** The handles look otherwise. */
  changed(): void;
}

export class Controls {
  private readonly element = new StandIn();
  private readonly transform: TransformControls;
  private orbit: OrbitControls;
  private moving = false;
  private options: Partial<OrbitOptions> = {};

  constructor(
    private readonly camera: PerspectiveCamera,
    private readonly events: ControlEvents,
  ) {
    // TransformControls asks the document whether a pointer is locked.
    Object.assign(self, { document: { pointerLockElement: null } });
    const element = this.element as unknown as HTMLElement;
    this.transform = new TransformControls(camera, element);
    this.transform.setSize(0.8);
    this.transform.addEventListener("change", () => events.changed());
    this.transform.addEventListener("objectChange", () => events.dragged(false));
    this.transform.addEventListener("dragging-changed", ({ value }) => {
      this.orbit.enabled = value !== true;
      if (value !== true) events.dragged(true);
    });
    this.orbit = this.makeOrbit();
  }

  /** What draws the handles. */
  get helper(): Object3D {
    return this.transform.getHelper();
  }

  get target(): Vector3 {
    return this.orbit.target;
  }

  /** Whether the pointer is on a handle, or drags one. */
  get busy(): boolean {
    return this.transform.dragging || this.transform.axis !== null;
  }

  get dragging(): boolean {
    return this.transform.dragging;
  }

  /** Whether a hand moves the camera. */
  get orbiting(): boolean {
    return this.moving;
  }

  set enabled(enabled: boolean) {
    this.orbit.enabled = enabled;
  }

  resize(width: number, height: number): void {
    this.element.clientWidth = width;
    this.element.clientHeight = height;
  }

  /** The world's up changed: the controls read it once. */
  setUp(up: Vector3): void {
    if (this.camera.up.equals(up)) return;
    const target = this.orbit.target.clone();
    this.camera.up.copy(up);
    this.orbit.dispose();
    this.orbit = this.makeOrbit();
    this.orbit.target.copy(target);
    this.orbit.update();
  }

  configure(options: Partial<OrbitOptions>): void {
    this.options = options;
    Object.assign(this.orbit, options);
  }

  /** Stand here and turn about `target`. */
  place(position: Vector3, target: Vector3): void {
    this.orbit.target.copy(target);
    this.camera.position.copy(position);
    this.orbit.update();
  }

  attach(object: Object3D | null): void {
    if (object === null && this.transform.object) this.transform.detach();
    else if (object !== null && this.transform.object !== object) this.transform.attach(object);
  }

  set mode(mode: HandleMode) {
    this.transform.setMode(mode);
  }

  /** Handles are drawn for the camera that looks. */
  set looking(camera: Camera) {
    this.transform.camera = camera;
  }

  dispatch(event: ForwardedEvent): void {
    this.element.dispatch(event);
  }

  private makeOrbit(): OrbitControls {
    const orbit = new OrbitControls(this.camera, this.element as unknown as HTMLElement);
    orbit.listenToKeyEvents(this.element as unknown as HTMLElement);
    orbit.zoomToCursor = true;
    orbit.keyPanSpeed = 24;
    Object.assign(orbit, this.options);
    orbit.addEventListener("start", () => { this.events.grabbed(); this.moving = true; });
    orbit.addEventListener("change", () => this.events.moved(this.moving));
    orbit.addEventListener("end", () => { this.moving = false; this.events.moved(false); });
    return orbit;
  }
}
