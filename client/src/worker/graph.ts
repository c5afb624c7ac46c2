// Rows to objects: what is new is made, what changed is changed, what went is dropped.
import { Object3D } from "three";
import type { Apply, Row, ToPage } from "../messages";
import { Element, type Kit } from "./elements/element";
import { LIGHTS, LightElement } from "./elements/lights";
import { MeshElement } from "./elements/mesh";
import { PointCloudElement } from "./elements/point_cloud";
import { SceneElement } from "./elements/scene";
import { ShapeElement } from "./elements/shapes";
import { SplatElement } from "./elements/splat";
import { FORMS } from "./geometries";
import { ignored } from "./known";
import { PLACEMENT } from "./placement";
import { differing } from "./values";
import type { SceneNode } from "./world";

type Maker = new (kit: Kit, row: Row) => Element;

/** What is never seen by sensors, but stands somewhere; the viewport draws it. */
const PLACES = ["Group", "Movable", "Urdf", "CameraView", "SceneCamera", "OrbitControls"];
const GIZMOS = ["Grid", "CoordsMarker", "Frustum", "Arrow", "Text", "ImageBackground"];

const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ...Object.keys(FORMS).map((tag): [string, Maker] => [tag, ShapeElement]),
  ...LIGHTS.map((tag): [string, Maker] => [tag, LightElement]),
  ...[...PLACES, ...GIZMOS].map((tag): [string, Maker] => [tag, Element]),
  ["Mesh", MeshElement],
  ["PointCloud", PointCloudElement],
  ["Scene", SceneElement],
  ["Splat", SplatElement],
]);

interface Node extends SceneNode {
  element: Element;
}

export class Graph {
  private readonly nodes = new Map<string, Node>();
  scene: SceneElement | null = null;

  constructor(private readonly kit: Kit) {}

  /** Bring the scene to a message's version. */
  apply(message: Apply, frame: ArrayBuffer): void {
    const { blobs, world } = this.kit;
    const changed = new Set<string>();
    if (message.reset) this.clear(changed);
    blobs.take(frame, message.blobs);
    for (const key of message.removed) this.remove(key, changed);
    let looks = message.removed.length > 0 || message.reset;
    for (const row of message.rows) looks = this.put(row) || looks;
    for (const { key } of message.rows) changed.add(key);
    world.version = message.version;
    if (looks) this.settle();
    this.kit.rig.stale = true;
    world.changed(changed);
  }

  /** What was on its way is there. */
  refresh(): void {
    this.settle();
    this.kit.rig.stale = true;
    this.kit.world.changed(new Set());
  }

  /** What is drawn, or its looks, changed: drop what nobody uses, light what there is. */
  private settle(): void {
    this.kit.materials.sweep();
    this.scene?.light();
  }

  forget(message: Extract<ToPage, { type: "forget" }>): void {
    this.kit.blobs.forget(message.blobs);
  }

  /** Put a row; whether more than a placement changed. */
  private put(row: Row): boolean {
    for (const text of ignored(row)) this.kit.problem(row.key, text);
    const before = this.nodes.get(row.key);
    if (before === undefined || before.row.tag !== row.tag || before.row.parent !== row.parent) {
      this.make(row, before);
      return true;
    }
    const changed = differing(before.row.props, row.props);
    before.row = row;
    try {
      before.element.update(row, changed);
    } catch (error) {
      this.complain(row.key, error);
    }
    return [...changed].some((name) => !PLACEMENT.has(name));
  }

  private make(row: Row, before: Node | undefined): void {
    const element = this.elementOf(row);
    const children = before ? this.childrenOf(row.key) : [];
    before?.element.object.removeFromParent();
    before?.element.dispose();
    const node: Node = { row, object: element.object, element };
    this.nodes.set(row.key, node);
    this.kit.world.nodes.set(row.key, node);
    if (element instanceof SceneElement) this.scene = element;
    const parent = row.parent === null ? undefined : this.nodes.get(row.parent);
    (parent?.object ?? this.kit.world.root).add(element.object);
    for (const child of children) element.object.add(child);
  }

  private elementOf(row: Row): Element {
    const maker = MAKERS.get(row.tag);
    if (maker === undefined) this.complain(row.key, `the page draws no ${row.tag}`);
    try {
      return new (maker ?? Element)(this.kit, row);
    } catch (error) {
      this.complain(row.key, error);
      return new Element(this.kit, row);
    }
  }

  private childrenOf(key: string): Object3D[] {
    return [...this.nodes.values()].filter((node) => node.row.parent === key).map((node) => node.object);
  }

  private remove(key: string, changed: Set<string>): void {
    const node = this.nodes.get(key);
    if (node === undefined) return;
    node.object.removeFromParent();
    node.element.dispose();
    if (node.element === this.scene) this.scene = null;
    this.nodes.delete(key);
    this.kit.world.nodes.delete(key);
    changed.add(key);
  }

  private clear(changed: Set<string>): void {
    for (const key of [...this.nodes.keys()]) this.remove(key, changed);
  }

  private complain(key: string, error: unknown): void {
    this.kit.problem(key, error instanceof Error ? error.message : String(error));
  }
}
