// The page: the canvas, its events and the user interface; everything that draws is in the worker.
import "./style.css";
import type { ObjectRow } from "../bridge";
import type { Panel } from "../messages";
import { axesWidget } from "./axes";
import { Cameras } from "./cameras";
import { Controls } from "./controls";
import { openMenu, showCode, showHelp, type Shortcut } from "./dialogs";
import { download, el, icon, iconButton, setPressed } from "./dom";
import { acceptDrops } from "./drop";
import { hashOf, keepHash, readHash, restore } from "./hash";
import { forwardEvents } from "./input";
import { WorkerLink } from "./link";
import { Notices } from "./notices";
import { Objects } from "./objects";
import { viewCode } from "./python";
import { Recorder } from "./record";
import { PassSelector, Rail, ThroughChip } from "./pickers";
import { PASSES, Store, type Value } from "./state";
import { Badge, DepthScale, StatusLine } from "./status";
import { startTheme, toggleTheme } from "./theme";
import { Timeline } from "./timeline";

const NARROW = "(max-width: 720px)";
/** Kinds of controls whose values a link restores. */
const KEPT: ReadonlySet<string> = new Set(["slider", "number", "toggle"]);

function socketUrl(): string {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  const token = new URLSearchParams(location.search).get("token");
  if (token !== null) url.searchParams.set("token", token);
  url.hash = "";
  return url.href;
}

function information(): Record<string, unknown> {
  return {
    client: "heliograph",
    userAgent: navigator.userAgent,
    screenWidth: screen.width,
    screenHeight: screen.height,
    devicePixelRatio: window.devicePixelRatio,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    queries: Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => name !== "token")),
  };
}

const worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
const link = new WorkerLink(worker);
const store = new Store();
const notices = new Notices();
const wanted = readHash(location.hash);
let restoredIndex = wanted.index;
let restoredPass = wanted.pass;
let began: { scene: string; values: ReadonlyMap<string, Value> } | null = null;
startTheme(store);

const canvas = el("canvas", { class: "main", tabindex: 0, "aria-label": "Viewport" });
const passes = new PassSelector(link, store);
const rail = new Rail(link, store);
const cameras = new Cameras(link, store, { copy: (camera) => copyCode(`${camera.key} as Python`, viewCode(camera.spec, null, shownPasses(), store.now.index)) });
const objects = new Objects(link, store);
const controls = new Controls(link);
const timeline = new Timeline(link, store);
const statusLine = new StatusLine(link, store);
const badge = new Badge(link, store);
const recordButton = el("button", { class: "record", type: "button", "aria-pressed": "false", title: "Record the camera's trajectory (R)" }, el("span", {}, "Record"));
const recorder = new Recorder(link, store, notices, (recording, count) => {
  setPressed(recordButton, recording);
  recordButton.replaceChildren(el("span", {}, recording ? `Stop · ${count}` : "Record"));
});
recordButton.addEventListener("click", () => recorder.toggle());
const lost = el("div", { class: "lost", role: "alert", hidden: true });
const title = el("span", {}, "Heliograph");

function tell(error: unknown): void {
  notices.show(error instanceof Error ? error.message : String(error), "error");
}

function shownPasses(): string[] {
  return store.now.pass === "rgb" ? ["rgb"] : ["rgb", store.now.pass];
}

function copyCode(heading: string, code: string): void {
  void showCode(heading, code);
}

async function copyView(): Promise<void> {
  const { camera, through, target, index, shows } = store.now;
  if (shows === "pictures") {
    const { value } = await link.ask("python", null);
    return copyCode("This view as Python", String(value["code"] ?? ""));
  }
  if (camera === null) return;
  const own = store.now.cameras.find((each) => each.key === through)?.spec;
  copyCode("This view as Python", viewCode(own ?? { ...camera, name: "view" }, through === null ? target : null, shownPasses(), index));
}

async function copyLink(): Promise<void> {
  history.replaceState(null, "", hashOf(store.now));
  try {
    await navigator.clipboard.writeText(location.href);
    notices.show("The link restores camera, pass, time and controls.");
  } catch {
    notices.show("The browser does not allow copying here: copy the address above.", "problem");
  }
}

async function savePng(): Promise<void> {
  download(await link.snapshot(), `${fileName()}.png`);
}

