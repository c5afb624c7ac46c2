// Reads what stands at a pixel of the viewport: by drawing that pixel, or by asking the engine.
import type { Probe } from "../bridge";
import type { CameraSpec, Row } from "../messages";
import { resized } from "./lens";
import type { Outbox } from "./parts";
import type { Passes } from "./passes";
import { pixelOf, readTexel } from "./probe";
import type { Region } from "./view_camera";
import type { World } from "./world";

/** The viewport, as a prober needs it. */
export interface Probed {
  readonly shows: "scene" | "pictures";
  readonly spec: CameraSpec;
  readonly region: Region;
  /** Whether an engine's picture is there. */
  readonly hasPicture: boolean;
  readonly draws: boolean;
  /** Pixels of the canvas for each CSS pixel, and its height. */
  readonly dpr: number;
  readonly height: number;
  /** Runs what draws, with everything where the hand has it. */
  during(draw: () => void): void;
  /** Key of the camera whose frustum a press at a place takes. */
  cameraAt(x: number, y: number): string | null;
}

const AGAIN_EVERY = 150; // milliseconds between looks at a place whose picture changes

interface Place {
  x: number;
  y: number;
}

export class Prober {
  /** Where the pointer is, while something is to be found out. */
  private wanted: Place | null = null;
  /** Where it rests; null where it is not over the canvas. */
  private over: Place | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private asked: Place | null = null;
  private number = 0;
  private choosing = false;

  constructor(
    private readonly world: World,
    private readonly passes: Passes,
    private readonly outbox: Outbox,
    private readonly view: Probed,
    /** Called with what is found where somebody has pressed. */
    private readonly chosen: (key: string | null) => void,
    /** Called with what the pointer is over. */
    private readonly found: (key: string) => void,
  ) {}

  /** Nothing that was asked is answered any more. */
  reset(): void {
    this.wanted = this.asked = null;
  }

  /** The pointer left the canvas. */
  leave(): void {
    this.wanted = this.over = null;
    this.outbox.main({ type: "probe", probe: null });
  }

  /** The pointer is at a place. */
  hover(x: number, y: number): void {
    this.over = { x, y };
    this.probe(x, y);
  }

  /** The pointer moves while it holds something. */
  follow(x: number, y: number): void {
    if (this.over !== null) this.over = { x, y };
  }

  /** What is shown has changed: look again. */
  refresh(): void {
    if (this.over === null) return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (this.over !== null) this.probe(this.over.x, this.over.y);
    }, AGAIN_EVERY);
  }

  /** Tell what is at a place of the canvas, in CSS pixels; the newest place while one is looked at. */
  probe(x: number, y: number): void {
    const waits = this.wanted !== null;
    this.wanted = { x, y };
    if (waits) return;
    if (this.view.shows === "pictures") this.ask();
    else setTimeout(() => this.answer(), 0);
  }

  /** Choose what the engine says is at a place. */
  choose(x: number, y: number): void {
    this.choosing = true;
    this.probe(x, y);
  }

  /** What the scene has at a place of the canvas. */
  at(cssX: number, cssY: number): Probe | null {
    const { region } = this.view;
    const place = this.within(region, cssX, cssY);
    if (place === null) return null;
    const [x, y] = [Math.floor(place.x), Math.floor(place.y)];
    const spec = pixelOf(resized(this.view.spec, region.width, region.height), x, y);
    const texel = new Uint32Array(4);
    const rgba = new Uint8Array(4);
    this.view.during(() => {
      const target = this.passes.draw(spec, "both");
      this.passes.targets.read(target, 0, rgba);
      this.passes.targets.read(target, 1, texel);
    });
    this.world.renderer.setRenderTarget(null);
    const found = readTexel(texel);
    const row = found.id === 0 ? null : this.rowOf(found.id);
    return { x, y, rgb: [rgba[0] ?? 0, rgba[1] ?? 0, rgba[2] ?? 0], ...found, key: row?.key ?? "", category: row?.tag ?? "" };
  }

  /** The answer to a question of ours: their numbers are negative. */
  answered(value: unknown, error: string | null): void {
    const again = this.wanted !== null && this.wanted !== this.asked;
    if (this.wanted !== null && error === null) {
      const probe = probeOf(value);
      if (this.asked) this.tell(probe, this.asked);
      if (this.choosing && !again) this.chosen(probe.key || null);
      this.choosing &&= again;
    }
    if (again) this.ask();
    else this.wanted = null;
  }

  private answer(): void {
    const at = this.wanted;
    this.wanted = null;
    if (at === null) return;
    const probe = this.view.draws ? this.at(at.x, at.y) : null;
    const told = this.tell(probe, at);
    if (told) this.found(told.key);
  }

  /** Tell what is at a place; where a press takes a camera, it is the camera. */
  private tell(probe: Probe | null, at: Place): Probe | null {
    const camera = probe && this.view.cameraAt(at.x, at.y);
    const told = probe && camera !== null ? { ...probe, key: camera, category: "camera" } : probe;
    this.outbox.main({ type: "probe", probe: told });
    return told;
  }

  private ask(): void {
    const { region, hasPicture } = this.view;
    const place = this.wanted && hasPicture ? this.within(region, this.wanted.x, this.wanted.y) : null;
    if (place === null) {
      this.wanted = null;
      this.outbox.main({ type: "probe", probe: null });
      return;
    }
    this.asked = this.wanted;
    this.number -= 1;
    const value = { x: place.x / region.width, y: place.y / region.height };
    this.outbox.server({ type: "ask", ask: this.number, what: "probe", value });
  }

  /** A place in pixels of a region, from its top left corner; null outside. */
  private within(region: Region, cssX: number, cssY: number): Place | null {
    const { dpr, height } = this.view;
    const x = cssX * dpr - region.x;
    const y = cssY * dpr - (height - region.y - region.height);
    return x >= 0 && y >= 0 && x < region.width && y < region.height ? { x, y } : null;
  }

  private rowOf(id: number): Row | null {
    for (const { row } of this.world.nodes.values()) if (row.id === id) return row;
    return null;
  }
}

/** An engine's answer, as our own probe has it. */
function probeOf(value: unknown): Probe {
  const map = (value ?? {}) as Record<string, unknown>;
  const triple = (name: string): [number, number, number] | null => {
    const given = map[name];
    return Array.isArray(given) && given.length === 3 ? (given as [number, number, number]) : null;
  };
  return {
    x: Number(map["x"] ?? 0), y: Number(map["y"] ?? 0), rgb: triple("rgb") ?? [0, 0, 0], normal: triple("normal"),
    depth: typeof map["depth"] === "number" ? map["depth"] : null,
    id: Number(map["id"] ?? 0), key: String(map["name"] ?? ""), category: String(map["category"] ?? ""),
  };
}
