// Materials, as src/heliograph/scene/material.py means them, made once for all objects that look
// alike but for their colour and opacity.
import {
  BackSide,
  DoubleSide,
  FrontSide,
  GLSL3,
  MeshBasicMaterial,
  MeshDepthMaterial,
  MeshLambertMaterial,
  MeshNormalMaterial,
  MeshPhongMaterial,
  MeshPhysicalMaterial,
  MeshStandardMaterial,
  Vector2,
  type Material,
  type Side,
  type Texture,
} from "three";
import type { Look, Surface } from "./surface";
import { patchMeshShader, type Variant } from "./surface_shader";
import type { LoadedTexture, TextureCache } from "./textures";
import { colour, isAssetRef, mapping, number, text, vector, type Props } from "./values";
import type { AssetRef } from "../messages";

/** A texture's texel with less alpha is a hole, as src/heliograph/engines/shared/holes.py has it. */
const HOLE = 1 / 512;
const SIDES: Record<string, Side> = { front: FrontSide, back: BackSide, double: DoubleSide };
const COLOUR_MAPS = ["map", "emissiveMap"];
export const MAPS = ["map", "alphaMap", "normalMap", "roughnessMap", "metalnessMap", "aoMap", "emissiveMap"] as const;

export type MeshMaterial =
  | MeshStandardMaterial
  | MeshPhongMaterial
  | MeshLambertMaterial
  | MeshBasicMaterial
  | MeshNormalMaterial
  | MeshDepthMaterial;

/** What a mesh's geometry says of its looks. */
export interface Dress {
  vertexColours: boolean;
  /** Whether those have opacity. */
  clear: boolean;
  flat: boolean;
}

export const PLAIN_DRESS: Dress = { vertexColours: false, clear: false, flat: false };

/** What a model's file says of a material, as properties of components. */
export interface FileLook {
  id: string;
  kind: string;
  props: Props;
  maps: Record<string, Texture>;
  /** Whether its map has clear parts that show. */
  clear: boolean;
  dress: Dress;
  /** What it has beyond our properties: coats, sheen and the like. */
  physical: MeshPhysicalMaterial | null;
}

/** Draws into the geometry target alone; a MeshBasicMaterial for what it knows of holes. */
class BareMaterial extends MeshBasicMaterial {
  readonly glslVersion = GLSL3;
}

/** One of three's materials and what goes with it, for colour, for geometry, or for both. */
export class MaterialLook implements Look {
  private full: Material | null = null;
  private bare: Material | null = null;
  users = 0;

  constructor(
    private readonly plain: MeshMaterial,
    readonly textures: readonly LoadedTexture[] = [],
  ) {
    patch(plain, "plain");
  }

  get isStandard(): boolean {
    return this.plain instanceof MeshStandardMaterial;
  }

  variant(variant: Variant): Material {
    if (variant === "plain") return this.plain;
    if (variant === "full") return (this.full ??= patch(this.plain.clone(), "full"));
    return (this.bare ??= patch(this.makeBare(), "bare"));
  }

  /** Its images have clear parts: those are holes, and the rest is blended. */
  cut(): void {
    for (const material of [this.plain, this.full]) {
      if (material === null) continue;
      clearParts(material);
      material.needsUpdate = true;
    }
    this.bare?.dispose();
    this.bare = null;
  }

  dispose(): void {
    for (const material of [this.plain, this.full, this.bare]) material?.dispose();
  }

  private makeBare(): BareMaterial {
    const { plain } = this;
    const bare = new BareMaterial({
      side: plain.side,
      transparent: plain.transparent,
      forceSinglePass: true,
      depthTest: plain.depthTest,
      depthWrite: plain.depthWrite,
    });
    if ("flatShading" in plain && plain.flatShading) Object.assign(bare, { flatShading: true });
    if (plain.alphaTest === 0 || plain instanceof MeshNormalMaterial) return bare;
    const cut = { alphaTest: plain.alphaTest, opacity: plain.opacity, map: plain.map, alphaMap: plain.alphaMap };
    return Object.assign(bare, cut, { vertexColors: plain.vertexColors });
  }
}

function patch<M extends Material>(material: M, variant: Variant): M {
  material.onBeforeCompile = (shader) => patchMeshShader(shader, variant);
  material.customProgramCacheKey = () => variant;
  return material;
}

/** What is a surface's own of a material: colour, opacity, roughness, metalness. */
export function paint(surface: Surface, material: Props): void {
  const { r, g, b } = colour(material, "color", [1, 1, 1]);
  surface.tint.set([r, g, b, opacityOf(material)]);
  surface.gloss.set([number(material, "roughness", 1), number(material, "metalness", 0)]);
}

function opacityOf(material: Props): number {
  const alpha = vector(material, "color", [])[3] ?? 1;
  const counts = material["transparent"] !== false || number(material, "alphaTest", 0) > 0;
  return counts ? alpha * number(material, "opacity", 1) : alpha;
}

/** Whether it is blended, as far as that depends on no image. */
function isBlended(material: Props): boolean {
  if (number(material, "alphaTest", 0) > 0) return material["transparent"] === true;
  return opacityOf(material) < 1;
}