async function saveArrays(): Promise<void> {
  const { camera, index, passes: names, shows } = store.now;
  const { value, body } = await (shows === "scene" ? link.arrays() : link.ask("save", { format: "npz", camera, passes: names, index }));
  const [offset, nbytes] = [Number(value["offset"] ?? 0), Number(value["nbytes"] ?? body.byteLength)];
  download(new Blob([body.slice(offset, offset + nbytes)]), String(value["name"] ?? `${fileName()}.npz`));
}

function fileName(): string {
  const { title: name, pass, index } = store.now;
  return [name, pass, index].filter((each) => each !== null).join("-").replace(/[^\w.-]+/g, "-");
}

function openSave(): void {
  openMenu(saveButton, [
    { label: "Picture as shown", hint: "PNG", run: () => void savePng() },
    { label: "All passes as arrays", hint: "npz", run: () => void saveArrays().catch(tell) },
  ]);
}

function setFolded(folded: boolean): void {
  app.classList.toggle("folded", folded);
  panel.inert = folded;
  setPressed(panelButton, !folded);
}

function lookThroughNext(step: number): void {
  const keys = store.now.cameras.map((camera) => camera.key);
  if (keys.length === 0) return;
  const recorded = store.now.facts["kind"] === "run" ? String(store.now.facts["start"]) : "";
  const at = keys.indexOf(store.now.through ?? recorded);
  const next = at < 0 ? (step > 0 ? 0 : keys.length - 1) : (at + step + keys.length) % keys.length;
  link.post({ type: "look-through", key: keys[next] ?? null });
}

function leave(): void {
  if (store.now.through !== null) link.post({ type: "look-through", key: null });
  else if (store.now.selected !== null) objects.select(null);
  else notices.clear();
}

function choosePass(number: number): void {
  const pass = store.now.passes[number];
  if (pass !== undefined) passes.choose(pass);
}

const SHORTCUTS: readonly Shortcut[] = [
  { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], label: "show the first pass, and so on", run: (event) => choosePass(Number(event.key) - 1) },
  { keys: ["f"], label: "fit the view to the selection", run: () => link.post({ type: "frame", key: store.now.selected, axis: null }) },
  { keys: ["h", "Home"], label: "fit the view to everything", run: () => link.post({ type: "frame", key: null, axis: null }) },
  { keys: ["]"], label: "look through the next camera", run: () => lookThroughNext(1) },
  { keys: ["["], label: "look through the previous camera", run: () => lookThroughNext(-1) },
  { keys: ["Escape"], label: "leave the camera, deselect", run: leave },
  { keys: ["w"], label: "handles: move", run: () => rail.handles("translate") },
  { keys: ["e"], label: "handles: turn", run: () => rail.handles("rotate") },
  { keys: ["s"], label: "handles: scale", run: () => rail.handles("scale") },
  { keys: ["g"], label: "grid", run: () => rail.toggle("grid") },
  { keys: ["c"], label: "frustums of cameras", run: () => rail.toggle("frustums") },
  { keys: [" "], label: "play, pause", run: () => { if (timeline.shown) timeline.toggle(); } },
  { keys: [","], label: "step back", run: () => timeline.step(-1) },
  { keys: ["."], label: "step forward", run: () => timeline.step(1) },
  { keys: ["r"], label: "record the camera, stop", run: () => recorder.toggle() },
  { keys: ["y"], label: "copy the view as Python", run: () => void copyView().catch(tell) },
  { keys: ["l"], label: "copy a link to this view", run: () => void copyLink() },
  { keys: ["p"], label: "save what is shown as PNG", run: () => void savePng() },
  { keys: ["n"], label: "save all passes as npz", run: () => void saveArrays().catch(tell) },
  { keys: ["/"], label: "filter objects", run: () => { setFolded(false); objects.filter.focus(); } },
  { keys: ["b"], label: "side panel", run: () => setFolded(!app.classList.contains("folded")) },
  { keys: ["t"], label: "light, dark", run: () => toggleTheme(store) },
  { keys: ["?"], label: "these keys", run: () => showHelp(SHORTCUTS) },
];

const saveButton = iconButton("save", "Save what is shown", openSave);
const panelButton = iconButton("panel", "Side panel (B)", () => setFolded(!app.classList.contains("folded")));
saveButton.ariaHasPopup = "menu";

