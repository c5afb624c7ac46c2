// The pointer: orbits, drags, presses. What is grabbed moves; a press without a move selects.
import { Matrix4, Vector3 } from "three";
import type { ForwardedEvent, HandleMode } from "../bridge";
import { Handle, PlaneDrag, type Drags } from "./drags";
import type { Gizmos } from "./gizmos";
import { pickFrustum, type Hit } from "./pick";
import type { Outbox } from "./parts";
import { pointAt } from "./probe";
import type { Prober } from "./prober";
import type { ValueCamera } from "./value_camera";
import type { ViewCamera } from "./view_camera";

const CLICK = 4; // CSS pixels that a press may move

interface Press {
  x: number;
  y: number;
  /** The frustum that was pressed. */
  hit: Hit | null;
  grip: { drag: PlaneDrag; depth: number } | null;
  moved: boolean;
  /** Whether the controls were told of it. */
  told: boolean;
}

/** What the hand is in: whose pictures, and how many pixels of the canvas a CSS pixel has. */
export interface Reach {
  readonly shows: "scene" | "pictures";
  readonly dpr: number;
  /** Whether what is shown was recorded: nobody moves in it. */
  readonly recorded: boolean;
}

export class Hand {
  selected: string | null = null;
  private readonly handle = new Handle();
  private mode: HandleMode = "translate";
  private press: Press | null = null;

  constructor(
    private readonly view: ViewCamera,
    private readonly gizmos: Gizmos,
    private readonly drags: Drags,
    private readonly prober: Prober,
    private readonly outbox: Outbox,
    private readonly lens: ValueCamera,
    private readonly reach: Reach,
    private readonly changed: () => void,
  ) {}

  set handles(mode: HandleMode) {
    this.mode = mode;
  }

  /** What stands in the world for what the handles hold. */
  get stand(): Handle["object"] {
    return this.handle.object;
  }

  get holds(): boolean {
    return this.handle.held !== null;
  }

  select(key: string | null): void {
    this.selected = key;
    this.outbox.main({ type: "selected", key });
    this.changed();
  }

  /** Put the handles where what they hold is. */
  placeHandle(): void {
    const { controls, through } = this.view;
    if (controls.dragging) return;
    const node = through === null ? this.drags.movableOf(this.selected) : null;
    this.handle.hold(node, node && this.poseOf(node.row.key));
    controls.attach(node ? this.handle.object : null);
    // A camera has no size to be scaled.
    controls.mode = this.mode === "scale" && node?.row.tag === "CameraView" ? "translate" : this.mode;
  }

  /** The handles were dragged. */
  dragged(final: boolean): void {
    const node = this.handle.held;
    if (node) this.drags.move(node, this.handle.world, final);
  }

  input(event: ForwardedEvent): void {
    if (this.reach.recorded) {
      if (event.type === "pointerup") this.prober.choose(event.clientX, event.clientY);
    } else if (event.type === "pointerdown") this.down(event);
    else if (event.type === "pointermove") this.move(event);
    else if (event.type === "pointerup" || event.type === "pointercancel") this.up(event);
    else if (this.view.through === null) {
      this.view.placed = true;
      this.view.controls.dispatch(event);
    }
  }

  /** Show what a press would do. */
  hover(x: number, y: number): void {
    const hit = this.frustumAt(x, y);
    const grabs = hit ? this.drags.movableOf(hit.key) !== null : this.view.controls.busy;
    this.outbox.main({ type: "cursor", cursor: grabs ? "grab" : hit ? "pointer" : "" });
  }

  private down(event: ForwardedEvent): void {
    const { controls, through } = this.view;
    if (this.press !== null) {
      controls.dispatch(event);
      return;
    }
    // Fingers do not hover: the handles learn here what is under one.
    controls.dispatch({ ...event, type: "pointermove", pointerType: "mouse", button: -1 });
    const onHandle = controls.busy && through === null;
    const hit = onHandle ? null : this.frustumAt(event.clientX, event.clientY);
    const grip = event.button === 0 && !onHandle && through === null ? this.gripAt(event, hit) : null;
    const told = grip === null && through === null;
    this.press = { x: event.clientX, y: event.clientY, hit, grip, moved: onHandle, told };
    if (told) controls.dispatch(event);
  }

