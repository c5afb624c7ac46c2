// Answers requests for pictures, in the order of messages: what comes after a request that waits
// for files waits as well, so a picture shows the scene as it was when it was asked for.
import type { WebGLRenderTarget } from "three";
import type { CameraSpec, Picture, Render } from "../messages";
import { FrameWriter, roomOf } from "../wire";
import { encodePicture } from "./encode";
import { packColours, splitShapes, type Shape } from "./planes";
import { isShown } from "./light_rig";
import type { Loads } from "./loads";
import type { Outbox } from "./parts";
import type { Passes } from "./passes";
import { LostContextError, type Kind } from "./targets";
import type { World } from "./world";

const COLOUR_PASSES: ReadonlySet<string> = new Set(["rgb", "alpha"]);
const SHAPES = { depth: "depth", normals: "normals", segmentation: "ids" } as const;
const MOST_PIXELS = 1 << 26;
/** Cameras that are drawn before the first one is read, and their pixels at most. */
const AHEAD = { cameras: 4, pixels: 1 << 19 };

/** Where the pictures of a request go, if not with the answer. */
export interface FileSlots {
  write(slot: number, bytes: Uint8Array<ArrayBuffer>): void;
}

interface Wanted {
  encoded: boolean;
  colour: "rgb" | "rgba" | null;
  shapes: readonly Shape[];
}

/** A camera's picture that was drawn, and is still to be read. */
interface Unread {
  target: WebGLRenderTarget;
  kind: Kind;
}

export class Sensors {
  private readonly frame = new FrameWriter();
  private texels = new Uint32Array(0);
  files: FileSlots | null = null;
  /** The camera of the viewport, as it is now. */
  viewport: (() => CameraSpec | null) | null = null;

  constructor(
    private readonly world: World,
    private readonly passes: Passes,
    private readonly loads: Loads,
    private readonly outbox: Outbox,
  ) {}

  /** Answer a request; null, or what has to be over before the next message is looked at. */
  render(message: Render): Promise<void> | null {
    const since = performance.now();
    this.world.lastRender = since;
    const shown = this.shownKeys();
    if (this.loads.pending(shown) === null) return this.answer(message, since);
    return this.loaded(message, shown).then((missing) => {
      if (missing === null) return this.answer(message, since) ?? undefined;
      this.refuse(message.request, "the scene shows what is not loaded", missing);
      return undefined;
    });
  }

  /** Wait for what is pending; what is missing in the end, or null. */
  private async loaded(message: Render, shown: ReadonlySet<string>): Promise<string[] | null> {
    const patience = new Promise<void>((resolve) => setTimeout(resolve, 1000 * (message.patience ?? 10)));
    let over = false;
    void patience.then(() => {
      over = true;
    });
    for (;;) {
      const pending = this.loads.pending(shown);
      if (pending === null) return null;
      if (over || pending.failed) return pending.missing;
      await Promise.race([pending.done, patience]);
    }
  }

  /** Keys of what nothing hides. */
  private shownKeys(): Set<string> {
    const keys = new Set<string>();
    for (const [key, { object }] of this.world.nodes) if (isShown(object)) keys.add(key);
    return keys;
  }

  private answer(message: Render, since: number): Promise<void> | null {
    try {
      const cameras = this.camerasOf(message);
      const wanted = wantedOf(message);
      if (wanted.encoded || this.passes.isSlow) {
        return this.answerLater(message, cameras, wanted, since).catch((error: unknown) => this.fail(message, error));
      }
      if (cameras.length > 1 && !message.viewport && typeof message.file_slot !== "number") {
        this.drawAhead(cameras, wanted, message.samples ?? 1, (unread, at) => {
          const pictures = this.layOut(cameras.slice(at, at + 1), wanted);
          this.read(unread, pictures[0] ?? []);
          this.send(message, pictures.flat(), since, at + 1 < cameras.length);
        });
      } else {
        const pictures = this.layOut(cameras, wanted);
        this.drawAhead(cameras, wanted, message.samples ?? 1, (unread, at) => this.read(unread, pictures[at] ?? []));
        this.send(message, pictures.flat(), since);
      }
    } catch (error) {
      this.fail(message, error);
    }
    return null;
  }

