// Records where the viewport's camera is, as `heliograph render --trajectory` reads it.
import type { CameraSpec } from "../messages";
import { download } from "./dom";
import type { WorkerLink } from "./link";
import type { Notices } from "./notices";
import type { Store } from "./state";

const FORMAT = "heliograph-trajectory-1";
const EVERY = 1 / 30; // seconds
const MOST = 100_000; // cameras; about an hour

/** fx, fy, cx, cy in pixels. */
function intrinsics({ projection: p, width, height, orthographic }: CameraSpec): number[] {
  const x = orthographic ? (p[12] ?? 0) : -(p[8] ?? 0);
  const y = orthographic ? (p[13] ?? 0) : -(p[9] ?? 0);
  return [((p[0] ?? 1) * width) / 2, ((p[5] ?? 1) * height) / 2, ((x + 1) * width) / 2, ((1 - y) * height) / 2];
}

function rows(matrix: readonly number[]): number[][] {
  return [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => matrix[4 * column + row] ?? 0));
}

interface Taken {
  time: number;
  camera: CameraSpec;
  index: number;
}

/** The trajectory as its JSON file has it. */
function trajectory(taken: readonly Taken[], passes: readonly string[], source: string): Record<string, unknown> {
  const cameras = taken.map((each) => each.camera);
  return {
    format: FORMAT,
    passes,
    source,
    times: taken.map((each) => each.time),
    world_from_camera: cameras.map((each) => rows(each.matrix)),
    intrinsics: cameras.map(intrinsics),
    sizes: cameras.map((each) => [each.width, each.height]),
    planes: cameras.map((each) => [each.near, each.far]),
    orthographic: cameras.map((each) => each.orthographic),
    seeds: taken.map(() => -1),
    indices: taken.map((each) => each.index),
    state: {},
  };
}

/** The server records where it offers to, with what its engine shows; else the page does. */
export class Recorder {
  private taken: Taken[] = [];
  private began = 0;
  private recording = false;
  private byServer = false;

  constructor(
    private readonly link: WorkerLink,
    private readonly store: Store,
    private readonly notices: Notices,
    private readonly changed: (recording: boolean, count: number) => void,
  ) {
    store.watch(["camera", "index"], () => this.take());
  }

  /** What the server says of its own recording; null where it offers none. */
  follow(facts: Readonly<Record<string, unknown>> | null): void {
    this.byServer = facts !== null;
    if (facts !== null) this.changed(facts["on"] === true, Number(facts["poses"] ?? 0));
    this.recording = facts === null ? this.recording : facts["on"] === true;
  }

  toggle(): void {
    this.recording = !this.recording;
    if (this.byServer) return this.link.event("CONTROL", "record", this.recording);
    if (this.recording) {
      this.taken = [];
      this.began = performance.now();
      this.take();
    } else {
      this.finish();
    }
    this.changed(this.recording, this.taken.length);
  }

  private take(): void {
    const { camera, index } = this.store.now;
    if (!this.recording || this.byServer || camera === null) return;
    const time = (performance.now() - this.began) / 1000;
    const [before, last] = [this.taken.at(-2), this.taken.at(-1)];
    if (before !== undefined && time - before.time < EVERY) this.taken.pop(); // the last one is too near to it
    this.taken.push({ time: last === undefined ? 0 : Math.max(time, last.time), camera, index: index ?? 0 });
    this.changed(true, this.taken.length);
    if (this.taken.length >= MOST) this.toggle();
  }

  private finish(): void {
    const source = String(this.store.now.facts["source"] ?? "");
    const made = JSON.stringify(trajectory(this.taken, [this.store.now.pass], source));
    download(new Blob([made], { type: "application/json" }), "trajectory.json");
    this.notices.show(`${this.taken.length} cameras in trajectory.json; replay: heliograph render --trajectory trajectory.json`);
  }
}
