// What the page's lists show: components and cameras; told when they change, a few times a second.
import type { CameraRow, ObjectRow } from "../bridge";
import type { CameraSpec, Row } from "../messages";
import type { Outbox } from "./parts";
import { flag } from "./values";
import type { World } from "./world";

const EVERY = 250; // milliseconds
const CAMERAS_EVERY = 1000;

function shape({ tag, parent, id, props }: Row): string {
  const monitored = tag === "CameraView" ? `${flag(props, "movable", false)} ${flag(props, "monitor", false)}` : "";
  return `${tag} ${parent} ${id} ${flag(props, "visible", true)} ${monitored}`;
}

export class Outline {
  private readonly shapes = new Map<string, string>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private changed = false;

  constructor(
    private readonly world: World,
    private readonly outbox: Outbox,
    private readonly cameras: () => Map<string, CameraSpec>,
  ) {}

  /** Note which rows changed; poses of cameras alone are told less often. */
  update(keys: Iterable<string>): void {
    let moved = false;
    for (const key of keys) {
      const row = this.world.nodes.get(key)?.row;
      const now = row && shape(row);
      moved = true;
      if (now === this.shapes.get(key)) continue;
      this.changed = true;
      if (now === undefined) this.shapes.delete(key);
      else this.shapes.set(key, now);
    }
    if (moved && this.timer === null) this.timer = setTimeout(() => this.tell(), this.changed ? EVERY : CAMERAS_EVERY);
  }

  private tell(): void {
    this.timer = null;
    this.world.content.updateMatrixWorld();
    const objects = this.changed ? this.rows() : null;
    this.changed = false;
    this.outbox.main({ type: "scene", version: this.world.version, cameras: this.cameraRows(), objects });
  }

  /** Depth first, so that what stands on a component follows it. */
  private rows(): ObjectRow[] {
    const below = new Map<string | null, Row[]>();
    for (const { row } of this.world.nodes.values()) {
      const siblings = below.get(row.parent);
      if (siblings) siblings.push(row);
      else below.set(row.parent, [row]);
    }
    const rows: ObjectRow[] = [];
    const stack = [...(below.get(null) ?? [])].reverse();
    for (let row = stack.pop(); row !== undefined; row = stack.pop()) {
      rows.push({ key: row.key, tag: row.tag, parent: row.parent, id: row.id, visible: flag(row.props, "visible", true) });
      stack.push(...[...(below.get(row.key) ?? [])].reverse());
    }
    return rows;
  }

  private cameraRows(): CameraRow[] {
    return [...this.cameras()].map(([key, spec]) => {
      const props = this.world.nodes.get(key)?.row.props ?? {};
      return { key, spec, movable: flag(props, "movable", false), monitor: flag(props, "monitor", false) };
    });
  }
}
