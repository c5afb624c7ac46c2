// What every component becomes, and what it may use.
import { Object3D } from "three";
import type { Row } from "../../messages";
import type { GeometryCache } from "../geometries";
import type { LightRig } from "../light_rig";
import type { Loads } from "../loads";
import type { MaterialCache } from "../materials";
import type { Models } from "../models";
import { PLACEMENT, placeObject } from "../placement";
import type { Splats } from "../splats";
import type { Surfaces } from "../surface";
import type { Blobs } from "../values";
import type { World } from "../world";

/** What elements share. */
export interface Kit {
  world: World;
  blobs: Blobs;
  loads: Loads;
  geometries: GeometryCache;
  materials: MaterialCache;
  models: Models;
  surfaces: Surfaces;
  splats: Splats;
  rig: LightRig;
  /** Tell what cannot be shown; it is told once. */
  problem(key: string, text: string): void;
  /** Something that was on its way is there. */
  refresh(): void;
}

/** A component as it is shown; this one is never seen itself, only what stands on it. */
export class Element {
  readonly object = new Object3D();

  constructor(
    protected readonly kit: Kit,
    protected row: Row,
  ) {
    this.object.name = row.key;
    this.place();
  }

  get id(): number {
    return this.row.id;
  }

  /** Show another row of the same key, tag and parent, whose properties differ in these. */
  update(row: Row, changed: ReadonlySet<string>): void {
    this.row = row;
    const names = [...changed];
    if (names.some((name) => PLACEMENT.has(name))) this.place();
    if (names.some((name) => !PLACEMENT.has(name))) this.rebuild(changed);
  }

  dispose(): void {}

  protected place(): void {
    placeObject(this.object, this.row.props);
  }

  /** Properties other than its placement have changed. */
  protected rebuild(_changed: ReadonlySet<string>): void {}
}