  /** Draw some cameras before the first of them is read, so that nobody waits for anybody. */
  private drawAhead(cameras: readonly CameraSpec[], wanted: Wanted, samples: number, read: (unread: Unread[], at: number) => void): void {
    const small = cameras.every(({ width, height }) => width * height <= AHEAD.pixels);
    const ahead = small ? AHEAD.cameras : 1;
    for (let first = 0; first < cameras.length; first += ahead) {
      const drawn = cameras.slice(first, first + ahead).map((camera, place) => this.draw(camera, wanted, samples, place));
      drawn.forEach((unread, place) => read(unread, first + place));
    }
  }

  private async answerLater(message: Render, cameras: readonly CameraSpec[], wanted: Wanted, since: number): Promise<void> {
    const pictures = this.layOut(cameras, wanted);
    for (const [at, camera] of cameras.entries()) {
      if (this.passes.isSlow) await this.passes.prepare(camera);
      this.read(this.draw(camera, wanted, message.samples ?? 1, 0), pictures[at] ?? []);
    }
    this.send(message, wanted.encoded ? await this.encode(message, pictures.flat()) : pictures.flat(), since);
  }

  private camerasOf(message: Render): CameraSpec[] {
    const [first, ...others] = message.cameras;
    const viewport = message.viewport ? this.viewport?.() : null;
    if (first === undefined) throw new Error("expected a camera, got none");
    const { width, height, name } = first;
    const cameras = viewport ? [{ ...viewport, width, height, name }, ...others] : message.cameras;
    const { gl, renderer } = this.world;
    if (gl.isContextLost()) throw new LostContextError();
    const most = renderer.capabilities.maxTextureSize;
    const pixels = cameras.reduce((sum, camera) => sum + camera.width * camera.height, 0);
    for (const camera of cameras) {
      if (camera.width > most || camera.height > most) {
        throw new Error(`expected pictures of at most ${most} pixels a side, got ${camera.width} x ${camera.height}`);
      }
    }
    if (pixels > MOST_PIXELS) throw new Error(`expected at most ${MOST_PIXELS} pixels in one request, got ${pixels}`);
    return cameras;
  }

  /** Make room for the pictures of each camera; what is encoded later stands in it as raw colour. */
  private layOut(cameras: readonly CameraSpec[], { colour, shapes }: Wanted): Picture[][] {
    this.frame.clear();
    const contents = [...(colour ? [colour] : []), ...shapes];
    return cameras.map(({ name, width, height }) =>
      contents.map((content) => {
        const nbytes = width * height * (content === "rgb" ? 3 : 4);
        return { camera: name, content, width, height, offset: this.frame.reserve(nbytes), nbytes };
      }),
    );
  }

  /** Draw what is wanted of one camera, in one draw if that can be. */
  private draw(camera: CameraSpec, { colour, shapes }: Wanted, samples: number, place: number): Unread[] {
    const words = shapes.every((shape) => shape === "depth") ? 1 : 4;
    const apart = samples > 1 || this.passes.isSlow;
    const kinds: Kind[] = colour && shapes.length ? (apart ? ["rgb", "geometry"] : ["both"]) : [colour ? "rgb" : "geometry"];
    return kinds.map((kind) => {
      return { kind, target: this.passes.draw(camera, kind, { samples: kind === "rgb" ? samples : 1, words, place }) };
    });
  }

  /** Read a camera's pictures into their room. */
  private read(unread: readonly Unread[], pictures: readonly Picture[]): void {
    const colour = pictures.find(({ content }) => content.startsWith("rgb"));
    const shapes = pictures.filter((picture) => picture !== colour);
    for (const { kind, target } of unread) {
      if (colour && kind !== "geometry") this.readColour(target, colour);
      if (shapes.length && kind !== "rgb") this.readShapes(target, kind === "both" ? 1 : 0, shapes);
    }
  }

