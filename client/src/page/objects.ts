// The scene's components as a tree with a filter; only the rows in sight are elements.
import type { ObjectRow } from "../bridge";
import { idColor } from "../palette";
import { el, iconButton, setPressed } from "./dom";
import type { WorkerLink } from "./link";
import type { State, Store } from "./state";

interface Line {
  row: ObjectRow;
  depth: number;
  parent: boolean;
}

const SPARE = 6; // rows drawn beyond the edges

export class Objects {
  readonly element: HTMLElement;
  readonly filter = el("input", {
    class: "filter", type: "search", placeholder: "Filter by name or type", "aria-label": "Filter objects", spellcheck: "false",
  });
  private readonly count = el("span", { class: "count" });
  private readonly sizer = el("div", { class: "sizer" });
  private readonly tree = el("div", { class: "tree", role: "tree", tabindex: "0", "aria-label": "Objects" }, this.sizer);
  private readonly folded = new Set<string>();
  /** Selections that the worker has not answered; what it says meanwhile is old. */
  private unanswered = 0;
  private lines: Line[] = [];
  private drawn = "";

  constructor(
    private readonly link: WorkerLink,
    private readonly store: Store,
  ) {
    this.element = el(
      "section",
      { class: "section grows", "aria-labelledby": "objects-title" },
      el("header", {}, el("h2", { id: "objects-title" }, "Objects"), this.count),
      el("div", { class: "filter-row" }, this.filter),
      this.tree,
    );
    this.filter.addEventListener("input", () => this.arrange());
    this.filter.addEventListener("keydown", (event) => { if (event.key === "Escape") this.clearFilter(event); });
    this.tree.addEventListener("scroll", () => this.draw());
    this.tree.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.tree);
    store.watch(["objects"], () => this.arrange());
    store.watch(["selected"], (state) => { this.reveal(state.selected); this.draw(true); });
    link.on("selected", (message) => {
      this.unanswered = Math.max(0, this.unanswered - 1);
      if (this.unanswered === 0) store.set({ selected: message.key });
    });
    store.watch(["hidden"], () => this.draw(true));
  }

  private clearFilter(event: KeyboardEvent): void {
    event.stopPropagation();
    this.filter.value = "";
    this.arrange();
    this.filter.blur();
  }

  private arrange(): void {
    const { objects } = this.store.now;
    const wanted = this.filter.value.trim().toLowerCase();
    const found = wanted
      ? objects.filter((row) => `${row.key} ${row.tag}`.toLowerCase().includes(wanted)).map((row) => ({ row, depth: 0, parent: false }))
      : this.unfolded(objects);
    this.lines = found;
    this.count.textContent = wanted ? `${found.length} of ${objects.length}` : objects.length ? String(objects.length) : "";
    this.sizer.style.height = `${found.length * this.rowHeight()}px`;
    this.draw(true);
  }

  private unfolded(objects: readonly ObjectRow[]): Line[] {
    const parents = new Set(objects.map((row) => row.parent));
    const depths = new Map<string, number>();
    const below = new Set<string>();
    const lines: Line[] = [];
    for (const row of objects) {
      const depth = row.parent === null ? 0 : (depths.get(row.parent) ?? -1) + 1;
      depths.set(row.key, depth);
      const covered = row.parent !== null && (below.has(row.parent) || this.folded.has(row.parent));
      if (covered) below.add(row.key);
      else lines.push({ row, depth, parent: parents.has(row.key) });
    }
    return lines;
  }

  private rowHeight(): number {
    return Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 24;
  }

  private draw(again = false): void {
    const height = this.rowHeight();
    const first = Math.max(0, Math.floor(this.tree.scrollTop / height) - SPARE);
    const last = Math.min(this.lines.length, Math.ceil((this.tree.scrollTop + this.tree.clientHeight) / height) + SPARE);
    const now = `${first}-${last}`;
    if (now === this.drawn && !again) return;
    this.drawn = now;
    const { state } = { state: this.store.now };
    this.sizer.replaceChildren(...this.lines.slice(first, last).map((line, at) => this.line(line, (first + at) * height, state)));
  }

  private line({ row, depth, parent }: Line, top: number, state: Readonly<State>): HTMLElement {
    const hidden = state.hidden.has(row.key);
    const eye = iconButton(hidden ? "hidden" : "eye", `Hide ${row.key} in the viewport`, () => this.hide(row.key, !hidden));
    eye.classList.add("small");
    eye.tabIndex = -1;
    setPressed(eye, hidden);
    const fold = parent && el("span", { class: "muted", "aria-hidden": "true" }, this.folded.has(row.key) ? "▸" : "▾");
    if (fold) fold.addEventListener("click", (event) => { event.stopPropagation(); this.fold(row.key); });
    const element = el(
      "div",
      {
        class: `row${hidden || !row.visible ? " dim" : ""}`, role: "treeitem", "data-key": row.key, id: `object-${row.key}`,
        "aria-selected": String(row.key === state.selected), "aria-level": depth + 1, style: `top: ${top}px; padding-left: ${12 + 12 * depth}px`,
      },
      fold,
      el("span", { class: "swatch", style: `background: ${row.id ? `rgb(${idColor(row.id).join(" ")})` : "transparent"}` }),
      el("span", { class: "key", title: row.id ? `${row.key} · id ${row.id}` : row.key }, row.key),
      el("span", { class: "spacer" }),
      el("span", { class: "tag" }, row.tag),
      eye,
    );
    element.addEventListener("click", (event) => { if (!eye.contains(event.target as Node)) this.select(row.key); });
    element.addEventListener("dblclick", () => this.link.post({ type: "frame", key: row.key, axis: null }));
    return element;
  }

  select(key: string | null): void {
    this.unanswered += 1;
    this.store.set({ selected: key });
    this.link.post({ type: "select", key });
  }

  private hide(key: string, hidden: boolean): void {
    const keys = new Set(this.store.now.hidden);
    if (hidden) keys.add(key);
    else keys.delete(key);
    this.link.post({ type: "hide", key, hidden });
    this.store.set({ hidden: keys });
  }

  private fold(key: string): void {
    if (!this.folded.delete(key)) this.folded.add(key);
    this.arrange();
  }

  private reveal(key: string | null): void {
    this.tree.setAttribute("aria-activedescendant", key === null ? "" : `object-${key}`);
    const at = this.lines.findIndex((line) => line.row.key === key);
    if (at < 0) return;
    const top = at * this.rowHeight();
    const outside = top < this.tree.scrollTop || top + this.rowHeight() > this.tree.scrollTop + this.tree.clientHeight;
    if (outside) this.tree.scrollTop = top - this.tree.clientHeight / 2;
  }

  private key(event: KeyboardEvent): void {
    const at = this.lines.findIndex((line) => line.row.key === this.store.now.selected);
    const line = this.lines[at];
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: Math.max(at - 1, 0), Home: 0, End: this.lines.length - 1 };
    const step = steps[event.key];
    const folds = (event.key === "ArrowRight" || event.key === "ArrowLeft") && line?.parent;
    if (step !== undefined) this.select(this.lines[Math.min(step, this.lines.length - 1)]?.row.key ?? null);
    else if (folds && this.folded.has(line.row.key) === (event.key === "ArrowRight")) this.fold(line.row.key);
    else if (event.key === "Enter" && line) this.link.post({ type: "frame", key: line.row.key, axis: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
