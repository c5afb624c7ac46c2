// The timeline: scrubs, plays, loops, and follows the newest.
import { el, iconButton, paced, setPressed } from "./dom";
import { setFill } from "./controls";
import type { WorkerLink } from "./link";
import type { Store } from "./state";

const EVERY = 40; // milliseconds between positions while scrubbing
const DEFAULT_RATE = 10; // positions a second while playing

export class Timeline {
  readonly element: HTMLElement;
  private readonly range = el("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Position on the timeline" });
  private readonly at = el("span", { class: "at mono" });
  private readonly playButton = iconButton("play", "Play (space)", () => this.setPlaying(!this.playing));
  private readonly loopButton = iconButton("loop", "Loop", () => this.setLooping(!this.looping));
  private readonly newestButton = iconButton("newest", "Follow the newest", () => this.setFollowing(!this.following));
  private readonly send: (index: number) => void;
  private name = "timeline";
  /** Index of the sample that is shown; that of its position where all were kept. */
  private sample: number | null = null;
  private count = 0;
  private index = 0;
  private rate = DEFAULT_RATE;
  private playing = false;
  private looping = false;
  private following = false;
  private timer = 0;

  constructor(
    link: WorkerLink,
    private readonly store: Store,
  ) {
    this.send = paced(EVERY, (index: number) => link.event("CONTROL", this.name, index));
    this.element = el(
      "div",
      { class: "timeline", role: "group", "aria-label": "Timeline", hidden: true },
      iconButton("back", "Step back (,)", () => this.step(-1)),
      this.playButton,
      iconButton("forward", "Step forward (.)", () => this.step(1)),
      this.range,
      this.at,
      this.loopButton,
      this.newestButton,
    );
    this.range.addEventListener("input", () => { this.setFollowing(false); this.go(this.range.valueAsNumber); });
    for (const button of [this.playButton, this.loopButton, this.newestButton]) setPressed(button, false);
  }

  get shown(): boolean {
    return !this.element.hidden;
  }

  /**
   * Show what the server says.
   *
   * @param facts - `length` of the timeline, `name` of its control, `rate` at which it plays, `index` of what is shown.
   * @param position - where it is.
   */
  show(facts: Readonly<Record<string, unknown>>, position: unknown): void {
    this.count = Number(facts["length"] ?? facts["count"] ?? 0);
    this.name = String(facts["name"] ?? "timeline");
    this.sample = typeof facts["index"] === "number" ? facts["index"] : null;
    const told = position ?? facts["index"];
    this.element.hidden = this.count < 1;
    if (typeof facts["rate"] === "number" && facts["rate"] > 0) this.rate = facts["rate"];
    if (this.element.hidden) return this.setPlaying(false);
    this.range.max = String(this.count - 1);
    if (this.following && this.index !== this.count - 1) this.go(this.count - 1);
    else if (!this.playing && typeof told === "number") this.mark(told);
    else this.mark(this.index);
  }

  step(by: number): void {
    this.setPlaying(false);
    this.setFollowing(false);
    this.go(this.index + by);
  }

  toggle(): void {
    this.setPlaying(!this.playing);
  }

  go(index: number): void {
    const last = Math.max(0, this.count - 1);
    this.mark(Math.min(Math.max(index, 0), last));
    this.send(this.index);
  }

  private mark(index: number): void {
    this.index = index;
    this.range.value = String(index);
    setFill(this.range);
    const other = this.sample !== null && this.sample !== index && !this.playing;
    this.at.textContent = `${index} / ${Math.max(0, this.count - 1)}`;
    this.at.title = other ? `sample ${this.sample}` : "";
    this.store.set({ index });
  }

  private setPlaying(playing: boolean): void {
    this.playing = playing && this.count > 1;
    window.clearInterval(this.timer);
    if (this.playing) {
      if (this.index >= this.count - 1) this.go(0);
      this.timer = window.setInterval(() => this.advance(), 1000 / this.rate);
    }
    setPressed(this.playButton, this.playing);
    this.playButton.ariaLabel = this.playing ? "Pause (space)" : "Play (space)";
  }

  private advance(): void {
    if (this.index < this.count - 1) this.go(this.index + 1);
    else if (this.looping) this.go(0);
    else if (!this.following) this.setPlaying(false);
  }

  private setLooping(looping: boolean): void {
    this.looping = looping;
    setPressed(this.loopButton, looping);
  }

  private setFollowing(following: boolean): void {
    this.following = following;
    setPressed(this.newestButton, following);
    if (following) this.go(this.count - 1);
  }
}
