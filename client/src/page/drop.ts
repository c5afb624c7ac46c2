// Files dragged onto the page: sent to the server, which shows them.
import { el } from "./dom";
import type { Notices } from "./notices";

const MIB = 2 ** 20;
const MOST_BYTES = 1024 * MIB;
const SUFFIXES = [".glb", ".gltf", ".urdf", ".xml", ".mjcf", ".ply", ".obj", ".mtl", ".stl", ".png", ".jpg", ".jpeg", ".bin"];

function known(name: string): boolean {
  return SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix));
}

export async function sendFiles(files: readonly File[], session: string, notices: Notices): Promise<void> {
  const unknown = files.find((file) => !known(file.name));
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (unknown) return notices.show("expected GLB, URDF, MJCF, PLY, OBJ or STL", "problem", unknown.name);
  if (total > MOST_BYTES) return notices.show(`${Math.round(total / MIB)} MiB; at most ${MOST_BYTES / MIB} MiB can be dropped`, "problem", files[0]?.name);
  const names = files.map((file) => file.name).join(", ");
  try {
    notices.show(`${await upload(files, session)} is shown`);
  } catch (error) {
    notices.show(error instanceof Error ? error.message : String(error), "error", names);
  }
}

/** Send files to the server; returns what it calls the scene that it made of them. */
async function upload(files: readonly File[], session: string): Promise<string> {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  const url = new URL("drop", document.baseURI);
  url.searchParams.set("session", session);
  const answer = await fetch(url, { method: "POST", body: form });
  if (answer.status === 404 || answer.status === 405) throw new Error("this program takes no files; open them with: heliograph view FILE");
  const told = (await answer.json()) as { opened?: string; error?: string };
  if (!answer.ok) throw new Error(told.error ?? `the server answers ${answer.status}`);
  return told.opened ?? files[0]?.name ?? "";
}

export function acceptDrops(view: HTMLElement, session: () => string, notices: Notices): void {
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
    void sendFiles([...(event.dataTransfer?.files ?? [])], session(), notices);
  });
}
