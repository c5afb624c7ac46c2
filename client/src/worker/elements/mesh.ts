// Triangles of arrays or of a file.
import { AnimationMixer, BufferAttribute, BufferGeometry, Color, Matrix4, Mesh, SkinnedMesh, SRGBColorSpace, Vector3, type Object3D } from "three";
import type { AssetRef, Row } from "../../messages";
import { paint, PLAIN_DRESS, type Dress, type FileLook } from "../materials";
import { withNormals, type Model } from "../models";
import { Surface, type DrawnObject } from "../surface";
import { hull } from "../outlines";
import { isAssetRef, number, text, type NumericArray } from "../values";
import { DrawnElement } from "./drawn";
import type { Kit } from "./element";

const LOOKS: ReadonlySet<string> = new Set(["material", "materialType"]);
/** Turns what has y up so that z is. */
const UPRIGHT = new Matrix4().makeRotationX(Math.PI / 2);

export class MeshElement extends DrawnElement {
  private geometry: BufferGeometry | null = null;
  private dress: Dress = PLAIN_DRESS;
  private file: AssetRef | null = null;
  /** Counts what was shown, so that a model that comes too late is not. */
  private turn = 0;
  private root: Object3D | null = null;
  private parts: { surface: Surface; look: FileLook }[] = [];

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.build();
  }

  override dispose(): void {
    super.dispose();
    this.drop();
  }

  protected override useFiles(): void {
    super.useFiles();
    const source = this.row.props["src"];
    if (isAssetRef(source)) this.kit.loads.use(this.row.key, source);
  }

  protected override rebuild(changed: ReadonlySet<string>): void {
    this.refreshFiles();
    if (this.root !== null && [...changed].every((name) => name === "time")) {
      this.pose(this.root);
      return;
    }
    if ([...changed].every((name) => LOOKS.has(name))) {
      if (this.file) this.paintParts();
      else this.repaint(this.dress);
      return;
    }
    this.clear();
    this.drop();
    this.build();
  }

  private drop(): void {
    this.turn += 1;
    this.geometry?.dispose();
    this.geometry = null;
    this.parts = [];
    this.root = null;
    if (this.file) this.kit.models.release(this.file);
    this.file = null;
  }

  private build(): void {
    const source = this.row.props["src"];
    if (isAssetRef(source)) this.load(source);
    else this.buildArrays();
  }

  private load(source: AssetRef): void {
    this.file = source;
    const { turn } = this;
    this.kit.models.use(source, (model) => {
      if (turn === this.turn) this.showModel(model);
    });
  }

  private showModel(model: Model): void {
    const { root, meshes } = model.copy();
    const name = this.file?.name.toLowerCase() ?? "";
    const up = text(this.row.props, "up", /\.(glb|gltf)$/.test(name) ? "y" : "z");
    root.matrixAutoUpdate = false;
    root.updateMatrix();
    if (up === "y") root.matrix.premultiply(UPRIGHT);
    this.object.add(root);
    this.root = root;
    this.parts = meshes.map(({ mesh, look }) => ({ surface: this.surfaceOf(mesh), look }));
    this.paintParts();
    this.parts.forEach(({ surface }) => this.kit.surfaces.add(surface));
    this.pose(root);
    this.kit.refresh();
  }

  /** Put a model where its animation has it at `time`, whatever it showed before. */
  private pose(root: Object3D): void {
    const name = text(this.row.props, "animation", "");
    const clip = root.animations.find((each) => each.name === name);
    if (clip === undefined && name !== "") {
      const known = root.animations.map((each) => each.name).join(", ") || "none";
      this.kit.problem(this.row.key, `its file has no animation ${JSON.stringify(name)} (it has: ${known})`);
    } else if (clip !== undefined) {
      const mixer = new AnimationMixer(root);
      mixer.clipAction(clip).play();
      mixer.setTime(number(this.row.props, "time", 0));
      root.traverse((object) => (object.frustumCulled = false)); // their bounds are those of the file
    }
    root.updateWorldMatrix(true, false);
    root.updateMatrixWorld(true);
    const fromWorld = this.object.matrixWorld.clone().invert();
    this.clearOutline();
    this.outline((thickness, angle) =>
      this.surfaces.map(({ object }) => hull(deformed(object), fromWorld.clone().multiply(object.matrixWorld), thickness, angle)),
    );
  }

  private surfaceOf(mesh: DrawnObject): Surface {
    const surface = new Surface(mesh, null, this, this.kit.world);
    this.surfaces.push(surface);
    return surface;
  }

  /** Give parts of a model the looks of their file, with what the row says in its place. */
  private paintParts(): void {
    this.exchange(() => {
      for (const { surface, look } of this.parts) {
        const props = { ...look.props, ...this.material };
        paint(surface, props);
        surface.look = this.keep(this.kit.materials.use(this.kind(look.kind), props, look.dress, look));
        this.kit.surfaces.redress(surface);
      }
    });
  }

  private buildArrays(): void {
    const { blobs, surfaces } = this.kit;
    const { props } = this.row;
    const vertices = blobs.array(props["vertices"]);
    const faces = blobs.array(props["faces"]);
    if (vertices === null || faces === null) return;
    const colors = blobs.array(props["colors"]);
    const arrays = { vertices, faces, normals: blobs.array(props["normals"]), uvs: blobs.array(props["uvs"]), colors };
    this.geometry = geometryOf(arrays);
    this.dress = { vertexColours: colors !== null, clear: colors !== null && isClear(colors), flat: false };
    const mesh = new Mesh(this.geometry);
    mesh.matrixAutoUpdate = false;
    this.object.add(mesh);
    surfaces.add(this.show(mesh, this.dress));
    this.outline((thickness, angle) => [hull(mesh.geometry, mesh.matrix, thickness, angle)]);
  }
}

