// Files dragged onto the page: sent to the server, which shows them.
import { el } from "./dom";
import type { WorkerLink } from "./link";
import type { Notices } from "./notices";

const MIB = 2 ** 20;
const MOST_BYTES = 64 * MIB;
const SUFFIXES = [".glb", ".gltf", ".urdf", ".xml", ".mjcf", ".ply", ".obj", ".mtl", ".stl", ".png", ".jpg", ".jpeg", ".bin"];

function known(name: string): boolean {
  return SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix));
}

export async function sendFiles(files: readonly File[], link: WorkerLink, notices: Notices): Promise<void> {
  const unknown = files.find((file) => !known(file.name));
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (unknown) return notices.show("expected GLB, URDF, MJCF, PLY, OBJ or STL", "problem", unknown.name);
  if (total > MOST_BYTES) return notices.show(`${Math.round(total / MIB)} MiB; at most ${MOST_BYTES / MIB} MiB can be dropped`, "problem", files[0]?.name);
  const names = files.map((file) => file.name).join(", ");
  try {
    notices.show(`${await upload(files, link)} is shown`);
  } catch (error) {
    notices.show(error instanceof Error ? error.message : String(error), "error", names);
  }
}

/** Send files to the server; returns what it calls the scene that it made of them. */
async function upload(files: readonly File[], link: WorkerLink): Promise<string> {
  const places: { name: string; offset: number; nbytes: number }[] = [];
  let used = 0;
  for (const file of files) {
    places.push({ name: file.webkitRelativePath || file.name, offset: used, nbytes: file.size });
    used += file.size;
  }
  const body = new Uint8Array(used);
  for (const [at, file] of files.entries()) body.set(new Uint8Array(await file.arrayBuffer()), places[at]?.offset ?? 0);
  const { value } = await link.ask("drop", { files: places }, body);
  return String(value["opened"] ?? files[0]?.name);
}

export function acceptDrops(view: HTMLElement, link: WorkerLink, notices: Notices): void {
  const cover = el("div", { class: "dropping", hidden: true }, "Drop a GLB, URDF, MJCF, PLY, OBJ or STL");
  view.append(cover);
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    cover.hidden = false;
  });
  window.addEventListener("dragleave", (event) => { if (event.relatedTarget === null) cover.hidden = true; });
  window.addEventListener("drop", (event) => {
    cover.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    void sendFiles([...(event.dataTransfer?.files ?? [])], link, notices);
  });
}