  private readColour(target: WebGLRenderTarget, { content, width, height, offset, nbytes }: Picture): void {
    const { targets } = this.passes;
    if (content === "rgba") {
      targets.read(target, 0, this.frame.bytes(offset, nbytes));
      return;
    }
    const texels = this.scratch(width * height);
    targets.read(target, 0, new Uint8Array(texels.buffer, 0, 4 * width * height));
    packColours(texels, this.frame.words(offset, roomOf(nbytes)));
  }

  private readShapes(target: WebGLRenderTarget, image: number, shapes: readonly Picture[]): void {
    const { targets } = this.passes;
    const planes = shapes.map(({ offset, nbytes }) => this.frame.words(offset, nbytes));
    const [first] = planes;
    if (first && shapes.every(({ content }) => content === "depth")) {
      targets.read(target, image, first);
      return;
    }
    const texels = this.scratch(4 * target.width * target.height).subarray(0, 4 * target.width * target.height);
    targets.read(target, image, texels);
    splitShapes(texels, new Map(shapes.map(({ content }, at) => [content as Shape, planes[at] ?? texels])));
  }

  /** Words to read into, at least so many; the same every time. */
  private scratch(words: number): Uint32Array<ArrayBuffer> {
    if (this.texels.length < words) this.texels = new Uint32Array(words + 3);
    return this.texels;
  }

  /** The pictures with rgb as files. */
  private async encode(message: Render, drawn: readonly Picture[]): Promise<Picture[]> {
    const type = `image/${message.encoding ?? "png"}` as "image/png" | "image/jpeg" | "image/webp";
    const quality = message.quality ?? 0.9;
    const kept = drawn.filter(({ content }) => content !== "rgba" || message.passes.includes("alpha"));
    const raw = kept.map((picture) => this.frame.bytes(picture.offset, picture.nbytes).slice());
    const colours = drawn.filter(({ content }) => content === "rgba");
    const files = await Promise.all(
      colours.map((picture) => encodePicture(this.frame.bytes(picture.offset, picture.nbytes), picture, type, quality)),
    );
    this.frame.clear();
    const put = (picture: Picture, bytes: Uint8Array, content: Picture["content"]): Picture => {
      const offset = this.frame.reserve(bytes.byteLength);
      this.frame.bytes(offset, bytes.byteLength).set(bytes);
      return { ...picture, content, offset, nbytes: bytes.byteLength };
    };
    const encoded = colours.map((picture, at) => put(picture, files[at] ?? new Uint8Array(), type));
    return [...encoded, ...kept.map((picture, at) => put(picture, raw[at] ?? new Uint8Array(), picture.content))];
  }

  private send(message: Render, pictures: Picture[], since: number, more = false): void {
    const camera = message.viewport ? (this.viewport?.() ?? null) : null;
    const { request, file_slot: slot } = message;
    const rendered = { type: "rendered", request, version: this.world.version, pictures, camera, more } as const;
    const milliseconds = () => performance.now() - since;
    if (slot !== null && slot !== undefined) {
      if (this.files === null) throw new Error("expected the WebSocket, as this page has no shared file");
      this.files.write(slot, this.frame.body);
      this.frame.clear();
    }
    this.outbox.frame(this.frame.finish({ ...rendered, milliseconds: milliseconds() }));
  }

  private fail(message: Render, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.refuse(message.request, reason, [], error instanceof LostContextError);
  }

  private refuse(request: number, reason: string, missing: string[], fatal = false): void {
    this.outbox.server({ type: "refused", request, reason, missing, fatal });
  }
}

function wantedOf(message: Render): Wanted {
  const unknown = message.passes.filter((name) => !COLOUR_PASSES.has(name) && !(name in SHAPES));
  if (unknown.length) {
    const known = [...COLOUR_PASSES, ...Object.keys(SHAPES)].join(", ");
    throw new Error(`expected passes of ${known}, got ${unknown.join(", ")}`);
  }
  const encoded = (message.encoding ?? "raw") !== "raw" && message.passes.includes("rgb");
  const whole = encoded || message.passes.includes("alpha");
  return {
    encoded,
    colour: whole ? "rgba" : message.passes.includes("rgb") ? "rgb" : null,
    shapes: message.passes.flatMap((name) => (name in SHAPES ? [SHAPES[name as keyof typeof SHAPES]] : [])),
  };
}
