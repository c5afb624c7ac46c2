// Making elements, in a few lines instead of a framework.

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | EventListener | undefined>;

/** An element: `on...` attributes are listeners, `true` and `false` set and leave out attributes. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (name === "style") made.style.cssText = String(value); // the page's policy forbids the attribute
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child): child is Node | string => !!child));
  return made;
}

const ICONS = {
  camera: "M2 5h3l1-1.5h4L11 5h3v8H2zM8 11.2a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8z",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z",
  hidden: "M2 2l12 12M6.2 4.2C6.8 4 7.4 3.8 8 3.8c4 0 6.5 4.2 6.5 4.2s-.7 1.2-2 2.3M3.8 5.4C2.3 6.6 1.5 8 1.5 8S4 12.2 8 12.2c1 0 1.900-.3 2.700-.6",
  code: "M5.500 4.500L2 8l3.500 3.500M10.500 4.500L14 8l-3.500 3.500",
  save: "M8 2v8M4.800 7L8 10.200 11.200 7M2.500 13.500h11",
  link: "M6.500 9.500l3-3M7 4.500l1.500-1.500a2.800 2.800 0 0 1 4 4L11 8.500M9 11.500L7.500 13a2.800 2.800 0 0 1-4-4L5 7.500",
  sun: "M8 10.800a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600zM8 1.500v1.700M8 12.800v1.700M1.500 8h1.700M12.800 8h1.700M3.400 3.400l1.200 1.200M11.400 11.400l1.200 1.200M3.400 12.600l1.200-1.200M11.400 4.600l1.200-1.200",
  help: "M6 6.200a2 2 0 1 1 2.800 1.800c-.5.300-.8.600-.8 1.300M8 11.500v.2M8 14.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13z",
  panel: "M2 3h12v10H2zM10 3v10",
  play: "M5 3.500l7 4.500-7 4.500z",
  pause: "M5.500 3.500v9M10.500 3.500v9",
  back: "M10 4L6 8l4 4",
  forward: "M6 4l4 4-4 4",
  loop: "M3 8a4 4 0 0 1 4-4h5M10 2l2.200 2L10 6M13 8a4 4 0 0 1-4 4H4M6 14l-2.200-2L6 10",
  newest: "M3 4l4 4-4 4M8 4l4 4-4 4M13.500 4v8",
  close: "M4 4l8 8M12 4l-8 8",
  grid: "M2 6h12M2 10.500h12M6 2v12M10.500 2v12",
  frustum: "M2.500 8L13 3v10zM13 3v10",
  move: "M8 2v12M2 8h12M6.500 3.500L8 2l1.500 1.500M6.500 12.500L8 14l1.500-1.500M3.500 6.500L2 8l1.500 1.500M12.500 6.500L14 8l-1.500 1.500",
  rotate: "M13 8a5 5 0 1 1-1.600-3.700M13.500 2v3h-3",
  scale: "M2.500 13.500h5v-5h-5zM9.500 6.500l4-4M10 2.500h3.500V6",
  home: "M2.500 8L8 3l5.500 5M4 7v6h8V7",
  frame: "M2 5V2h3M11 2h3v3M14 11v3h-3M5 14H2v-3M6 6h4v4H6z",
  pip: "M2 3h12v10H2zM8.500 8.500H14V13H8.500z",
} as const;

export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon; its label is told to screen readers and shown as its tooltip. */
export function iconButton(name: IconName, label: string, press: () => void): HTMLButtonElement {
  const made = el("button", { class: "icon-button", type: "button", "aria-label": label, title: label }, icon(name));
  made.addEventListener("click", press);
  return made;
}

/** Whether a switch is on, for eyes and screen readers. */
export function setPressed(button: HTMLElement, pressed: boolean): void {
  button.setAttribute("aria-pressed", String(pressed));
}

/** Runs `action` with the newest arguments, at most every `interval` milliseconds. */
export function paced<T extends unknown[]>(interval: number, action: (...values: T) => void): (...values: T) => void {
  let waiting: T | null = null;
  let timer = 0;
  const run = (): void => {
    timer = 0;
    if (waiting === null) return;
    const values = waiting;
    waiting = null;
    timer = window.setTimeout(run, interval);
    action(...values);
  };
  return (...values: T): void => {
    waiting = values;
    if (timer === 0) run();
  };
}

export function download(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  el("a", { href: url, download: name }).click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
