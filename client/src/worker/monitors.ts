// Pictures of cameras: on their frustums' planes, in the corner, as thumbnails; one at a time, when
// the scene has changed.
import { FramebufferTexture, type Texture } from "three";
import type { CameraSpec } from "../messages";
import { resized } from "./lens";
import type { Outbox } from "./parts";
import type { Passes } from "./passes";
import type { World } from "./world";

const EVERY = 100; // milliseconds between two pictures, whatever their cameras
const BUSY_EVERY = 300; // while sensors draw
const PLANE = { width: 240, height: 180, interval: 150 };

interface Size {
  width: number;
  height: number;
  interval: number;
}

interface Monitor {
  /** Where the page's lists show it. */
  told: Size | null;
  /** Whether its frustum's plane shows it. */
  plane: FramebufferTexture | null;
  onPlane: boolean;
  stale: boolean;
  drawn: number;
}

/** The largest size of the camera's shape within another. */
function within(spec: CameraSpec, { width, height }: Size): CameraSpec {
  const scale = Math.min(width / spec.width, height / spec.height);
  return resized(spec, spec.width * scale, spec.height * scale);
}

export class Monitors {
  private readonly all = new Map<string, Monitor>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  visible = true;

  constructor(
    private readonly world: World,
    private readonly passes: Passes,
    private readonly outbox: Outbox,
    private readonly cameras: () => Map<string, CameraSpec>,
    private readonly planeChanged: (key: string, picture: Texture | null) => void,
    /** Runs what draws, with everything where the hand has it. */
    private readonly during: (draw: () => void) => void,
  ) {}

  tell(key: string, on: boolean, size: Size): void {
    const monitor = this.get(key);
    monitor.told = on ? size : null;
    monitor.stale ||= on;
    this.schedule();
  }

  /** The cameras whose frustums show pictures. */
  planes(keys: ReadonlySet<string>): void {
    for (const key of keys) {
      const monitor = this.get(key);
      if (!monitor.onPlane) monitor.stale = true;
      monitor.onPlane = true;
    }
    for (const [key, monitor] of this.all) {
      if (!monitor.onPlane || keys.has(key)) continue;
      monitor.onPlane = false;
      monitor.plane?.dispose();
      monitor.plane = null;
      this.planeChanged(key, null);
    }
    this.schedule();
  }

  /** The scene looks otherwise. */
  changed(): void {
    for (const monitor of this.all.values()) monitor.stale = true;
    this.schedule();
  }

  schedule(): void {
    if (this.timer !== null || !this.visible) return;
    const now = performance.now();
    const waits = [...this.all.values()].filter((each) => this.isWanted(each)).map((each) => this.due(each) - now);
    if (waits.length === 0) return;
    const least = now - this.world.lastRender < BUSY_EVERY ? BUSY_EVERY : EVERY;
    this.timer = setTimeout(() => { this.timer = null; this.drawOldest(); }, Math.max(least, Math.min(...waits)));
  }

  private get(key: string): Monitor {
    const known = this.all.get(key);
    if (known) return known;
    const made = { told: null, plane: null, onPlane: false, stale: true, drawn: -Infinity };
    this.all.set(key, made);
    return made;
  }

  private isWanted(monitor: Monitor): boolean {
    return monitor.stale && (monitor.told !== null || monitor.onPlane);
  }

  private due({ told, onPlane, drawn }: Monitor): number {
    return drawn + Math.min(told?.interval ?? Infinity, onPlane ? PLANE.interval : Infinity);
  }

  private drawOldest(): void {
    const now = performance.now();
    const ready = [...this.all].filter(([, each]) => this.isWanted(each) && this.due(each) <= now + 1);
    ready.sort(([, a], [, b]) => a.drawn - b.drawn);
    const [first] = ready;
    if (first !== undefined) this.during(() => this.draw(...first));
    this.schedule();
  }

  private draw(key: string, monitor: Monitor): void {
    monitor.stale = false;
    monitor.drawn = performance.now();
    this.world.content.updateMatrixWorld();
    const spec = this.cameras().get(key);
    if (spec === undefined) return;
    const { told, onPlane } = monitor;
    const size = told && (!onPlane || told.width >= PLANE.width) ? told : PLANE;
    const camera = within(spec, size);
    const target = this.passes.draw(camera, "rgb");
    if (onPlane) this.copy(key, monitor, camera);
    if (told) this.send(key, this.passes.targets.read.bind(this.passes.targets, target, 0), camera);
    this.world.renderer.setRenderTarget(null);
  }

  private copy(key: string, monitor: Monitor, { width, height }: CameraSpec): void {
    const same = monitor.plane?.image.width === width && monitor.plane.image.height === height;
    if (!same) {
      monitor.plane?.dispose();
      monitor.plane = new FramebufferTexture(width, height);
    }
    if (monitor.plane === null) return;
    this.world.renderer.copyFramebufferToTexture(monitor.plane);
    this.planeChanged(key, monitor.plane);
  }

  private send(key: string, read: (into: Uint8Array) => void, { width, height }: CameraSpec): void {
    const bottomUp = new Uint8Array(4 * width * height);
    read(bottomUp);
    const image = new ImageData(width, height);
    for (let row = 0; row < height; row++) {
      const from = 4 * width * (height - 1 - row);
      image.data.set(bottomUp.subarray(from, from + 4 * width), 4 * width * row);
    }
    for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
    void createImageBitmap(image).then((bitmap) => this.outbox.main({ type: "monitor", key, bitmap }, [bitmap]));
  }
}
