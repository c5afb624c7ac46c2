// Model files, read once for all components that show them.
import {
  BufferAttribute,
  BufferGeometry,
  Color,
  Group,
  Mesh,
  MeshBasicMaterial,
  MeshPhysicalMaterial,
  MeshStandardMaterial,
  SRGBColorSpace,
  Texture,
  type Material,
  type Object3D,
} from "three";
import type { AssetRef } from "../messages";
import type { Loads } from "./loads";
import { MAPS, type FileLook } from "./materials";
import { readMaterials } from "./mtl";
import type { Props } from "./values";

/** A model as its file has it; objects are copied for each component that shows it. */
export interface Model {
  root: Object3D;
  /** What the file says of the look of each mesh. */
  looks: Map<Mesh, FileLook>;
  /** A copy that moves by itself. */
  copy(): ModelCopy;
}

export interface ModelCopy {
  root: Object3D;
  meshes: { mesh: Mesh; look: FileLook }[];
}

type Reader = (data: ArrayBuffer, url: string) => Promise<Object3D>;

export class Models {
  private readonly made = new Map<string, { users: number; loading: Promise<Model>; model: Model | null }>();

  constructor(private readonly loads: Loads) {}

  /** Have the model of a file shown, at once if it is there; `release` it. */
  use(asset: AssetRef, show: (model: Model) => void): void {
    const kept = this.made.get(asset.url) ?? this.load(asset);
    kept.users += 1;
    if (kept.model) show(kept.model);
    else kept.loading.then(show, () => undefined);
  }

  release(asset: AssetRef): void {
    const kept = this.made.get(asset.url);
    if (kept === undefined || --kept.users > 0) return;
    this.made.delete(asset.url);
    kept.loading.then(dispose, () => undefined);
  }

  private load(asset: AssetRef): { users: number; loading: Promise<Model>; model: Model | null } {
    const loading = this.loads.track(asset, this.read(asset));
    const kept = { users: 0, loading, model: null as Model | null };
    loading.then(
      (model) => {
        kept.model = model;
      },
      () => undefined,
    );
    this.made.set(asset.url, kept);
    return kept;
  }

  private async read(asset: AssetRef): Promise<Model> {
    const suffix = asset.name.slice(asset.name.lastIndexOf(".")).toLowerCase();
    const reader = READERS[suffix];
    if (reader === undefined) throw new Error(`expected a file of ${Object.keys(READERS).join(" ")}`);
    const data = await (await this.loads.fetch(asset)).arrayBuffer();
    const root = await reader(data, this.loads.url(asset));
    const { clone } = await import("three/addons/utils/SkeletonUtils.js");
    const looks = new Map(meshesOf(root).map((mesh) => [mesh, fileLook(mesh)]));
    if (!looks.size) throw new Error("expected triangles, found none; is it damaged or empty?");
    return { root, looks, copy: () => copied(clone(root), root, looks) };
  }
}

function copied(copy: Object3D, root: Object3D, looks: Map<Mesh, FileLook>): ModelCopy {
  const originals = meshesOf(root);
  const meshes = meshesOf(copy).flatMap((mesh, at) => {
    const look = looks.get(originals[at] ?? mesh);
    return look ? [{ mesh, look }] : [];
  });
  return { root: copy, meshes };
}

type OneMesh = Mesh<BufferGeometry, Material>;

/** The meshes below an object; readers give each one material. */
function meshesOf(root: Object3D): OneMesh[] {
  const found: OneMesh[] = [];
  root.traverse((object) => {
    if (object instanceof Mesh) found.push(object as OneMesh);
  });
  return found;
}

function dispose({ looks }: Model): void {
  for (const [mesh, { maps }] of looks) {
    mesh.geometry.dispose();
    Object.values(maps).forEach((map) => map.dispose());
  }
}

const srgb = (colour: Color) => colour.getRGB({ r: 0, g: 0, b: 0 }, SRGBColorSpace);

