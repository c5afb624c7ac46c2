// The scene itself: what is behind everything, light from all around, and how light becomes colours.
import type { Texture } from "three";
import type { Row } from "../../messages";
import { MaterialLook } from "../materials";
import type { Surface } from "../surface";
import type { Variant } from "../surface_shader";
import { asSurroundings, fromArray, gradient, Sky, STUDIO, UPRIGHT } from "../surroundings";
import { isAssetRef, mapping, number, text, vector } from "../values";
import { Element, type Kit } from "./element";

export type ToneMappingName = "none" | "neutral" | "aces";

/** How the scene's own properties say that light becomes colours. */
export interface Picture {
  toneMapping: ToneMappingName;
  exposure: number;
  /** sRGB, 0 to 1. */
  background: readonly [number, number, number];
  /** Whether the scene says so. */
  hasBackground: boolean;
}

export class SceneElement extends Element {
  private surroundings: Texture | null = null;
  private studio: Texture | null = null;
  private readonly sky = new Sky();
  readonly picture: Picture = { toneMapping: "none", exposure: 1, background: [0, 0, 0], hasBackground: false };

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    kit.world.content.add(this.sky.mesh);
    kit.world.content.environmentRotation.copy(UPRIGHT);
    this.light();
    this.rebuild(new Set(["environment"]));
  }

  /** Have what is behind everything drawn into another target. */
  dressSky(variant: Variant): void {
    this.sky.dress(variant);
  }

  override dispose(): void {
    this.sky.mesh.removeFromParent();
    this.surroundings?.dispose();
    this.studio?.dispose();
    this.kit.loads.release(this.row.key);
    this.kit.world.content.environment = null;
    this.kit.rig.surrounded = false;
  }

  protected override rebuild(changed: ReadonlySet<string>): void {
    const { props } = this.row;
    if (changed.has("environment")) this.surround();
    this.picture.toneMapping = text<ToneMappingName>(props, "toneMapping", "none");
    this.picture.exposure = number(props, "exposure", 1);
    const [red = 0, green = 0, blue = 0] = vector(props, "background", [0, 0, 0]);
    this.picture.background = [red, green, blue];
    this.picture.hasBackground = "background" in props;
    this.light();
  }

  /** Choose what lights all things, once it is known what there is. */
  light(): void {
    const { rig, surfaces, world } = this.kit;
    const metal = rig.litFromCamera && [...surfaces].some(isMetallic);
    rig.setDefault(metal);
    if (metal) this.studio ??= gradient(STUDIO);
    const intensity = number(this.row.props, "environmentIntensity", 1);
    world.content.environment = metal ? this.studio : this.surroundings;
    world.content.environmentIntensity = metal ? 1 : intensity;
    const shown = this.row.props["background"] === "environment" && this.surroundings !== null;
    this.sky.show(shown ? this.surroundings : null, intensity);
  }

  private surround(): void {
    const { loads, blobs, rig } = this.kit;
    const given = this.row.props["environment"];
    this.surroundings?.dispose();
    this.surroundings = null;
    loads.release(this.row.key);
    rig.surrounded = given !== undefined && given !== null;
    const array = blobs.array(given);
    if (array !== null) this.surroundings = fromArray(array);
    else if (isAssetRef(given)) {
      loads.use(this.row.key, given);
      const load = import("three/addons/loaders/HDRLoader.js").then(({ HDRLoader }) => new HDRLoader().loadAsync(loads.url(given)));
      loads.track(given, load).then(
        (texture) => {
          this.surroundings = asSurroundings(texture);
          this.light();
        },
        () => undefined,
      );
    } else if (rig.surrounded) {
      const colours = mapping(this.row.props, "environment");
      const sky = vector(colours, "sky", [1, 1, 1]);
      const horizon = vector(colours, "horizon", sky);
      this.surroundings = gradient({ sky, horizon, ground: vector(colours, "ground", horizon) });
    }
  }
}

function isMetallic({ look, gloss }: Surface): boolean {
  return (gloss[1] ?? 0) > 0 && look instanceof MaterialLook && look.isStandard;
}

