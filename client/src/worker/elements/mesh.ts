// Triangles of arrays or of a file.
import { BufferAttribute, BufferGeometry, Mesh, SRGBColorSpace, Color } from "three";
import type { Row } from "../../messages";
import { PLAIN_DRESS, type Dress } from "../materials";
import type { NumericArray } from "../values";
import { DrawnElement } from "./drawn";
import type { Kit } from "./element";

const LOOKS: ReadonlySet<string> = new Set(["material", "materialType"]);

export class MeshElement extends DrawnElement {
  private geometry: BufferGeometry | null = null;
  private dress: Dress = PLAIN_DRESS;

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.build();
  }

  override dispose(): void {
    super.dispose();
    this.geometry?.dispose();
  }

  protected override rebuild(changed: ReadonlySet<string>): void {
    this.refreshFiles();
    if ([...changed].every((name) => LOOKS.has(name))) {
      this.repaint(this.dress);
      return;
    }
    this.clear();
    this.geometry?.dispose();
    this.build();
  }

  private build(): void {
    const { blobs, surfaces } = this.kit;
    const { props } = this.row;
    const vertices = blobs.array(props["vertices"]);
    const faces = blobs.array(props["faces"]);
    if (vertices === null || faces === null) return;
    const colors = blobs.array(props["colors"]);
    const arrays = { vertices, faces, normals: blobs.array(props["normals"]), uvs: blobs.array(props["uvs"]), colors };
    this.geometry = geometryOf(arrays);
    this.dress = { vertexColours: colors !== null, flat: false };
    const mesh = new Mesh(this.geometry);
    mesh.matrixAutoUpdate = false;
    this.object.add(mesh);
    surfaces.add(this.show(mesh, this.dress));
  }
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
  const indexed = new BufferGeometry();
  indexed.setIndex(new BufferAttribute(Uint32Array.from(faces.data), 1));
  indexed.setAttribute("position", new BufferAttribute(Float32Array.from(vertices.data), 3));
  if (uvs) indexed.setAttribute("uv", new BufferAttribute(Float32Array.from(uvs.data), 2));
  if (colors) indexed.setAttribute("color", linearColours(colors));
  if (normals) indexed.setAttribute("normal", new BufferAttribute(Float32Array.from(normals.data), 3));
  return normals ? indexed : withFlatNormals(indexed);
}

export function withFlatNormals(geometry: BufferGeometry): BufferGeometry {
  const flat = geometry.index ? geometry.toNonIndexed() : geometry;
  flat.computeVertexNormals();
  return flat;
}

function linearColours({ data, shape }: NumericArray): BufferAttribute {
  const channels = shape[1] ?? 3;
  const light = new Float32Array(data.length);
  const colour = new Color();
  for (let i = 0; i < data.length; i += channels) {
    colour.setRGB((data[i] ?? 0) / 255, (data[i + 1] ?? 0) / 255, (data[i + 2] ?? 0) / 255, SRGBColorSpace).toArray(light, i);
    if (channels === 4) light[i + 3] = (data[i + 3] ?? 255) / 255;
  }
  return new BufferAttribute(light, channels);
}
