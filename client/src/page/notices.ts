// Notes in the corner: what could not be done, and what was.
import { el, iconButton } from "./dom";

export type NoticeKind = "note" | "problem" | "error";

const SECONDS: Record<NoticeKind, number> = { note: 4, problem: 0, error: 0 };
const MOST = 5;

export class Notices {
  readonly element = el("div", { class: "over bottom-right", role: "log", "aria-live": "polite", "aria-label": "Notices" });
  private readonly shown = new Map<string, HTMLElement>();

  /** Show a note; one of the same text is not shown twice, and the oldest of too many goes. */
  show(text: string, kind: NoticeKind = "note", about = ""): void {
    const name = `${kind}/${about}/${text}`;
    this.shown.get(name)?.remove();
    const note = el(
      "div",
      { class: "notice", "data-kind": kind },
      el("p", {}, about ? el("b", {}, `${about}: `) : null, text),
      iconButton("close", "Dismiss", () => this.dismiss(name)),
    );
    note.querySelector("button")?.classList.add("small");
    this.shown.delete(name);
    this.shown.set(name, note);
    this.element.append(note);
    const oldest = this.shown.keys().next().value;
    if (this.shown.size > MOST && oldest !== undefined) this.dismiss(oldest);
    if (SECONDS[kind] > 0) window.setTimeout(() => this.dismiss(name), SECONDS[kind] * 1000);
  }

  clear(): void {
    for (const name of [...this.shown.keys()]) this.dismiss(name);
  }

  private dismiss(name: string): void {
    this.shown.get(name)?.remove();
    this.shown.delete(name);
  }
}