const sun = el("span", { class: "brand" });
sun.append(icon("sun"), title);
const bar = el(
  "header",
  { class: "bar" },
  sun,
  passes.element,
  el("span", { class: "spacer" }),
  el("span", { class: "line-break" }),
  badge.element,
  el("div", { class: "tools", role: "toolbar", "aria-label": "View" },
    recordButton,
    iconButton("code", "Copy the view as Python (Y)", () => void copyView().catch(tell)),
    iconButton("link", "Copy a link to this view (L)", () => void copyLink()),
    saveButton,
  ),
  el("div", { class: "tools", role: "toolbar", "aria-label": "Page" },
    iconButton("sun", "Light or dark (T)", () => toggleTheme(store)),
    iconButton("help", "Keys and gestures (?)", () => showHelp(SHORTCUTS)),
    panelButton,
  ),
);
const view = el(
  "main",
  { class: "view" },
  canvas,
  el("div", { class: "over top-left" }, new ThroughChip(link, store).element),
  new DepthScale(link).element,
  el("div", { class: "over top-right" }, axesWidget(link, store), rail.element),
  cameras.insets,
  notices.element,
  lost,
);
const panel = el("aside", { class: "panel", "aria-label": "Side panel" }, controls.element, cameras.element, objects.element);
const app = document.getElementById("app") ?? document.body;
app.append(bar, view, panel, timeline.element, statusLine.element);
setFolded(window.matchMedia(NARROW).matches);

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement ? target.type !== "range" && target.type !== "checkbox" : target instanceof HTMLSelectElement;
}

window.addEventListener("keydown", (event) => {
  const taken = event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open], .menu") !== null;
  const pressing = event.key === " " && event.target instanceof HTMLButtonElement;
  if (taken || pressing) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shortcut = SHORTCUTS.find((each) => each.keys.includes(key));
  if (shortcut === undefined) return;
  event.preventDefault();
  shortcut.run(event);
});

/** Controls that have a place of their own on the page. */
function ownPlace(message: Panel): ReadonlySet<unknown> {
  const timelineFacts = message.facts["timeline"] as Record<string, unknown> | undefined;
  return new Set(["pass", "record", timelineFacts?.["name"]]);
}

/** Keep what differs from how a scene begins, once what the link says of it is on its way. */
function keepValues(scene: string, values: ReadonlyMap<string, Value>): void {
  if (began?.scene !== scene) began = { scene, values };
  const first = began.values;
  store.set({ changed: [...values].filter(([name, value]) => first.get(name) !== value) });
  for (const [name, value] of wanted.changed.splice(0)) if (values.has(name)) link.event("CONTROL", name, value);
}

function valueOf(message: Panel, name: unknown): Record<string, unknown> | undefined {
  return message.controls.find((control) => control["name"] === name);
}

function showPanel(message: Panel): void {
  const { facts } = message;
  const placed = ownPlace(message);
  controls.show(message.controls.filter((control) => !placed.has(control["name"])));
  const values = new Map(message.controls.filter((control) => KEPT.has(String(control["kind"])) && !placed.has(control["name"])).map((control) => [String(control["name"]), control["value"] as Value]));
  if (facts["kind"] === "scene") keepValues(String(facts["scene"]), values);
  const timelineFacts = (facts["timeline"] ?? {}) as Record<string, unknown>;
  timeline.show(timelineFacts, valueOf(message, timelineFacts["name"])?.["value"]);
  showPasses(message);
  recorder.follow(valueOf(message, "record") === undefined ? null : ((facts["recording"] ?? {}) as Record<string, unknown>));
  const note = String(facts["note"] ?? "");
  if (note && note !== store.now.facts["note"]) notices.show(note, "error");
  const known = (store.now.facts["files"] ?? []) as unknown[];
  for (const file of ((facts["files"] ?? []) as unknown[]).slice(known.length)) notices.show(`${String(file)}\nreplay: heliograph render --trajectory ${String(file)}`);
  app.dataset["kind"] = facts["kind"] === "run" ? "run" : "scene";
  if (store.now.shows === "pictures") store.set({ objects: objectRows(facts) });
  store.set({ facts });
}

/** What an engine's scene or a recording holds: its objects, or what its ids stand for. */
function objectRows(facts: Readonly<Record<string, unknown>>): readonly ObjectRow[] {
  const [before, now] = [store.now.facts, facts].map((told) => JSON.stringify([told["scene"], told["hash"], (told["objects"] as unknown[] | undefined)?.length]));
  if (before === now) return store.now.objects;
  if (Array.isArray(facts["objects"])) return (facts["objects"] as Record<string, unknown>[]).map(objectRow);
  const labels = Object.entries((facts["labels"] ?? {}) as Record<string, [string, string]>).filter(([id]) => id !== "0");
  return labels.map(([id, [name, category]]) => objectRow({ id, name, category }));
}

