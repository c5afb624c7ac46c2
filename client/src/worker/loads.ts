// Files on their way: what a picture has to wait for, and what never came.
import type { AssetRef } from "../messages";

export interface LoadedImage {
  bitmap: ImageBitmap;
  clear: boolean;
}

const MAY_BE_CLEAR = new Set(["image/png", "image/webp", "image/gif", "image/avif"]);

/** Fetches files, and knows which of them are not there yet. */
export class Loads {
  /** Files by url: what they are waited for with, and why they failed. */
  private readonly files = new Map<string, { name: string; done: Promise<void>; settled: boolean; failure: string }>();
  private readonly parts = new Map<string, Promise<unknown>>();
  private readonly users = new Map<string, Set<string>>();

  /**
   * @param base - the url that files' paths are relative to.
   * @param failed - told once of each file that does not load, with the keys that show it.
   */
  constructor(
    private readonly base: string,
    private readonly failed: (key: string, text: string) => void,
  ) {}

  url(asset: AssetRef): string {
    return new URL(asset.url, this.base).href;
  }

  /** Say that a component shows a file; until `release` its pictures wait for it. */
  use(key: string, asset: AssetRef): void {
    const users = this.users.get(asset.url) ?? new Set();
    this.users.set(asset.url, users.add(key));
  }

  release(key: string): void {
    for (const [url, users] of this.users) {
      if (users.delete(key) && users.size === 0) {
        this.users.delete(url);
        if (this.files.get(url)?.settled) this.files.delete(url);
      }
    }
  }

  /** Follow the load of a file. */
  track<T>(asset: AssetRef, load: Promise<T>): Promise<T> {
    const file = { name: asset.name, done: Promise.resolve(), settled: false, failure: "" };
    this.files.set(asset.url, file);
    file.done = load.then(
      () => {
        file.settled = true;
      },
      (error: unknown) => {
        file.settled = true;
        file.failure = error instanceof Error ? error.message : String(error);
        const [key = ""] = this.users.get(asset.url) ?? [];
        this.failed(key, `${asset.name}: ${file.failure}`);
      },
    );
    return load;
  }

  /** A part of the page itself that is loaded when a component needs it, as a file would be. */
  part<T>(key: string, name: string, load: () => Promise<T>): Promise<T> {
    const asset = { asset: name, url: `part:${name}`, name };
    this.use(key, asset);
    const known = this.parts.get(name) as Promise<T> | undefined;
    if (known) return known;
    const loading = this.track(asset, load());
    this.parts.set(name, loading);
    return loading;
  }

  async fetch(asset: AssetRef): Promise<Response> {
    const answer = await fetch(this.url(asset));
    if (!answer.ok) throw new Error(`the server answers ${answer.status} ${answer.statusText}`);
    return answer;
  }

  /** An image, its first row the bottom one. */
  image(asset: AssetRef): Promise<LoadedImage> {
    return this.track(asset, this.decoded(asset));
  }

  private async decoded(asset: AssetRef): Promise<LoadedImage> {
    return decodeImage(await (await this.fetch(asset)).blob());
  }

  /** What these components wait for. */
  pending(shown: ReadonlySet<string>): { missing: string[]; failed: boolean; done: Promise<unknown> } | null {
    const waiting = [];
    const missing = [];
    let failed = false;
    for (const [url, users] of this.users) {
      const file = this.files.get(url);
      const key = [...users].find((user) => shown.has(user));
      if (file === undefined || key === undefined || (file.settled && !file.failure)) continue;
      failed ||= file.failure !== "";
      missing.push(`${key}: ${file.name}${file.failure ? ` (${file.failure})` : ""}`);
      waiting.push(file.done);
    }
    return missing.length ? { missing, failed, done: Promise.all(waiting) } : null;
  }
}

/** An image file's pixels, its first row the bottom one. */
export async function decodeImage(blob: Blob): Promise<LoadedImage> {
  const options = { imageOrientation: "flipY", premultiplyAlpha: "none", colorSpaceConversion: "none" } as const;
  const bitmap = await createImageBitmap(blob, options);
  return { bitmap, clear: MAY_BE_CLEAR.has(blob.type) && hasHoles(bitmap) };
}

function hasHoles(bitmap: ImageBitmap): boolean {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  if (context === null) return false;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return true;
  return false;
}
