// Points, each a small octahedron, as src/heliograph/scene/point_cloud.py means them.
import { BufferAttribute, BufferGeometry, InstancedBufferAttribute, InstancedMesh } from "three";
import type { Row } from "../../messages";
import { PLAIN_DRESS } from "../materials";
import { number } from "../values";
import { DrawnElement } from "./drawn";
import type { Kit } from "./element";
import { isClear, linearColours } from "./mesh";

const LOOKS: ReadonlySet<string> = new Set(["material", "materialType"]);
const CORNERS = [1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1];
const FACES = [0, 2, 4, 2, 1, 4, 1, 3, 4, 3, 0, 4, 2, 0, 5, 1, 2, 5, 3, 1, 5, 0, 3, 5];

export class PointCloudElement extends DrawnElement {
  private mesh: InstancedMesh | null = null;

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.build();
  }

  override dispose(): void {
    super.dispose();
    this.drop();
  }

  protected override rebuild(changed: ReadonlySet<string>): void {
    this.refreshFiles();
    if ([...changed].every((name) => LOOKS.has(name))) {
      this.repaint(PLAIN_DRESS);
      return;
    }
    this.clear();
    this.drop();
    this.build();
  }

  private drop(): void {
    this.mesh?.geometry.dispose();
    this.mesh?.dispose();
    this.mesh = null;
  }

  private build(): void {
    const { blobs, surfaces } = this.kit;
    const { props } = this.row;
    const points = blobs.array(props["vertices"]);
    if (points === null || points.data.length === 0) return;
    const mesh = new InstancedMesh(octahedron(number(props, "size", 0.01) / 2), undefined, points.data.length / 3);
    const matrices = mesh.instanceMatrix.array;
    for (let at = 0; at < mesh.count; at++) {
      for (const diagonal of [0, 5, 10, 15]) matrices[16 * at + diagonal] = 1;
      for (const axis of [0, 1, 2]) matrices[16 * at + 12 + axis] = points.data[3 * at + axis] ?? 0;
    }
    const colors = blobs.array(props["colors"]);
    if (colors) mesh.instanceColor = new InstancedBufferAttribute(opaque(linearColours(colors)), 3);
    if (colors && isClear(colors)) this.kit.problem(this.row.key, "the page ignores the opacity of a PointCloud's colors");
    mesh.matrixAutoUpdate = false;
    this.mesh = mesh;
    this.object.add(mesh);
    surfaces.add(this.show(mesh, PLAIN_DRESS));
  }
}

function octahedron(half: number): BufferGeometry {
  const made = new BufferGeometry();
  made.setIndex(FACES);
  made.setAttribute("position", new BufferAttribute(Float32Array.from(CORNERS, (value) => value * half), 3));
  made.setAttribute("normal", new BufferAttribute(Float32Array.from(CORNERS), 3));
  return made;
}

/** Red, green and blue of each; three.js's instances have no opacity of their own. */
function opaque(colours: BufferAttribute): Float32Array {
  const rgb = new Float32Array(3 * colours.count);
  for (let at = 0; at < colours.count; at++) rgb.set([colours.getX(at), colours.getY(at), colours.getZ(at)], 3 * at);
  return rgb;
}
