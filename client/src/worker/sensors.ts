// Answers requests for pictures, in the order of messages: what comes after a request that waits
// for files waits as well, so a picture shows the scene as it was when it was asked for.
import type { CameraSpec, Picture, Render } from "../messages";
import { FrameWriter } from "../wire";
import { encodePicture } from "./encode";
import { isShown } from "./light_rig";
import type { Loads } from "./loads";
import type { Outbox } from "./parts";
import type { Passes } from "./passes";
import { LostContextError, type Kind } from "./targets";
import type { World } from "./world";

const COLOUR_PASSES: ReadonlySet<string> = new Set(["rgb", "alpha"]);
const GEOMETRY_PASSES: ReadonlySet<string> = new Set(["depth", "normals", "segmentation"]);
const MOST_PIXELS = 1 << 26;

/** Where the pictures of a request go, if not with the answer. */
export interface FileSlots {
  write(slot: number, bytes: Uint8Array<ArrayBuffer>): void;
}

interface Wanted {
  /** Raw colour, for rgb or alpha. */
  raw: boolean;
  encoded: boolean;
  geometry: "geometry" | "depth" | null;
}

/** Where the pictures of a request stand; colours and geometries by camera. */
interface Sheet {
  pictures: Picture[];
  colours: Picture[];
  geometries: Picture[];
}

export class Sensors {
  private readonly frame = new FrameWriter();
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
      const sheet = this.layOut(cameras, wanted);
      cameras.forEach((camera, at) => this.draw(camera, sheet, at, message.samples ?? 1));
      this.send(message, sheet.pictures, since);
    } catch (error) {
      this.fail(message, error);
    }
    return null;
  }

  private async answerLater(message: Render, cameras: readonly CameraSpec[], wanted: Wanted, since: number): Promise<void> {
    const sheet = this.layOut(cameras, wanted);
    for (const [at, camera] of cameras.entries()) {
      if (this.passes.isSlow) await this.passes.prepare(camera);
      this.draw(camera, sheet, at, message.samples ?? 1);
    }
    this.send(message, wanted.encoded ? await this.encode(message, sheet.pictures) : sheet.pictures, since);
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

  /** Make room for all pictures; what is encoded later stands in it as raw colour. */
  private layOut(cameras: readonly CameraSpec[], wanted: Wanted): Sheet {
    this.frame.clear();
    const pictures = cameras.flatMap((camera) => this.layout(camera, wanted));
    const colours = pictures.filter(({ content }) => content === "rgba");
    return { pictures, colours, geometries: pictures.filter(({ content }) => content === wanted.geometry) };
  }

  /** Draw the pictures of one camera into their room. */
  private draw(camera: CameraSpec, sheet: Sheet, at: number, samples: number): void {
    const { targets } = this.passes;
    const [colour, geometry] = [sheet.colours[at], sheet.geometries[at]];
    const apart = samples > 1 || this.passes.isSlow;
    const kinds: Kind[] = colour && geometry && apart ? ["rgb", "geometry"] : [kindOf(colour, geometry)];
    for (const kind of kinds) {
      const target = this.passes.draw(camera, kind, kind === "rgb" ? samples : 1, geometry?.content === "depth" ? 1 : 4);
      if (colour && kind !== "geometry") targets.read(target, 0, this.frame.bytes(colour.offset, colour.nbytes));
      if (geometry && kind !== "rgb") {
        targets.read(target, kind === "both" ? 1 : 0, this.frame.words(geometry.offset, geometry.nbytes));
      }
    }
  }

  private layout(camera: CameraSpec, wanted: Wanted): Picture[] {
    const { name, width, height } = camera;
    const contents: Picture["content"][] = [];
    if (wanted.raw || wanted.encoded) contents.push("rgba");
    if (wanted.geometry) contents.push(wanted.geometry);
    return contents.map((content) => {
      const nbytes = width * height * (content === "geometry" ? 16 : 4);
      return { camera: name, content, width, height, offset: this.frame.reserve(nbytes), nbytes };
    });
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

  private send(message: Render, pictures: Picture[], since: number): void {
    const camera = message.viewport ? (this.viewport?.() ?? null) : null;
    const { request, file_slot: slot } = message;
    const rendered = { type: "rendered", request, version: this.world.version, pictures, camera } as const;
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

function kindOf(colour: Picture | undefined, geometry: Picture | undefined): Kind {
  if (colour && geometry) return "both";
  return geometry ? "geometry" : "rgb";
}

function wantedOf(message: Render): Wanted {
  const unknown = message.passes.filter((name) => !COLOUR_PASSES.has(name) && !GEOMETRY_PASSES.has(name));
  if (unknown.length) {
    const known = [...COLOUR_PASSES, ...GEOMETRY_PASSES].join(", ");
    throw new Error(`expected passes of ${known}, got ${unknown.join(", ")}`);
  }
  const encoded = (message.encoding ?? "raw") !== "raw" && message.passes.includes("rgb");
  const geometries = message.passes.filter((name) => GEOMETRY_PASSES.has(name));
  const depthAlone = geometries.every((name) => name === "depth");
  return {
    raw: message.passes.includes("alpha") || (message.passes.includes("rgb") && !encoded),
    encoded,
    geometry: geometries.length === 0 ? null : depthAlone ? "depth" : "geometry",
  };
}
