// Textures of materials: files and pixels, and how they lie on a surface.
import {
  ClampToEdgeWrapping,
  DataTexture,
  LinearFilter,
  LinearMipmapLinearFilter,
  MirroredRepeatWrapping,
  NearestFilter,
  NoColorSpace,
  RepeatWrapping,
  RGBAFormat,
  SRGBColorSpace,
  Texture,
  type Wrapping,
} from "three";
import type { Loads } from "./loads";
import { flag, isAssetRef, isBlobRef, mapping, number, vector, type Blobs, type Props } from "./values";

const WRAPS: Record<string, Wrapping> = { repeat: RepeatWrapping, mirror: MirroredRepeatWrapping, clamp: ClampToEdgeWrapping };

/** A texture that may still be on its way. */
export interface LoadedTexture {
  texture: Texture;
  /** Whether parts of it are clear; known once it is there. */
  clear: boolean;
  ready: Promise<void>;
}

/** Textures in use, each made once. */
export class TextureCache {
  private readonly made = new Map<string, LoadedTexture>();

  constructor(
    private readonly blobs: Blobs,
    private readonly loads: Loads,
  ) {}

  /** The texture of a checked map: a file, pixels, or a mapping with one of them as `image`. */
  get(given: unknown, colours: boolean): LoadedTexture {
    const key = `${colours} ${JSON.stringify(given)}`;
    const made = this.made.get(key) ?? this.make(given, colours);
    this.made.set(key, made);
    return made;
  }

  /** Drop what no look uses any more. */
  keep(used: ReadonlySet<LoadedTexture>): void {
    for (const [key, made] of this.made) {
      if (used.has(made)) continue;
      made.texture.dispose();
      this.made.delete(key);
    }
  }

  private make(given: unknown, colours: boolean): LoadedTexture {
    const said = mapping({ given }, "given");
    const image = "image" in said ? said["image"] : given;
    const pixels = isBlobRef(image) || Array.isArray(image);
    const made = pixels ? this.ofPixels(image) : this.ofFile(image);
    lay(made.texture, "image" in said ? said : {});
    made.texture.colorSpace = colours ? SRGBColorSpace : NoColorSpace;
    if (pixels) made.texture.needsUpdate = true;
    return made;
  }

  private ofPixels(image: unknown): LoadedTexture {
    const array = this.blobs.array(image);
    const [height = 0, width = 0, channels = 0] = array?.shape ?? [];
    const rgba = new Uint8Array(4 * width * height);
    const data = array?.data ?? [];
    let clear = false;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = channels * ((height - 1 - y) * width + x);
        const to = 4 * (y * width + x);
        for (let c = 0; c < 3; c++) rgba[to + c] = data[from + (channels > 2 ? c : 0)] ?? 0;
        rgba[to + 3] = channels === 4 ? (data[from + 3] ?? 0) : 255;
        clear ||= rgba[to + 3] !== 255;
      }
    }
    return { texture: new DataTexture(rgba, width, height, RGBAFormat), clear, ready: Promise.resolve() };
  }

  private ofFile(image: unknown): LoadedTexture {
    const texture = new Texture();
    const made = { texture, clear: false, ready: Promise.resolve() };
    if (!isAssetRef(image)) return made;
    made.ready = this.loads.image(image).then(({ bitmap, clear }) => {
      texture.image = bitmap;
      texture.flipY = false;
      texture.needsUpdate = true;
      made.clear = clear;
    });
    return made;
  }
}

function lay(texture: Texture, said: Props): void {
  const [u = "repeat", v = "repeat"] = vector(said, "wrap", []) as readonly unknown[] as string[];
  texture.wrapS = WRAPS[u] ?? RepeatWrapping;
  texture.wrapT = WRAPS[v] ?? RepeatWrapping;
  texture.repeat.fromArray(vector(said, "repeat", [1, 1]) as number[]);
  texture.offset.fromArray(vector(said, "offset", [0, 0]) as number[]);
  texture.center.fromArray(vector(said, "center", [0, 0]) as number[]);
  texture.rotation = number(said, "rotation", 0);
  texture.magFilter = flag(said, "nearest", false) ? NearestFilter : LinearFilter;
  texture.minFilter = LinearMipmapLinearFilter;
  texture.generateMipmaps = true;
}