/** Its geometry as skin and weights shape it. */
function deformed(mesh: DrawnObject): BufferGeometry {
  const { geometry } = mesh;
  if (!(mesh instanceof SkinnedMesh || (mesh instanceof Mesh && mesh.morphTargetInfluences))) return geometry;
  const { count } = geometry.getAttribute("position");
  const points = Array.from({ length: count }, (_, at) => mesh.getVertexPosition(at, new Vector3()).toArray());
  const made = new BufferGeometry().setIndex(geometry.index);
  return made.setAttribute("position", new BufferAttribute(Float32Array.from(points.flat()), 3));
}

interface MeshArrays {
  vertices: NumericArray;
  faces: NumericArray;
  normals: NumericArray | null;
  uvs: NumericArray | null;
  /** uint8, sRGB. */
  colors: NumericArray | null;
}

/** A geometry; without normals its faces are flat. */
function geometryOf({ vertices, faces, normals, uvs, colors }: MeshArrays): BufferGeometry {
  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(Uint32Array.from(faces.data), 1));
  geometry.setAttribute("position", new BufferAttribute(Float32Array.from(vertices.data), 3));
  if (uvs) geometry.setAttribute("uv", new BufferAttribute(Float32Array.from(uvs.data), 2));
  if (colors) geometry.setAttribute("color", linearColours(colors));
  if (normals) geometry.setAttribute("normal", new BufferAttribute(Float32Array.from(normals.data), 3));
  return withNormals(geometry);
}

export function isClear({ data, shape }: NumericArray): boolean {
  return shape[1] === 4 && data.some((value, at) => at % 4 === 3 && value < 255);
}

/** Colours (N, 3 or 4), uint8 sRGB, as linear light. */
export function linearColours({ data, shape }: NumericArray): BufferAttribute {
  const channels = shape[1] ?? 3;
  const light = new Float32Array(data.length);
  const colour = new Color();
  for (let i = 0; i < data.length; i += channels) {
    colour.setRGB((data[i] ?? 0) / 255, (data[i + 1] ?? 0) / 255, (data[i + 2] ?? 0) / 255, SRGBColorSpace).toArray(light, i);
    if (channels === 4) light[i + 3] = (data[i + 3] ?? 255) / 255;
  }
  return new BufferAttribute(light, channels);
}
