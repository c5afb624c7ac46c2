// Pictures that an engine sent for the viewport: the newest, never one of an older camera.
import { DataTexture, LinearFilter, NoColorSpace, RGBAFormat, Texture } from "three";
import type { CameraSpec, Show } from "../messages";

export interface ShownPicture {
  texture: Texture;
  camera: CameraSpec;
  /** Whether its first row is the bottom one. */
  bottomUp: boolean;
}

export class ShownPictures {
  picture: ShownPicture | null = null;
  private update = -1;
  private number = 0;
  private latest = 0;

  constructor(private readonly arrived: (facts: Show["facts"]) => void) {}

  /** A new connection counts anew. */
  reset(): void {
    this.update = -1;
    this.latest = ++this.number;
  }

  async take(message: Show, frame: ArrayBuffer): Promise<void> {
    const number = ++this.number;
    const made = await this.decode(message, new Uint8Array(frame, message.offset, message.nbytes));
    if (number < this.latest || message.update < this.update) {
      made.texture.dispose();
      return;
    }
    this.latest = number;
    this.update = message.update;
    this.picture?.texture.dispose();
    this.picture = made;
    this.arrived(message.facts);
  }

  private async decode(message: Show, bytes: Uint8Array<ArrayBuffer>): Promise<ShownPicture> {
    const { camera } = message;
    if (message.encoding === "raw") {
      const texture = new DataTexture(bytes.slice(), camera.width, camera.height, RGBAFormat);
      return { texture: prepared(texture), camera, bottomUp: true };
    }
    const options = { premultiplyAlpha: "none", colorSpaceConversion: "none" } as const;
    const bitmap = await createImageBitmap(new Blob([bytes], { type: `image/${message.encoding}` }), options);
    const texture = new Texture(bitmap);
    texture.flipY = false;
    texture.addEventListener("dispose", () => bitmap.close());
    return { texture: prepared(texture), camera, bottomUp: false };
  }
}

function prepared(texture: Texture): Texture {
  texture.colorSpace = NoColorSpace;
  texture.minFilter = texture.magFilter = LinearFilter;
  texture.generateMipmaps = false;
  texture.needsUpdate = true;
  return texture;
}
