// The scene, kept as the server says, and its sensor pictures.
import type { ToPage } from "../messages";
import { GeometryCache } from "./geometries";
import { Graph } from "./graph";
import type { Kit } from "./elements/element";
import { LightRig } from "./light_rig";
import { Loads } from "./loads";
import { MaterialCache } from "./materials";
import { Models } from "./models";
import type { Outbox, Part } from "./parts";
import { Passes } from "./passes";
import { Sensors } from "./sensors";
import { Splats } from "./splats";
import { Surfaces } from "./surface";
import { TextureCache } from "./textures";
import { Blobs } from "./values";
import type { World } from "./world";

type Queued = { message: ToPage; frame: ArrayBuffer };

const ORDERED: ReadonlySet<string> = new Set(["apply", "render", "forget"]);

export class ScenePart implements Part {
  readonly passes: Passes;
  readonly sensors: Sensors;
  /** Pictures of what the viewport alone shows. */
  readonly pictures: TextureCache;
  private readonly graph: Graph;
  private readonly blobs = new Blobs();
  /** Problems that the server knows. */
  private readonly told = new Set<string>();
  private queue: Queued[] = [];
  private waiting = false;

  /** @param base - the url that paths of files are relative to. */
  constructor(
    world: World,
    private readonly outbox: Outbox,
    base: string,
  ) {
    const problem = (key: string, text: string) => this.tell(key, text);
    const { blobs } = this;
    const loads = new Loads(base, problem);
    const geometries = new GeometryCache();
    const surfaces = new Surfaces(geometries);
    const textures = new TextureCache(blobs, loads);
    this.pictures = new TextureCache(blobs, loads);
    const materials = new MaterialCache(textures);
    const rig = new LightRig(world, surfaces);
    const splats = new Splats(world, base);
    const kit: Kit = { world, blobs, loads, geometries, materials, models: new Models(loads), surfaces, splats, rig, problem, refresh: () => this.graph.refresh() };
    this.graph = new Graph(kit);
    this.passes = new Passes(world, surfaces, splats, () => this.graph.scene);
    this.sensors = new Sensors(world, this.passes, loads, outbox);
    world.canvas.addEventListener("webglcontextlost", () => problem("", "the browser lost its GL context"));
    world.canvas.addEventListener("webglcontextrestored", () => this.graph.refresh());
  }

  /** A new connection: the server sends everything again. */
  connected(): void {
    this.queue = [];
    this.blobs.clear();
    this.told.clear();
  }

  fromServer(message: ToPage, frame: ArrayBuffer): void {
    if (!ORDERED.has(message.type)) return;
    if (this.waiting) this.queue.push({ message, frame });
    else this.handle({ message, frame });
  }

  private handle({ message, frame }: Queued): void {
    if (message.type === "apply") {
      this.graph.apply(message, frame);
      this.outbox.server({ type: "applied", version: message.version });
    } else if (message.type === "forget") {
      this.graph.forget(message);
    } else if (message.type === "render") {
      const waiting = this.sensors.render(message);
      if (waiting === null) return;
      this.waiting = true;
      void waiting.then(() => this.resume());
    }
  }

  private resume(): void {
    this.waiting = false;
    while (!this.waiting) {
      const next = this.queue.shift();
      if (next === undefined) return;
      this.handle(next);
    }
  }

  /** Tell a problem of a component, once. */
  private tell(key: string, text: string): void {
    const known = this.told.size;
    if (this.told.add(JSON.stringify([key, text])).size === known) return;
    this.outbox.server({ type: "problem", key, text });
    this.outbox.main({ type: "problem", key, text });
  }
}
