// Sheets over the page: the keys, and code to copy.
import { el, iconButton } from "./dom";

export interface Shortcut {
  /** As `KeyboardEvent.key` has them; the first is shown. */
  keys: readonly string[];
  label: string;
  run: (event: KeyboardEvent) => void;
}

const MOUSE: readonly [string, string][] = [
  ["drag", "orbit"],
  ["right drag", "pan; also shift drag"],
  ["wheel, pinch", "zoom"],
  ["click", "select; look through a frustum"],
  ["drag", "move a movable frustum or object"],
  ["arrows", "pan the viewport; with ctrl: orbit"],
];

function sheet(title: string, content: HTMLElement): HTMLDialogElement {
  const dialog = el("dialog", { "aria-label": title });
  dialog.append(el("header", {}, el("span", {}, title), iconButton("close", "Close", () => dialog.close())), content);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

const NAMES: Readonly<Record<string, string>> = { " ": "space", Escape: "esc" };

export function showHelp(shortcuts: readonly Shortcut[]): void {
  const line = (key: string, what: string): HTMLElement => el("div", {}, el("dt", {}, what), el("dd", {}, el("kbd", {}, key)));
  const keys = shortcuts.map((each) => line(NAMES[each.keys[0] ?? ""] ?? each.keys[0] ?? "", each.label));
  const mouse = MOUSE.map(([key, what]) => line(key, what));
  sheet("Keys and gestures", el("div", { class: "content" }, el("dl", { class: "keys" }, ...keys, ...mouse)));
}

/** Show code and put it on the clipboard, where that is allowed. */
export async function showCode(title: string, code: string): Promise<void> {
  const told = el("span", { class: "muted", role: "status" });
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(code);
      told.textContent = "Copied.";
    } catch {
      told.textContent = "The browser does not allow copying here: select the lines and copy them.";
    }
  };
  const again = el("button", { class: "push primary", type: "button" }, "Copy");
  again.addEventListener("click", () => void copy());
  const buttons = el("div", { class: "row-buttons", style: "align-items: center" }, again, told);
  sheet(title, el("div", { class: "content" }, el("pre", { class: "code", tabindex: 0 }, code), buttons));
  await copy();
}

export interface MenuItem {
  label: string;
  hint: string;
  run: () => void;
}

/** A menu below a button; arrow keys move in it, Esc closes it. */
export function openMenu(button: HTMLElement, items: readonly MenuItem[]): void {
  const box = button.getBoundingClientRect();
  const menu = el("div", { class: "menu", role: "menu", popover: "auto" });
  for (const item of items) {
    const press = el("button", { type: "button", role: "menuitem" }, item.label, el("span", { class: "muted" }, item.hint));
    press.addEventListener("click", () => { menu.hidePopover(); item.run(); });
    menu.append(press);
  }
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const all = [...menu.querySelectorAll("button")];
    all[(all.indexOf(document.activeElement as HTMLButtonElement) + step + all.length) % all.length]?.focus();
    event.preventDefault();
  });
  menu.addEventListener("toggle", (event) => { if ((event as ToggleEvent).newState === "closed") { menu.remove(); button.focus(); } });
  document.body.append(menu);
  menu.showPopover();
  menu.style.top = `${box.bottom}px`;
  menu.style.left = `${Math.max(6, Math.min(box.left, window.innerWidth - menu.offsetWidth - 6))}px`;
  menu.querySelector("button")?.focus();
}
