// Components under the hand: where the viewport shows them until the server has moved them, and what
// it is told.
import { Matrix4, Object3D, Vector3 } from "three";
import type { Outbox } from "./parts";
import { flag } from "./values";
import type { SceneNode, World } from "./world";

const KEPT = 1500; // milliseconds after the end of a drag that its place is shown without an answer

interface Preview {
  matrix: Matrix4;
  /** When a row of the server ends it; null while the hand is on it. */
  until: number | null;
}

/** Components with another placement, or hidden, while the viewport draws; sensors never see that. */
export class Drags {
  readonly hidden = new Set<string>();
  private readonly previews = new Map<string, Preview>();

  constructor(
    private readonly world: World,
    private readonly outbox: Outbox,
    private readonly changed: () => void,
  ) {}

  /** What moves with a component: itself, or the nearest movable above it. */
  movableOf(key: string | null): SceneNode | null {
    for (let at = key; at !== null; ) {
      const node = this.world.nodes.get(at);
      if (node === undefined) return null;
      const { tag, props, parent } = node.row;
      if (tag === "Movable" || (tag === "CameraView" && flag(props, "movable", false))) return node;
      at = parent;
    }
    return null;
  }

  get anyMovable(): boolean {
    for (const { row } of this.world.nodes.values()) if (row.tag === "Movable") return true;
    return false;
  }

  /** Put a component at a place in the world, and tell the server. */
  move(node: SceneNode, world: Matrix4, final: boolean): void {
    const parent = node.object.parent?.matrixWorld ?? new Matrix4();
    const matrix = new Matrix4().copy(parent).invert().multiply(world);
    this.previews.set(node.row.key, { matrix, until: final ? performance.now() + KEPT : null });
    this.outbox.server({ type: "moved", key: node.row.key, matrix: matrix.toArray(), final });
    if (final) setTimeout(() => this.expire(), KEPT + 10);
    this.changed();
  }

  /** Rows of the server arrived: what they say of a component that nobody holds is what is shown. */
  update(keys: Iterable<string>): void {
    for (const key of keys) {
      const preview = this.previews.get(key);
      if (preview && preview.until !== null) this.previews.delete(key);
    }
  }

  private expire(): void {
    const now = performance.now();
    for (const [key, { until }] of this.previews) if (until !== null && until <= now) this.previews.delete(key);
    this.changed();
  }

  /** Run `draw` with everything where the hand has it, and put all back. */
  during(draw: () => void): void {
    const undo: (() => void)[] = [];
    for (const [key, { matrix }] of this.previews) {
      const object = this.world.nodes.get(key)?.object;
      if (object === undefined) continue;
      const before = object.matrix.clone();
      undo.push(() => replace(object, before));
      replace(object, matrix);
    }
    for (const key of this.hidden) {
      const object = this.world.nodes.get(key)?.object;
      if (object === undefined || !object.visible) continue;
      object.visible = false;
      undo.push(() => { object.visible = true; });
    }
    try {
      draw();
    } finally {
      for (const each of undo) each();
    }
  }
}

function replace(object: Object3D, matrix: Matrix4): void {
  object.matrix.copy(matrix);
  object.matrixWorldNeedsUpdate = true;
}

/** What the handles hold: a stand-in in the world for a component that stands on others. */
export class Handle {
  readonly object = new Object3D();
  private node: SceneNode | null = null;
  private readonly offset = new Matrix4();

  /** Hold a component by its pose; `pose` is the camera's, where it is one. */
  hold(node: SceneNode | null, pose: Matrix4 | null): void {
    this.node = node;
    if (node === null) return;
    const whole = pose ?? node.object.matrixWorld;
    whole.decompose(this.object.position, this.object.quaternion, this.object.scale);
    this.object.updateMatrix();
    this.offset.copy(this.object.matrix).invert().multiply(whole);
  }

  get held(): SceneNode | null {
    return this.node;
  }

  /** Where the component is to be in the world. */
  get world(): Matrix4 {
    this.object.updateMatrix();
    return new Matrix4().multiplyMatrices(this.object.matrix, this.offset);
  }
}

/** A drag in the picture's plane: the point that was grabbed stays under the pointer. */
export class PlaneDrag {
  private readonly start: Matrix4;

  constructor(
    readonly node: SceneNode,
    pose: Matrix4 | null,
    private readonly grabbed: Vector3,
  ) {
    this.start = (pose ?? node.object.matrixWorld).clone();
  }

  /** Where the component is to be in the world, with the grabbed point here. */
  to(point: Vector3): Matrix4 {
    const by = new Vector3().subVectors(point, this.grabbed);
    return new Matrix4().makeTranslation(by.x, by.y, by.z).multiply(this.start);
  }
}
