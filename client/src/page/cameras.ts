// The scene's cameras: live thumbnails; press one to look through it.
import type { CameraRow } from "../bridge";
import { el, iconButton, paced, setPressed } from "./dom";
import type { WorkerLink } from "./link";
import type { Store } from "./state";

const THUMBNAIL = { width: 160, height: 120, interval: 1000 };
const ASK_EVERY = 1000; // milliseconds
const INSET = { width: 320, height: 240, interval: 120 };

interface Card {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
  pin: HTMLButtonElement;
}

export interface CameraActions {
  copy: (camera: CameraRow) => void;
}

/** Draw a bitmap over the whole canvas, which takes its size. */
function paint(canvas: HTMLCanvasElement, bitmap: ImageBitmap): void {
  if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
  if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
}

export class Cameras {
  readonly element: HTMLElement;
  /** Pictures of cameras over the viewport. */
  readonly insets = el("div", { class: "over bottom-left" });
  private readonly list = el("div", { class: "cameras", role: "list" });
  private readonly count = el("span", { class: "count" });
  private readonly none = el("div", { class: "empty" }, "The scene has no cameras.");
  private readonly cards = new Map<string, Card>();
  private readonly pinned = new Map<string, { element: HTMLElement; canvas: HTMLCanvasElement }>();
  private readonly seen = new Set<string>();
  private readonly unpinned = new Set<string>();
  private readonly observer: IntersectionObserver;

  constructor(
    private readonly link: WorkerLink,
    private readonly store: Store,
    private readonly actions: CameraActions,
  ) {
    this.element = el(
      "section",
      { class: "section folds", "aria-labelledby": "cameras-title" },
      el("header", {}, el("h2", { id: "cameras-title" }, "Cameras"), this.count),
      el("div", { class: "body" }, this.list, this.none),
    );
    this.observer = new IntersectionObserver((entries) => this.scrolled(entries));
    store.watch(["cameras"], (state) => this.fill(state.cameras));
    store.watch(["through"], (state) => this.mark(state.through));
    link.on("monitor", (message) => this.show(message.key, message.bitmap));
    link.on("connection", (message) => { if (message.connected) this.askAgain(); });
    link.on("panel", paced(ASK_EVERY, () => { if (store.now.shows === "pictures") this.askAgain(); }));
  }

  private fill(cameras: readonly CameraRow[]): void {
    const keys = new Set(cameras.map((camera) => camera.key));
    for (const key of [...this.cards.keys()]) if (!keys.has(key)) this.drop(key);
    for (const camera of cameras) {
      if (!this.cards.has(camera.key)) this.add(camera);
      if (camera.monitor && !this.pinned.has(camera.key) && !this.unpinned.has(camera.key)) this.pin(camera.key);
    }
    this.count.textContent = cameras.length ? String(cameras.length) : "";
    this.none.hidden = cameras.length > 0;
    this.list.hidden = cameras.length === 0;
    this.mark(this.store.now.through);
  }

  private add(camera: CameraRow): void {
    const { key } = camera;
    const canvas = el("canvas", { width: THUMBNAIL.width, height: THUMBNAIL.height });
    const look = el(
      "button",
      { class: "look", type: "button", title: `Look through ${key}` },
      canvas,
      el("span", { class: "name" }, key),
    );
    look.addEventListener("click", () => this.lookThrough(key));
    const pin = iconButton("pip", `Show ${key} over the viewport`, () => this.togglePin(key));
    const copy = iconButton("code", `Copy ${key} as Python`, () => {
      const newest = this.store.now.cameras.find((each) => each.key === key);
      if (newest) this.actions.copy(newest);
    });
    for (const button of [pin, copy]) button.classList.add("small");
    const element = el("div", { class: "card", role: "listitem", "data-key": key }, look, el("div", { class: "actions" }, pin, copy));
    this.cards.set(key, { element, canvas, pin });
    this.list.append(element);
    this.observer.observe(element);
  }

  private drop(key: string): void {
    const card = this.cards.get(key);
    if (card) this.observer.unobserve(card.element);
    card?.element.remove();
    this.cards.delete(key);
    this.seen.delete(key);
    this.pinned.get(key)?.element.remove();
    this.pinned.delete(key);
    this.request(key);
  }

  private lookThrough(key: string): void {
    this.link.post({ type: "look-through", key: this.store.now.through === key ? null : key });
  }

  private togglePin(key: string): void {
    if (this.pinned.has(key)) this.unpin(key);
    else this.pin(key);
  }

  private pin(key: string): void {
    const canvas = el("canvas", { width: INSET.width, height: INSET.height, title: `Look through ${key}` });
    canvas.addEventListener("click", () => this.lookThrough(key));
    const close = iconButton("close", `Close the picture of ${key}`, () => this.unpin(key));
    close.classList.add("small");
    const element = el(
      "figure",
      { class: "inset", style: "margin: 0; width: 208px", "data-key": key },
      el("header", {}, el("span", {}, key), close),
      canvas,
    );
    this.pinned.set(key, { element, canvas });
    this.unpinned.delete(key);
    this.insets.append(element);
    this.pinChanged(key);
  }

  private unpin(key: string): void {
    this.pinned.get(key)?.element.remove();
    this.pinned.delete(key);
    this.unpinned.add(key);
    this.pinChanged(key);
  }

  private pinChanged(key: string): void {
    const card = this.cards.get(key);
    if (card) setPressed(card.pin, this.pinned.has(key));
    this.request(key);
  }

  private show(key: string, bitmap: ImageBitmap): void {
    const card = this.cards.get(key);
    const inset = this.pinned.get(key);
    if (card && this.seen.has(key)) paint(card.canvas, bitmap);
    if (inset) paint(inset.canvas, bitmap);
    bitmap.close();
  }

  private mark(through: string | null): void {
    for (const [key, card] of this.cards) card.element.setAttribute("aria-current", String(key === through));
  }

  private scrolled(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const key = (entry.target as HTMLElement).dataset["key"] ?? "";
      if (entry.isIntersecting) this.seen.add(key);
      else this.seen.delete(key);
      this.request(key);
    }
  }

  /** Only pictures that can be seen are drawn. */
  private request(key: string): void {
    const on = this.seen.has(key) || this.pinned.has(key);
    const size = this.pinned.has(key) ? INSET : THUMBNAIL;
    if (this.store.now.shows === "scene") this.link.post({ type: "monitor", key, on, ...size });
    else if (on) void this.ask(key, size).catch(() => {}); // an old picture is better than none
  }

  /** A camera's picture by the engine of a viewer. */
  private async ask(key: string, { width, height }: { width: number; height: number }): Promise<void> {
    const spec = this.store.now.cameras.find((camera) => camera.key === key)?.spec;
    if (spec === undefined) return;
    const scale = Math.min(width / spec.width, height / spec.height);
    const side = (pixels: number): number => Math.max(1, Math.round(pixels * scale));
    const { value, body } = await this.link.ask("thumbnail", { camera: key, width: side(spec.width), height: side(spec.height) });
    const [from, nbytes] = [Number(value["offset"]), Number(value["nbytes"])];
    this.show(key, await createImageBitmap(new Blob([body.slice(from, from + nbytes)], { type: String(value["mime"]) })));
  }

  private askAgain(): void {
    for (const key of this.cards.keys()) this.request(key);
  }
}