/** What the material of a file's mesh says, as properties of components. */
function fileLook({ material, geometry }: OneMesh): FileLook {
  const props: Props = { side: ["front", "back", "double"][material.side] ?? "front" };
  const maps: Record<string, Texture> = {};
  for (const name of MAPS) {
    const map = (material as unknown as Record<string, unknown>)[name];
    if (map instanceof Texture) maps[name] = map;
  }
  if (material.alphaTest > 0) props["alphaTest"] = material.alphaTest;
  if (material.transparent || material.alphaTest > 0) props["opacity"] = material.opacity;
  if ("color" in material) {
    const { r, g, b } = srgb(material.color as Color);
    props["color"] = [r, g, b];
  }
  if (material instanceof MeshStandardMaterial) {
    const { r, g, b } = srgb(material.emissive);
    const { roughness, metalness, emissiveIntensity, aoMapIntensity, normalScale } = material;
    Object.assign(props, { roughness, metalness, emissive: [r, g, b], emissiveIntensity, aoMapIntensity, normalScale: normalScale.toArray() });
  }
  const own: unknown = material.userData["mapClear"];
  return {
    id: material.uuid,
    kind: material instanceof MeshBasicMaterial ? "basic" : "standard",
    props,
    maps,
    clear: own === undefined ? material.transparent : own === true,
    dress: {
      vertexColours: geometry.hasAttribute("color"),
      clear: material.transparent && geometry.getAttribute("color")?.itemSize === 4,
      flat: "flatShading" in material && material.flatShading === true,
    },
    physical: material instanceof MeshPhysicalMaterial ? material : null,
  };
}

async function readGltf(data: ArrayBuffer, url: string): Promise<Object3D> {
  const { GLTFLoader } = await import("three/addons/loaders/GLTFLoader.js");
  const { scene, animations } = await new GLTFLoader().parseAsync(data, url.slice(0, url.lastIndexOf("/") + 1));
  scene.animations = animations;
  nameTargets(scene);
  return scene;
}

/** Have tracks name what they move by names that copies keep; the loader names what has none by uuid. */
function nameTargets(root: Object3D): void {
  const nameless = new Map<string, Object3D>();
  root.traverse((object) => {
    if (object.name === "") nameless.set(object.uuid, object);
  });
  for (const track of root.animations.flatMap((clip) => clip.tracks)) {
    const dot = track.name.indexOf(".");
    const object = nameless.get(track.name.slice(0, dot));
    if (object === undefined) continue;
    object.name ||= `node-${object.uuid}`;
    track.name = object.name + track.name.slice(dot);
  }
}

async function readPly(data: ArrayBuffer): Promise<Object3D> {
  const { PLYLoader } = await import("three/addons/loaders/PLYLoader.js");
  const geometry = new PLYLoader().parse(data);
  if (geometry.index === null) throw new Error("expected triangles, found none; is it damaged or empty?");
  return new Mesh(withNormals(geometry), new MeshStandardMaterial());
}

async function readStl(data: ArrayBuffer): Promise<Object3D> {
  const { STLLoader } = await import("three/addons/loaders/STLLoader.js");
  return new Mesh(withNormals(new STLLoader().parse(data)), new MeshStandardMaterial());
}

async function readObj(data: ArrayBuffer, url: string): Promise<Object3D> {
  const { OBJLoader } = await import("three/addons/loaders/OBJLoader.js");
  const text = new TextDecoder().decode(data);
  const parsed = new OBJLoader().parse(text);
  const materials = await readMaterials(text, url);
  const root = new Group();
  for (const object of parsed.children) {
    if (!(object instanceof Mesh)) continue;
    const named: Material[] = [object.material].flat();
    for (const { material, geometry } of split(object.geometry, named)) {
      const made = materials.get(material.name)?.clone() ?? new MeshStandardMaterial();
      // An image is not for vertices that have colours in its place.
      if (made.map && !geometry.hasAttribute("uv")) made.map = null;
      root.add(new Mesh(withNormals(geometry), made));
    }
  }
  return root;
}

/** A part for each material of a geometry without indices. */
function split(geometry: BufferGeometry, materials: readonly Material[]): { material: Material; geometry: BufferGeometry }[] {
  const [only] = materials;
  if (materials.length === 1 && only) return [{ material: only, geometry }];
  return geometry.groups.flatMap(({ start, count, materialIndex = 0 }) => {
    const material = materials[materialIndex];
    const part = new BufferGeometry();
    for (const [name, { array, itemSize }] of Object.entries(geometry.attributes)) {
      part.setAttribute(name, new BufferAttribute(array.slice(itemSize * start, itemSize * (start + count)), itemSize));
    }
    return material ? [{ material, geometry: part }] : [];
  });
}

/** Geometry that faces are flat of, where it has no normals. */
export function withNormals(geometry: BufferGeometry): BufferGeometry {
  if (geometry.hasAttribute("normal")) return geometry;
  const flat = geometry.index ? geometry.toNonIndexed() : geometry;
  flat.computeVertexNormals();
  return flat;
}

const READERS: Record<string, Reader> = {
  ".glb": readGltf,
  ".gltf": readGltf,
  ".obj": readObj,
  ".ply": readPly,
  ".stl": readStl,
};

