// Which way the world's axes point; press one to look from there.
import type { WorkerLink } from "./link";
import type { Store } from "./state";

const NAMES = ["X", "Y", "Z"] as const;
const COLORS = ["#d9483b", "#4c9a3f", "#3f77d9"] as const;
const REACH = 26;

interface Tip {
  group: SVGGElement;
  axis: number;
  sign: 1 | -1;
}

function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string | number>): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

export function axesWidget(link: WorkerLink, store: Store): SVGSVGElement {
  const root = svg("svg", { viewBox: "-38 -38 76 76", class: "axes", role: "group", "aria-label": "World axes" });
  const tips: Tip[] = [];
  for (const sign of [-1, 1] as const) {
    NAMES.forEach((name, axis) => {
      const label = `Look from ${sign > 0 ? "+" : "−"}${name}`;
      const group = svg("g", { role: "button", "aria-label": label });
      const color = COLORS[axis] ?? "";
      const title = svg("title", {});
      title.textContent = label;
      if (sign > 0) group.append(svg("line", { x1: 0, y1: 0, stroke: color }));
      group.append(svg("circle", { r: sign > 0 ? 8 : 5, fill: color, "fill-opacity": sign > 0 ? 1 : 0.35 }), title);
      if (sign > 0) {
        const text = svg("text", {});
        text.textContent = name;
        group.append(text);
      }
      const direction: [number, number, number] = [0, 0, 0];
      direction[axis] = sign;
      group.addEventListener("click", () => link.post({ type: "frame", key: store.now.selected, axis: direction }));
      tips.push({ group, axis, sign });
    });
  }
  store.watch(["camera"], (state) => { if (state.camera !== null) place(root, tips, state.camera.matrix); });
  return root;
}

function place(root: SVGSVGElement, tips: readonly Tip[], matrix: readonly number[]): void {
  const at = tips.map((tip) => {
    const [right, up, back] = [0, 4, 8].map((column) => (matrix[column + tip.axis] ?? 0) * tip.sign);
    return { tip, x: REACH * (right ?? 0), y: -REACH * (up ?? 0), toward: back ?? 0 };
  });
  at.sort((a, b) => a.toward - b.toward);
  for (const { tip, x, y } of at) {
    for (const name of ["circle", "text"]) {
      const part = tip.group.querySelector(name);
      part?.setAttribute(name === "circle" ? "cx" : "x", x.toFixed(1));
      part?.setAttribute(name === "circle" ? "cy" : "y", y.toFixed(1));
    }
    const line = tip.group.querySelector("line");
    line?.setAttribute("x2", x.toFixed(1));
    line?.setAttribute("y2", y.toFixed(1));
    root.append(tip.group);
  }
}