function objectRow(object: Readonly<Record<string, unknown>>): ObjectRow {
  return { key: String(object["name"]), tag: String(object["category"] ?? ""), parent: null, id: Number(object["id"]), visible: true };
}

function showPasses(message: Panel): void {
  const control = valueOf(message, "pass");
  const options = control?.["options"];
  const offered = Array.isArray(options) ? (options as Record<string, unknown>[]).map((option) => String(option["value"])) : PASSES;
  const pass = control === undefined ? store.now.pass : String(control["value"]);
  store.set({ passes: offered.join() === store.now.passes.join() ? store.now.passes : offered, pass });
  if (restoredPass !== "rgb" && control !== undefined && offered.includes(restoredPass)) passes.choose(restoredPass);
  restoredPass = "rgb";
}

/** What the program or the link says about the look of the page. */
function follow(queries: Readonly<Record<string, unknown>>): void {
  const off = (name: string): boolean => ["false", "0", "off"].includes(String(queries[name] ?? "").toLowerCase());
  if (off("grid")) rail.show("grid", false);
  if (off("frustums")) rail.show("frustums", false);
  if (off("panel")) setFolded(true);
}

link.on("configure", ({ message }) => {
  if (store.now.session === "") follow({ ...message.queries, ...Object.fromEntries(new URLSearchParams(location.search)) });
  const name = message.title ?? "Heliograph";
  document.title = name;
  title.textContent = name;
  store.set({ title: name, session: message.session, shows: message.shows ?? "scene" });
  app.dataset["shows"] = message.shows ?? "scene";
});
link.on("connection", ({ connected, reason, again }) => {
  store.set({ connected });
  lost.hidden = connected;
  lost.dataset["again"] = String(again);
  if (!connected) lost.textContent = `Connection lost: ${reason}.${again ? " Reconnecting…" : ""}`;
});
link.on("scene", ({ version, cameras: rows, objects: all }) => store.set({ version, cameras: rows, ...(all && { objects: all }) }));
link.on("camera", ({ spec, target }) => store.set({ camera: spec, target }));
link.on("through", ({ key }) => store.set({ through: key }));
link.on("cursor", ({ cursor }) => { canvas.style.cursor = cursor; });
link.on("panel", ({ message }) => showPanel(message));
link.on("problem", ({ key, text }) => notices.show(text, "problem", key));
store.watch(["dark"], (state) => link.post({ type: "theme", dark: state.dark }));

const offscreen = canvas.transferControlToOffscreen();
const size = (): { width: number; height: number; dpr: number } => ({
  width: Math.max(1, Math.round(view.clientWidth)),
  height: Math.max(1, Math.round(view.clientHeight)),
  dpr: Math.min(window.devicePixelRatio, 2),
});
link.post({ type: "start", socket: socketUrl(), canvas: offscreen, hello: information(), ...size() }, [offscreen]);
link.post({ type: "theme", dark: store.now.dark });
link.post({ type: "visible", visible: document.visibilityState === "visible" });
restore(link, store, wanted);
keepHash(store);
forwardEvents(canvas, link);
acceptDrops(view, link, notices);
canvas.addEventListener("pointermove", (event) => {
  const box = canvas.getBoundingClientRect();
  if (event.buttons === 0) link.post({ type: "probe", x: event.clientX - box.left, y: event.clientY - box.top });
});
canvas.addEventListener("pointerup", (event) => {
  const box = canvas.getBoundingClientRect();
  if (event.pointerType === "touch") link.post({ type: "probe", x: event.clientX - box.left, y: event.clientY - box.top });
});
canvas.addEventListener("pointerleave", () => link.post({ type: "probe", x: -1, y: -1 }));
new ResizeObserver(() => link.post({ type: "resize", ...size() })).observe(view);
document.addEventListener("visibilitychange", () => link.post({ type: "visible", visible: document.visibilityState === "visible" }));
worker.onerror = (event) => notices.show(event.message || "the page's worker failed", "error", "Page");
link.on("panel", () => {
  if (restoredIndex !== null && timeline.shown) timeline.go(restoredIndex);
  restoredIndex = null;
});
