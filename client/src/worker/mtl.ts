// MTL files, read as src/heliograph/engines/shared/obj.py reads them: colour, opacity, an image.
import { MeshStandardMaterial, RepeatWrapping, SRGBColorSpace, Texture } from "three";
import { decodeImage } from "./loads";

/** The materials that an OBJ file's libraries have, by name; a library that is not there is left out. */
export async function readMaterials(obj: string, url: string): Promise<Map<string, MeshStandardMaterial>> {
  const found = new Map<string, MeshStandardMaterial>();
  for (const [, name = ""] of obj.matchAll(/^\s*mtllib\s+(.+?)\s*$/gm)) {
    const library = new URL(encodeURI(name), url).href;
    const answer = await fetch(library);
    if (answer.ok) await readLibrary(await answer.text(), library, found);
  }
  return found;
}

async function readLibrary(text: string, url: string, found: Map<string, MeshStandardMaterial>): Promise<void> {
  let now = new MeshStandardMaterial();
  for (const line of text.split(/\r?\n|\r/)) {
    const [tag = "", ...words] = line.trim().split(/\s+/);
    const numbers = words.map(Number).map((value) => Math.min(Math.max(value, 0), 1));
    switch (tag.toLowerCase()) {
      case "newmtl":
        now = new MeshStandardMaterial();
        found.set(words.join(" "), now);
        break;
      case "kd": {
        const [red = 1, green = red, blue = red] = numbers;
        now.color.setRGB(red, green, blue, SRGBColorSpace);
        break;
      }
      case "d":
        now.opacity = numbers.at(-1) ?? 1;
        now.transparent = now.opacity < 1;
        break;
      case "map_kd":
        await dress(now, new URL(encodeURI(words.at(-1) ?? ""), url).href);
        break;
    }
  }
}

async function dress(material: MeshStandardMaterial, url: string): Promise<void> {
  const answer = await fetch(url);
  if (!answer.ok) return;
  const { bitmap, clear } = await decodeImage(await answer.blob());
  material.map = new Texture(bitmap);
  material.map.flipY = false;
  material.map.colorSpace = SRGBColorSpace;
  material.map.wrapS = material.map.wrapT = RepeatWrapping;
  material.map.needsUpdate = true;
  material.userData["mapClear"] = clear;
}