/** Files that a material shows. */
export function imageAssets(material: Props): AssetRef[] {
  return MAPS.map((name) => material[name])
    .map((given) => (isAssetRef(given) ? given : mapping({ given }, "given")["image"]))
    .filter(isAssetRef);
}

/** Looks in use, each made once. */
export class MaterialCache {
  private readonly made = new Map<string, MaterialLook>();

  constructor(private readonly textures: TextureCache) {}

  /** The look of a material's properties, but for what `paint` gives a surface; `release` it. */
  use(kind: string, material: Props, dress: Dress, file: FileLook | null = null): MaterialLook {
    const { color, opacity, roughness, metalness, ...rest } = material;
    const key = JSON.stringify([kind, isBlended(material), dress, file?.id, Object.entries(rest).sort()]);
    let look = this.made.get(key);
    if (look === undefined) {
      look = this.make(kind, material, dress, file);
      this.made.set(key, look);
    }
    look.users += 1;
    return look;
  }

  release(look: MaterialLook): void {
    look.users -= 1;
  }

  /** Drop looks and textures that nobody uses. */
  sweep(): void {
    const used = new Set<LoadedTexture>();
    for (const [key, look] of this.made) {
      if (look.users > 0) look.textures.forEach((texture) => used.add(texture));
      else {
        look.dispose();
        this.made.delete(key);
      }
    }
    this.textures.keep(used);
  }

  private make(kind: string, props: Props, dress: Dress, file: FileLook | null): MaterialLook {
    const coated = kind === "standard" ? (file?.physical ?? null) : null;
    const material = coated ? physical(coated, props) : (MAKERS[kind]?.(props) ?? new MeshStandardMaterial());
    material.side = SIDES[text(props, "side", "front")] ?? FrontSide;
    material.transparent = isBlended(props);
    material.alphaTest = number(props, "alphaTest", 0);
    material.vertexColors = dress.vertexColours;
    if (dress.flat && "flatShading" in material) material.flatShading = true;
    const loaded = this.dressMaps(material, props, file?.maps ?? {});
    if (dress.clear) clearParts(material);
    const look = new MaterialLook(material, loaded);
    if (file?.clear && !props["map"] && file.maps["map"]) look.cut();
    for (const each of loaded.filter(({ texture }) => isCutting(material, texture))) {
      each.ready.then(
        () => each.clear && look.cut(),
        () => undefined,
      );
      if (each.clear) look.cut();
    }
    return look;
  }

  private dressMaps(material: MeshMaterial, props: Props, own: Record<string, Texture>): LoadedTexture[] {
    const loaded = [];
    for (const name of MAPS) {
      if (!(name in material)) continue;
      if (props[name] === undefined || props[name] === null) {
        Object.assign(material, { [name]: own[name] ?? null });
        continue;
      }
      const made = this.textures.get(props[name], COLOUR_MAPS.includes(name));
      Object.assign(material, { [name]: made.texture });
      loaded.push(made);
    }
    if ("aoMapIntensity" in material) material.aoMapIntensity = number(props, "aoMapIntensity", 1);
    if ("normalScale" in material) material.normalScale = new Vector2().fromArray(vector(props, "normalScale", [1, 1]) as number[]);
    if ("alphaMap" in material && material.alphaMap) clearParts(material);
    return loaded;
  }
}

/** Parts of it may be clear: those are holes, and the rest is blended. */
function clearParts(material: Material): void {
  if (material.alphaTest > 0) return;
  material.transparent = true;
  material.alphaTest = HOLE;
}

function physical(own: MeshPhysicalMaterial, props: Props): MeshPhysicalMaterial {
  const made = own.clone();
  made.color.setScalar(1);
  made.opacity = made.roughness = made.metalness = 1;
  made.transmission = 0;
  return glow(made, props);
}

function isCutting(material: MeshMaterial, texture: Texture): boolean {
  return "map" in material && material.map === texture;
}

function glow<M extends MeshStandardMaterial | MeshPhongMaterial | MeshLambertMaterial>(material: M, props: Props): M {
  material.emissive.copy(colour(props, "emissive", [0, 0, 0]));
  material.emissiveIntensity = number(props, "emissiveIntensity", 1);
  return material;
}

function standard(props: Props): MeshStandardMaterial {
  return glow(new MeshStandardMaterial({ roughness: 1, metalness: 1 }), props);
}

function phong(props: Props): MeshPhongMaterial {
  const grey = 0x11 / 255;
  const specular = colour(props, "specular", [grey, grey, grey]);
  return glow(new MeshPhongMaterial({ shininess: number(props, "shininess", 30), specular }), props);
}

const MAKERS: Record<string, (props: Props) => MeshMaterial> = {
  standard,
  phong,
  lambert: (props) => glow(new MeshLambertMaterial(), props),
  basic: () => new MeshBasicMaterial(),
  normal: () => new MeshNormalMaterial(),
  depth: () => new MeshDepthMaterial(),
};
