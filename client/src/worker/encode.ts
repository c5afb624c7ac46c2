// Pictures as files.
import type { Picture } from "../messages";

/** A file of raw colour whose bottom row comes first; what is clear in it is shown as it is. */
export async function encodePicture(
  rgba: Uint8Array,
  { width, height }: Pick<Picture, "width" | "height">,
  type: "image/png" | "image/jpeg" | "image/webp",
  quality: number,
): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser has no 2D context in workers");
  const image = new ImageData(width, height);
  const from = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height);
  const to = new Uint32Array(image.data.buffer);
  for (let y = 0; y < height; y++) {
    const source = (height - 1 - y) * width;
    for (let x = 0; x < width; x++) to[y * width + x] = (from[source + x] ?? 0) | 0xff000000;
  }
  context.putImageData(image, 0, 0);
  const blob = await canvas.convertToBlob({ type, quality });
  return new Uint8Array(await blob.arrayBuffer());
}
