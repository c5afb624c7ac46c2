// What is drawn of a component: objects with a look, an id and a colour of their own.
import type { InstancedMesh, Material, Mesh, Object3D, Points, SkinnedMesh } from "three";
import { levelFor, type Form, type GeometryCache } from "./geometries";
import type { World } from "./world";
import { COLOUR_LOCATION, GLOSS_LOCATION, ID_LOCATION, type Variant } from "./surface_shader";

/** Materials that draw the same surface into different targets. */
export interface Look {
  variant(variant: Variant): Material;
}

export type DrawnObject = Mesh | SkinnedMesh | InstancedMesh | Points;

/** One object that is drawn. */
export class Surface {
  /** Linear red, green, blue and opacity, which multiply those of its look. */
  readonly tint = new Float32Array([1, 1, 1, 1]);
  /** Roughness and metalness, which multiply those of its look. */
  readonly gloss = new Float32Array([1, 1]);
  /** The form of a round shape, whose level follows its size in the picture. */
  form: Form | null = null;

  constructor(
    readonly object: DrawnObject,
    public look: Look | null,
    /** Whose id it shows, and what is shown for it. */
    readonly owner: { id: number },
    world: World,
  ) {
    const { gl } = world;
    object.castShadow = object.receiveShadow = true;
    object.onBeforeRender = () => {
      world.willDraw(object.geometry);
      gl.vertexAttrib4fv(COLOUR_LOCATION, this.tint);
      gl.vertexAttrib2fv(GLOSS_LOCATION, this.gloss);
      gl.vertexAttribI4ui(ID_LOCATION, this.owner.id, 0, 0, 0);
    };
  }

  dress(variant: Variant): void {
    if (this.look) this.object.material = this.look.variant(variant);
  }
}

/** All that is drawn. */
export class Surfaces {
  private readonly all = new Set<Surface>();
  private readonly round = new Set<Surface>();
  private variant: Variant = "plain";

  constructor(private readonly geometries: GeometryCache) {}

  add(surface: Surface): void {
    this.all.add(surface);
    if (surface.form?.round) this.round.add(surface);
    surface.dress(this.variant);
  }

  remove(surface: Surface): void {
    this.all.delete(surface);
    this.round.delete(surface);
  }

  /** Its look is another now. */
  redress(surface: Surface): void {
    surface.dress(this.variant);
  }

  dress(variant: Variant): void {
    if (variant === this.variant) return;
    this.variant = variant;
    for (const surface of this.all) surface.dress(variant);
  }

  /** Whether there is anything whose geometry follows its size in the picture. */
  get hasLevels(): boolean {
    return this.round.size > 0;
  }

  /** Choose the geometry of round shapes by their size in a picture. */
  chooseLevels(pixelsAt: (object: Object3D, radius: number) => number): void {
    for (const { object, form } of this.round) {
      if (form) object.geometry = this.geometries.get(form, levelFor(pixelsAt(object, form.radius)));
    }
  }

  [Symbol.iterator](): IterableIterator<Surface> {
    return this.all.values();
  }
}
