// The line below: what stands at the pixel under the pointer; and the badge above.
import type { Probe } from "../bridge";
import { idColor } from "../palette";
import { el } from "./dom";
import type { WorkerLink } from "./link";
import type { Store } from "./state";

const HOVERS = window.matchMedia("(hover: hover)").matches;
const HINT = HOVERS ? "Hover to read a pixel · drag to orbit · click to select · ? for keys" : "Tap to read a pixel · drag to orbit";

function entry(name: string, value: string, color?: readonly number[]): HTMLElement {
  const swatch = color && el("span", { class: "swatch", style: `background: rgb(${color.join(" ")})` });
  return el("div", {}, el("dt", {}, name), el("dd", { "data-name": name }, swatch, value));
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

export function metres(depth: number | null): string {
  if (depth === null) return "∞";
  return `${fixed(depth, depth < 10 ? 4 : depth < 100 ? 3 : 2)} m`;
}

export class StatusLine {
  readonly element: HTMLElement;
  private readonly values = el("dl", { class: "mono", "aria-live": "off", "data-testid": "probe" });
  private readonly hint = el("span", { class: "muted hint" }, HINT);
  private readonly version = el("span", { class: "muted mono wide-only" });

  constructor(link: WorkerLink, store: Store) {
    this.element = el("footer", { class: "status" }, this.values, this.hint, el("span", { class: "spacer" }), this.version);
    this.values.hidden = true;
    link.on("probe", (message) => this.show(message.probe));
    store.watch(["version", "objects", "shows"], (state) => {
      const scene = state.objects.length ? `${state.objects.length} components · version ${state.version}` : "";
      this.version.textContent = state.shows === "scene" ? scene : "";
    });
  }

  private show(probe: Probe | null): void {
    this.hint.hidden = probe !== null;
    this.values.hidden = probe === null;
    if (probe === null) return this.values.replaceChildren();
    const name = probe.key ? (probe.category && probe.category !== probe.key ? `${probe.key} · ${probe.category}` : probe.key) : "background";
    this.values.replaceChildren(
      entry("px", `${probe.x}, ${probe.y}`),
      entry("rgb", probe.rgb.join(" "), probe.rgb),
      entry("depth", metres(probe.depth)),
      entry("normal", probe.normal ? probe.normal.map((each) => fixed(each, 3)).join(" ") : "–"),
      entry("id", String(probe.id), probe.id ? idColor(probe.id) : undefined),
      entry("object", name),
    );
  }
}

/** Which colours are which distances. */
export class DepthScale {
  readonly element = el("div", { class: "over scale mono", role: "img", hidden: true });

  constructor(link: WorkerLink) {
    const [near, far] = [el("span"), el("span")];
    this.element.append(near, el("span", { class: "ramp" }), far);
    link.on("scale", (message) => {
      this.element.hidden = message.near === null;
      if (message.near === null) return;
      near.textContent = `${message.near.toPrecision(3)} m`;
      far.textContent = `${message.far.toPrecision(3)} m`;
      this.element.setAttribute("aria-label", `Depth: light is ${near.textContent}, dark is ${far.textContent} or more`);
    });
  }
}

const AGE_EVERY = 1000; // milliseconds
const AGE_MOST = 60; // seconds; older pictures are called idle, and nothing counts any more

/** Engine, age, rate and latency of what is shown. */
export class Badge {
  readonly element = el("div", { class: "badge mono", role: "status", "aria-label": "Engine" });
  private readonly engine = el("b", {}, "connecting");
  private readonly rate = el("span", { class: "wide-only", title: "Pictures a second" });
  private readonly latency = el("span", { title: "From asking to showing" });
  private readonly age = el("span", { class: "wide-only", title: "Age of what is shown" });
  private since = 0;
  private timer = 0;

  constructor(link: WorkerLink, store: Store) {
    this.element.append(this.engine, this.latency, this.rate, this.age);
    link.on("badge", (message) => this.show(message.facts));
    store.watch(["connected"], (state) => { this.element.dataset["state"] = state.connected ? "" : "lost"; });
  }

  private show(facts: Readonly<Record<string, unknown>>): void {
    const { engine, gl, milliseconds, rate, level, final } = facts;
    if (engine !== undefined) this.engine.textContent = String(engine);
    if (gl !== undefined) this.element.title = String(gl);
    const share = final === false && level !== undefined ? ` · level ${String(level)}` : "";
    if (typeof milliseconds === "number") this.latency.textContent = `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms${share}`;
    if (typeof rate === "number") this.rate.textContent = rate > 0 ? `${rate.toFixed(rate < 10 ? 1 : 0)}/s` : "";
    this.since = performance.now();
    this.element.dataset["state"] = final === false ? "waiting" : "";
    this.tick();
  }

  private tick(): void {
    window.clearTimeout(this.timer);
    const seconds = (performance.now() - this.since) / 1000;
    this.age.textContent = seconds < 1 ? "now" : seconds < AGE_MOST ? `${Math.floor(seconds)} s old` : "idle";
    if (seconds < AGE_MOST && document.visibilityState === "visible") this.timer = window.setTimeout(() => this.tick(), AGE_EVERY);
  }
}
