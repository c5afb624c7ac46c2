// The page: the canvas, its events and the user interface; everything that draws is in the worker.
import "./style.css";
import type { ShownPass } from "../bridge";
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
import { PASSES, Store } from "./state";
import { Badge, StatusLine } from "./status";
import { startTheme, toggleTheme } from "./theme";
import { Timeline } from "./timeline";

const NARROW = "(max-width: 720px)";

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
const recorder = new Recorder(store, notices, (recording, count) => {
  setPressed(recordButton, recording);
  recordButton.replaceChildren(el("span", {}, recording ? `Stop · ${count}` : "Record"));
});
recordButton.addEventListener("click", () => recorder.toggle());
const lost = el("div", { class: "lost", role: "alert", hidden: true });
const title = el("span", {}, "Heliograph");

function shownPasses(): string[] {
  return store.now.pass === "rgb" ? ["rgb"] : ["rgb", store.now.pass];
}

function copyCode(heading: string, code: string): void {
  void showCode(heading, code);
}

function copyView(): void {
  const { camera, through, target, index } = store.now;
  if (camera === null) return;
  const named = { ...camera, name: through ?? "view" };
  copyCode("This view as Python", viewCode(named, through === null ? target : null, shownPasses(), index));
}

async function copyLink(): Promise<void> {
  history.replaceState(null, "", hashOf(store.now));
  try {
    await navigator.clipboard.writeText(location.href);
    notices.show("The link restores camera, pass and time.");
  } catch {
    notices.show("The browser does not allow copying here: copy the address above.", "problem");
  }
}

async function savePng(): Promise<void> {
  download(await link.snapshot(), `${fileName()}.png`);
}

async function saveArrays(): Promise<void> {
  try {
    const { camera, index } = store.now;
    const { value, body } = await link.ask("save", { format: "npz", camera, passes: store.now.passes, index });
    const [offset, nbytes] = [Number(value["offset"] ?? 0), Number(value["nbytes"] ?? body.byteLength)];
    download(new Blob([body.slice(offset, offset + nbytes)]), String(value["name"] ?? `${fileName()}.npz`));
  } catch (error) {
    notices.show(error instanceof Error ? error.message : String(error), "error", "Saving");
  }
}

function fileName(): string {
  const { title: name, pass, index } = store.now;
  return [name, pass, index].filter((each) => each !== null).join("-").replace(/[^\w.-]+/g, "-");
}

function openSave(): void {
  openMenu(saveButton, [
    { label: "Picture as shown", hint: "PNG", run: () => void savePng() },
    { label: "All passes as arrays", hint: "npz", run: () => void saveArrays() },
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
  const at = keys.indexOf(store.now.through ?? "");
  const next = at < 0 ? (step > 0 ? 0 : keys.length - 1) : (at + step + keys.length) % keys.length;
  link.post({ type: "look-through", key: keys[next] ?? null });
}

function leave(): void {
  if (store.now.through !== null) link.post({ type: "look-through", key: null });
  else if (store.now.selected !== null) link.post({ type: "select", key: null });
  else notices.clear();
}

function choose(pass: ShownPass): void {
  if (store.now.passes.includes(pass)) passes.choose(pass);
}

const SHORTCUTS: readonly Shortcut[] = [
  ...PASSES.map((pass, at) => ({ keys: [String(at + 1)], label: `show ${pass}`, run: () => choose(pass) })),
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
  { keys: ["y"], label: "copy the view as Python", run: copyView },
  { keys: ["l"], label: "copy a link to this view", run: () => void copyLink() },
  { keys: ["p"], label: "save what is shown as PNG", run: () => void savePng() },
  { keys: ["n"], label: "save all passes as npz", run: () => void saveArrays() },
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
    iconButton("code", "Copy the view as Python (Y)", copyView),
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

function showPanel(message: Panel): void {
  controls.show(message.controls);
  timeline.show(message.facts["timeline"]);
  const offered = message.facts["passes"];
  const known = Array.isArray(offered) ? PASSES.filter((pass) => offered.includes(pass)) : PASSES;
  store.set({ facts: message.facts, passes: known });
}

link.on("configure", ({ message }) => {
  const name = message.title ?? "Heliograph";
  document.title = name;
  title.textContent = name;
  store.set({ title: name, session: message.session, shows: message.shows ?? "scene" });
  view.dataset["shows"] = message.shows ?? "scene";
});
link.on("connection", ({ connected, reason }) => {
  store.set({ connected });
  lost.hidden = connected;
  if (!connected) lost.textContent = `Connection lost: ${reason || "the server does not answer"}. Reconnecting…`;
});
link.on("scene", ({ version, cameras: rows, objects: all }) => store.set({ version, cameras: rows, objects: all }));
link.on("camera", ({ spec, target }) => store.set({ camera: spec, target }));
link.on("through", ({ key }) => store.set({ through: key }));
link.on("selected", ({ key }) => store.set({ selected: key }));
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
let restoredIndex = wanted.index;
link.on("panel", () => {
  if (restoredIndex !== null && timeline.shown) timeline.go(restoredIndex);
  restoredIndex = null;
});
