// Small controls over and above the viewport: passes, handles, grid, the camera looked through.
import type { HandleMode, ShownPass } from "../bridge";
import { el, iconButton, setPressed } from "./dom";
import type { WorkerLink } from "./link";
import { PASSES, type Store } from "./state";

const NAMES: Readonly<Record<ShownPass, string>> = { rgb: "RGB", depth: "Depth", normals: "Normals", segmentation: "Segments" };

export class PassSelector {
  readonly element = el("div", { class: "segmented", role: "radiogroup", "aria-label": "Pass" });
  private readonly buttons = new Map<ShownPass, HTMLButtonElement>();

  constructor(
    private readonly link: WorkerLink,
    private readonly store: Store,
  ) {
    PASSES.forEach((pass, at) => {
      const button = el("button", { type: "button", role: "radio", "data-pass": pass, title: `${NAMES[pass]} (${at + 1})` }, NAMES[pass]);
      button.addEventListener("click", () => this.choose(pass));
      this.buttons.set(pass, button);
      this.element.append(button);
    });
    this.element.addEventListener("keydown", (event) => this.key(event));
    store.watch(["pass", "passes"], (state) => this.mark(state.pass, state.passes));
  }

  choose(pass: ShownPass): void {
    this.store.set({ pass });
    this.link.post({ type: "show-pass", pass });
  }

  private mark(chosen: ShownPass, offered: readonly ShownPass[]): void {
    for (const [pass, button] of this.buttons) {
      button.setAttribute("aria-checked", String(pass === chosen));
      button.tabIndex = pass === chosen ? 0 : -1;
      button.hidden = !offered.includes(pass);
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

export class Rail {
  readonly element = el("div", { class: "rail", role: "toolbar", "aria-label": "Viewport", "aria-orientation": "vertical" });
  private readonly switches = { grid: true, frustums: true };
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
      frustums: iconButton("frustum", "Frustums of cameras (C)", () => this.toggle("frustums")),
    };
    this.element.append(
      iconButton("home", "Fit the view to everything (H)", () => link.post({ type: "frame", key: null, axis: null })),
      iconButton("frame", "Fit the view to the selection (F)", () => link.post({ type: "frame", key: store.now.selected, axis: null })),
      el("hr"),
      ...Object.values(this.modeButtons),
      el("hr"),
      ...Object.values(this.switchButtons),
    );
    this.changed();
  }

  toggle(name: Switch): void {
    this.switches[name] = !this.switches[name];
    this.changed();
  }

  handles(mode: HandleMode): void {
    this.mode = mode;
    this.changed();
  }

  private changed(): void {
    for (const name of ["grid", "frustums"] as const) setPressed(this.switchButtons[name], this.switches[name]);
    for (const mode of ["translate", "rotate", "scale"] as const) setPressed(this.modeButtons[mode], mode === this.mode);
    this.link.post({ type: "gizmos", ...this.switches, handles: this.mode });
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
