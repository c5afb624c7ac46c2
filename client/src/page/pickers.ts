// Small controls over and above the viewport: passes, handles, grid, the camera looked through.
import type { HandleMode } from "../bridge";
import { el, iconButton, setPressed } from "./dom";
import type { WorkerLink } from "./link";
import type { Store } from "./state";

const NAMES: Readonly<Record<string, string>> = { rgb: "RGB", depth: "Depth", normals: "Normals", segmentation: "Segments" };

function nameOf(pass: string): string {
  return NAMES[pass] ?? pass.charAt(0).toUpperCase() + pass.slice(1);
}

export class PassSelector {
  readonly element = el("div", { class: "segmented", role: "radiogroup", "aria-label": "Pass" });
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(
    private readonly link: WorkerLink,
    private readonly store: Store,
  ) {
    this.element.addEventListener("keydown", (event) => this.key(event));
    store.watch(["passes"], (state) => this.offer(state.passes));
    store.watch(["pass"], (state) => this.mark(state.pass));
  }

  private offer(passes: readonly string[]): void {
    if (passes.join() === [...this.buttons.keys()].join()) return;
    this.buttons.clear();
    passes.forEach((pass, at) => {
      const button = el("button", { type: "button", role: "radio", "data-pass": pass, title: `${nameOf(pass)} (${at + 1})` }, nameOf(pass));
      button.addEventListener("click", () => this.choose(pass));
      this.buttons.set(pass, button);
    });
    this.element.replaceChildren(...this.buttons.values());
    this.mark(this.store.now.pass);
  }

  choose(pass: string): void {
    this.store.set({ pass });
    this.link.post({ type: "show-pass", pass });
  }

  private mark(chosen: string): void {
    for (const [pass, button] of this.buttons) {
      button.setAttribute("aria-checked", String(pass === chosen));
      button.tabIndex = pass === chosen ? 0 : -1;
    }
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const { pass, passes } = this.store.now;
    const next = passes[(passes.indexOf(pass) + step + passes.length) % passes.length];
    if (next === undefined) return;
    this.choose(next);
    this.buttons.get(next)?.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

type Switch = "grid" | "frustums";
type FrustumChoice = "none" | "asked" | "all";
const NEXT: Readonly<Record<FrustumChoice, FrustumChoice>> = { asked: "all", all: "none", none: "asked" };

export class Rail {
  readonly element = el("div", { class: "rail", role: "toolbar", "aria-label": "Viewport", "aria-orientation": "vertical" });
  private grid = true;
  private frustums: FrustumChoice = "asked";
  private mode: HandleMode = "translate";
  private readonly switchButtons: Record<Switch, HTMLButtonElement>;
  private readonly modeButtons: Record<HandleMode, HTMLButtonElement>;

  constructor(
    private readonly link: WorkerLink,
    store: Store,
  ) {
    const press = (mode: HandleMode) => () => this.handles(mode);
    this.modeButtons = {
      translate: iconButton("move", "Handles: move (W)", press("translate")),
      rotate: iconButton("rotate", "Handles: turn (E)", press("rotate")),
      scale: iconButton("scale", "Handles: scale (S)", press("scale")),
    };
    this.switchButtons = {
      grid: iconButton("grid", "Grid (G)", () => this.toggle("grid")),
      frustums: iconButton("frustum", "Frustums of cameras: those that ask, all, none (C)", () => this.toggle("frustums")),
    };
    const separator = (): HTMLElement => el("hr", { class: "scene-only" });
    for (const button of [...Object.values(this.modeButtons), this.switchButtons.grid]) button.classList.add("scene-only");
    this.element.append(
      iconButton("home", "Fit the view to everything (H)", () => link.post({ type: "frame", key: null, axis: null })),
      iconButton("frame", "Fit the view to the selection (F)", () => link.post({ type: "frame", key: store.now.selected, axis: null })),
      separator(),
      ...Object.values(this.modeButtons),
      separator(),
      ...Object.values(this.switchButtons),
    );
    this.changed();
  }

  toggle(name: Switch): void {
    if (name === "grid") this.grid = !this.grid;
    else this.frustums = NEXT[this.frustums];
    this.changed();
  }

  show(name: Switch, on: boolean): void {
    if (name === "grid") this.grid = on;
    else this.frustums = on ? "asked" : "none";
    this.changed();
  }

  handles(mode: HandleMode): void {
    this.mode = mode;
    this.changed();
  }

  private changed(): void {
    setPressed(this.switchButtons.grid, this.grid);
    setPressed(this.switchButtons.frustums, this.frustums !== "none");
    this.switchButtons.frustums.dataset["choice"] = this.frustums;
    for (const mode of ["translate", "rotate", "scale"] as const) setPressed(this.modeButtons[mode], mode === this.mode);
    this.link.post({ type: "gizmos", grid: this.grid, frustums: this.frustums, handles: this.mode });
  }
}

export class ThroughChip {
  readonly element: HTMLElement;

  constructor(link: WorkerLink, store: Store) {
    const name = el("b");
    const close = iconButton("close", "Leave the camera (Esc)", () => link.post({ type: "look-through", key: null }));
    close.classList.add("small");
    this.element = el("div", { class: "chip", role: "status", hidden: true }, el("span", { class: "muted" }, "Looking through"), name, close);
    store.watch(["through"], (state) => {
      this.element.hidden = state.through === null;
      name.textContent = state.through ?? "";
    });
  }
}
