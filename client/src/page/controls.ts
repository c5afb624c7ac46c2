// Sliders, lists, buttons: whatever `Panel.controls` describes, grouped by their `group`.
import { el, paced } from "./dom";
import type { WorkerLink } from "./link";

type Control = Readonly<Record<string, unknown>>;
type Send = (value: unknown) => void;
type Update = (control: Control) => void;

interface Drawn {
  element: HTMLElement;
  update: Update;
}

const TAIL = 8; // letters
const EVERY = 33; // milliseconds between values of one slider

interface Option {
  value: unknown;
  label: string;
  detail: string;
}

function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}

function count(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

function labelled(control: Control, id: string, ...parts: HTMLElement[]): HTMLElement {
  const label = text(control["label"] ?? control["name"]);
  // A name that is too long gives way in its middle: names of one robot often begin alike.
  const end = label.length > 2 * TAIL ? label.length - TAIL : label.length;
  if (end < label.length) parts[0]?.setAttribute("aria-label", label);
  const words = [label.slice(0, end), label.slice(end)].map((part) => el("span", {}, part));
  return el("div", { class: "control" }, el("label", { for: id, title: label }, ...words), ...parts);
}

/** How far along a range is filled. */
export function setFill(range: HTMLInputElement): void {
  const span = Number(range.max) - Number(range.min);
  range.style.setProperty("--at", String(span > 0 ? (Number(range.value) - Number(range.min)) / span : 0));
}

function rounded(value: number, step: number): string {
  return Number.isInteger(step) && Number.isInteger(value) ? String(value) : String(Number(value.toFixed(4)));
}

function slider(control: Control, id: string, send: Send): Drawn {
  const range = el("input", { type: "range", id });
  const box = el("input", { type: "number", "aria-label": `${text(control["label"] ?? control["name"])}, as a number` });
  let step = 0.001;
  const put = (value: number): void => {
    range.value = String(value);
    box.value = rounded(value, step);
    setFill(range);
  };
  const update: Update = (newest) => {
    const min = count(newest["min"], 0);
    const max = count(newest["max"], 1);
    step = count(newest["step"], (max - min) / 1000 || 0.001);
    for (const input of [range, box]) Object.assign(input, { min: String(min), max: String(max), step: input === box ? "any" : String(step) });
    if (document.activeElement !== range && document.activeElement !== box) put(count(newest["value"], min));
  };
  range.addEventListener("input", () => { put(range.valueAsNumber); send(range.valueAsNumber); });
  box.addEventListener("change", () => {
    const value = Math.min(Math.max(box.valueAsNumber, Number(range.min)), Number(range.max));
    if (!Number.isFinite(value)) return;
    put(value);
    send(value);
  });
  range.addEventListener("dblclick", () => { const value = count(control["rest"], range.valueAsNumber); put(value); send(value); });
  const element = labelled(control, id, range, box);
  box.title = text(control["unit"]);
  update(control);
  return { element, update };
}

/** Options are values, or maps with `value`, `label` and `detail`. */
function options(given: unknown): Option[] {
  return (Array.isArray(given) ? given : []).map((each: unknown): Option => {
    if (typeof each !== "object" || each === null) return { value: each, label: text(each), detail: "" };
    const map = each as Control;
    return { value: map["value"], label: text(map["label"] ?? map["value"]), detail: text(map["detail"]) };
  });
}

function select(control: Control, id: string, send: Send): Drawn {
  const box = el("select", { id });
  let offered: Option[] = [];
  const update: Update = (newest) => {
    offered = options(newest["options"]);
    box.replaceChildren(...offered.map((each, at) => el("option", { value: at }, each.label)));
    box.selectedIndex = offered.findIndex((each) => each.value === newest["value"]);
  };
  box.addEventListener("change", () => send(offered[box.selectedIndex]?.value));
  const element = labelled(control, id, box);
  element.classList.add("wide");
  update(control);
  return { element, update };
}

function whole(control: Control, id: string, send: Send): Drawn {
  const box = el("input", { type: "number", id, step: 1, min: text(control["min"]), max: text(control["max"]) });
  const update: Update = (newest) => { if (document.activeElement !== box) box.value = text(newest["value"]); };
  box.addEventListener("change", () => { if (box.checkValidity() && box.value !== "") send(box.valueAsNumber); });
  const element = labelled(control, id, box);
  element.classList.add("wide");
  update(control);
  return { element, update };
}

function toggle(control: Control, id: string, send: Send): Drawn {
  const box = el("input", { type: "checkbox", id });
  const update: Update = (newest) => { box.checked = newest["value"] === true; };
  box.addEventListener("change", () => send(box.checked));
  update(control);
  return { element: labelled(control, id, box), update };
}

function button(control: Control, id: string, send: Send): Drawn {
  const press = el("button", { class: "push", type: "button", id }, text(control["label"] ?? control["name"]));
  press.addEventListener("click", () => send(control["value"] ?? true));
  const update: Update = (newest) => {
    press.textContent = text(newest["label"] ?? newest["name"]);
    press.disabled = newest["disabled"] === true;
  };
  return { element: el("div", { class: "control full", style: "padding: 3px 0" }, press), update };
}

function list(control: Control, id: string, send: Send): Drawn {
  const box = el("div", { class: "list", id, role: "group" });
  const title = el("div", { class: "label muted" });
  const update: Update = (newest) => {
    const offered = options(newest["items"]);
    title.textContent = `${text(newest["label"] ?? newest["name"])} · ${offered.length}`;
    box.hidden = offered.length === 0;
    box.setAttribute("aria-label", title.textContent);
    box.replaceChildren(...offered.map((each) => {
      const item = el("button", { type: "button", title: `${each.label} ${each.detail}`.trim(), "aria-current": String(each.value === newest["value"]) }, each.label);
      if (each.detail) item.append(el("span", { class: "muted" }, `  ${each.detail}`));
      item.addEventListener("click", () => send(each.value));
      return item;
    }));
  };
  update(control);
  return { element: el("div", { class: "control full" }, title, box), update };
}

function textual(control: Control, id: string, send: Send): Drawn {
  if (control["editable"] === false) {
    const shown = el("span", { class: "mono", id });
    const update: Update = (newest) => { shown.textContent = text(newest["value"]); shown.title = shown.textContent; };
    update(control);
    const element = labelled(control, id, shown);
    element.classList.add("wide");
    return { element, update };
  }
  const box = el("input", { type: "text", id, spellcheck: "false", placeholder: text(control["placeholder"]) });
  const update: Update = (newest) => { if (document.activeElement !== box) box.value = text(newest["value"]); };
  box.addEventListener("change", () => send(box.value));
  const element = labelled(control, id, box);
  element.classList.add("wide");
  update(control);
  return { element, update };
}

type Draw = (control: Control, id: string, send: Send) => Drawn;
const KINDS: Readonly<Record<string, Draw>> = { slider, number: whole, select, toggle, button, list, text: textual };

export class Controls {
  readonly element: HTMLElement;
  private readonly body = el("div", { class: "controls" });
  private readonly drawn = new Map<string, Drawn>();
  private shape = "";

  constructor(private readonly link: WorkerLink) {
    this.element = el(
      "section",
      { class: "section shares", "aria-labelledby": "controls-title", hidden: true },
      el("header", {}, el("h2", { id: "controls-title" }, "Controls")),
      el("div", { class: "body" }, this.body),
    );
  }

  /** Show these; what is being dragged keeps its place as long as the kinds stay the same. */
  show(controls: readonly Control[]): void {
    this.element.hidden = controls.length === 0;
    const shape = JSON.stringify(controls.map((each) => [each["kind"], each["name"], each["group"]]));
    if (shape === this.shape) {
      for (const control of controls) this.drawn.get(text(control["name"]))?.update(control);
      return;
    }
    this.shape = shape;
    this.drawn.clear();
    this.body.replaceChildren();
    let group = "";
    for (const control of controls) {
      const its = text(control["group"]);
      if (its !== group && its) this.body.append(el("h3", {}, its));
      group = its;
      this.add(control);
    }
  }

  private add(control: Control): void {
    const name = text(control["name"]);
    const draw = KINDS[text(control["kind"])] ?? textual;
    const send = paced(EVERY, (value: unknown) => this.link.event("CONTROL", name, value));
    const drawn = draw(control, `control-${name}`, send);
    this.drawn.set(name, drawn);
    this.body.append(drawn.element);
  }
}