  private move(event: ForwardedEvent): void {
    const { press } = this;
    if (press === null) {
      if (this.view.through === null) this.view.controls.dispatch(event);
      return;
    }
    const far = Math.hypot(event.clientX - press.x, event.clientY - press.y) > CLICK;
    if (far && !press.moved) this.firstMove(press, event);
    press.moved ||= far;
    if (press.grip && press.moved) this.dragTo(press.grip, event, false);
    else if (press.told) this.view.controls.dispatch(event);
  }

  private firstMove(press: Press, event: ForwardedEvent): void {
    if (press.grip) {
      this.select(press.grip.drag.node.row.key);
    } else if (this.view.through !== null) {
      this.view.goOn();
      this.view.controls.dispatch({ ...event, type: "pointerdown", button: 0, buttons: 1 });
      press.told = true;
    }
  }

  private up(event: ForwardedEvent): void {
    const { press } = this;
    this.press = null;
    if (press === null || press.told) this.view.controls.dispatch(event);
    if (press === null || event.type === "pointercancel") return;
    if (press.grip && press.moved) this.dragTo(press.grip, event, true);
    else if (!press.moved && event.button === 0) this.click(event, press.hit);
  }

  private dragTo({ drag, depth }: { drag: PlaneDrag; depth: number }, event: ForwardedEvent, final: boolean): void {
    this.drags.move(drag.node, drag.to(this.pointOf(event, depth)), final);
  }

  private click(event: ForwardedEvent, hit: Hit | null): void {
    if (hit) {
      this.select(hit.key);
      this.view.lookThrough(hit.key);
    } else if (this.reach.shows === "pictures") {
      this.prober.choose(event.clientX, event.clientY);
    } else {
      const found = this.objectAt(event);
      this.select(found?.key ?? null);
      const value = found && { pixel: [event.clientX, event.clientY], depth: found.depth, point: this.pointOf(event, found.depth).toArray() };
      this.outbox.server({ type: "event", etype: "CLICK", key: found?.key ?? "", value });
    }
  }

  /** What is grabbed at a pixel, and how far away that is. */
  private gripAt(event: ForwardedEvent, hit: Hit | null): Press["grip"] {
    const found = hit ?? (this.drags.anyMovable && this.reach.shows === "scene" ? this.objectAt(event) : null);
    const node = found && this.drags.movableOf(found.key);
    if (!found || !node) return null;
    return { drag: new PlaneDrag(node, this.poseOf(node.row.key), this.pointOf(event, found.depth)), depth: found.depth };
  }

  private objectAt(event: ForwardedEvent): Hit | null {
    const probe = this.prober.at(event.clientX, event.clientY);
    return probe?.key && probe.depth !== null ? { key: probe.key, depth: probe.depth } : null;
  }

  /** The frustum that a press takes. */
  frustumAt(x: number, y: number): Hit | null {
    if (this.view.through !== null || this.reach.recorded) return null;
    const at = { x: x * this.reach.dpr, y: y * this.reach.dpr };
    return pickFrustum(this.gizmos.frustums(), this.lens.set(this.view.spec), at, this.view);
  }

  private pointOf(event: ForwardedEvent, depth: number): Vector3 {
    const { dpr } = this.reach;
    return new Vector3().fromArray(pointAt(this.view.spec, event.clientX * dpr, event.clientY * dpr, depth));
  }

  private poseOf(key: string): Matrix4 | null {
    const spec = this.gizmos.cameras().get(key);
    return spec ? new Matrix4().fromArray(spec.matrix) : null;
  }
}
