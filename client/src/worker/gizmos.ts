// The viewport's own scene: grids, frustums, markers, words, handles. Sensors never draw it.
import { Box3, Color, Group, Vector3, type Object3D, type PerspectiveCamera, type Texture } from "three";
import type { CameraSpec, Row } from "../messages";
import { GridMesh } from "./grid";
import { cameraOf, perspective } from "./lens";
import { arrow, axes, boxLines, dispose, FrustumMark, words } from "./marks";
import { colour, flag, number, text, vector } from "./values";
import type { SceneNode, World } from "./world";

export type FrustumChoice = "none" | "asked" | "all";

/** Pictures by how rows name them: files and pixels. */
export interface Pictures {
  get(given: unknown, colours: boolean): { texture: Texture; ready: Promise<void> };
}

interface Mark {
  object: Object3D;
  row: Row;
}

const ACCENT = { light: new Color(0xc25a06), dark: new Color(0xf0a548) };
const CAMERA = { light: new Color(0x5b6b7a), dark: new Color(0xa9b8c6) };
/** Of the distance to the target: how far frustums reach of cameras that do not say. */
const PANEL_SHARE = 0.16;

export class Gizmos {
  private readonly marks = new Map<string, Mark>();
  private readonly grids = new Map<string, GridMesh>();
  private readonly frustumMarks = new Map<string, FrustumMark>();
  private readonly ownGrid = new GridMesh();
  private readonly ownGridPlace = new Group();
  private readonly box = boxLines(0xc25a06);
  private dark = false;
  private showsGrid = true;
  private choice: FrustumChoice = "asked";
  /** Cameras of the side panel, where the viewport shows an engine's pictures. */
  private panelCameras: readonly CameraSpec[] = [];
  /** What is behind everything, where the scene has it. */
  backdrop: { map: Texture; opacity: number } | null = null;

  constructor(
    private readonly world: World,
    private readonly pictures: Pictures,
    private readonly changed: () => void,
  ) {
    this.ownGridPlace.add(this.ownGrid);
    world.gizmos.add(this.ownGridPlace, this.box);
    this.box.visible = false;
    this.theme(false);
  }

  get accent(): Color {
    return this.dark ? ACCENT.dark : ACCENT.light;
  }

  theme(dark: boolean): void {
    this.dark = dark;
    this.box.material.color.copy(this.accent);
    for (const mark of this.frustumMarks.values()) mark.color = this.dark ? CAMERA.dark : CAMERA.light;
  }

  choose(grid: boolean, frustums: FrustumChoice): void {
    this.showsGrid = grid;
    this.choice = frustums;
  }

  showPanelCameras(cameras: readonly CameraSpec[]): void {
    this.panelCameras = cameras;
  }

  /** Follow rows that came, went or changed. */
  update(keys: Iterable<string>): void {
    for (const key of keys) {
      const node = this.world.nodes.get(key);
      const mark = this.marks.get(key);
      if (mark && (node === undefined || mark.row !== node.row)) this.drop(key, mark);
      if (node && !this.marks.has(key)) this.make(node);
    }
    for (const [key, mark] of this.frustumMarks) {
      if (this.world.nodes.get(key)?.row.tag === "CameraView" || this.panelCameras.some((each) => each.name === key)) continue;
      dispose(mark.object);
      this.frustumMarks.delete(key);
    }
  }

  private drop(key: string, mark: Mark): void {
    dispose(mark.object);
    this.marks.delete(key);
    this.grids.delete(key);
    if (mark.row.tag === "ImageBackground") this.backdrop = null;
  }

  private make(node: SceneNode): void {
    const object = this.drawn(node.row);
    if (object === null) return;
    const place = new Group();
    place.matrixAutoUpdate = false;
    place.add(object);
    this.world.gizmos.add(place);
    this.marks.set(node.row.key, { object: place, row: node.row });
  }

  private drawn({ key, tag, props }: Row): Object3D | null {
    const color = (otherwise: readonly number[]): Color => colour(props, "color", otherwise);
    switch (tag) {
      case "Grid":
        return this.grid(key, props);
      case "CoordsMarker":
        return axes(number(props, "size", 1), number(props, "headScale", 1));
      case "Arrow":
        return arrow(new Vector3().fromArray(vector(props, "direction", [0, 0, 1]) as number[]), number(props, "length", 1), number(props, "headScale", 1), color([1, 1, 0]));
      case "Text":
        return words({
          text: text(props, "text", ""), color: color([1, 1, 1]), fontSize: number(props, "fontSize", 0.1),
          anchorX: text(props, "anchorX", "center"), anchorY: text(props, "anchorY", "middle"), billboard: flag(props, "billboard", true),
        });
      case "Frustum":
        return this.frustum(key, props);
      case "ImageBackground":
        return this.background(props);
      default:
        return null;
    }
  }

  private grid(key: string, props: Row["props"]): GridMesh {
    const made = new GridMesh();
    made.look({
      size: Array.isArray(props["size"]) ? (props["size"] as number[]) : null,
      cell: number(props, "cellSize", 0.1),
      section: number(props, "sectionSize", 1),
      cellColor: colour(props, "cellColor", [0.5, 0.5, 0.5]),
      sectionColor: colour(props, "sectionColor", [0.35, 0.35, 0.35]),
      fade: number(props, "fadeDistance", 10),
    });
    this.grids.set(key, made);
    return made;
  }

  private frustum(key: string, props: Row["props"]): Object3D {
    const tan = Math.tan((number(props, "fov", 50) * Math.PI) / 360);
    const aspect = number(props, "aspect", 4 / 3);
    const [near, far] = [number(props, "near", 0.1), number(props, "far", 2)];
    const projection = perspective(tan * aspect, tan, near, far);
    const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const spec = { name: key, width: 4, height: 3, matrix: identity, projection, near, far, orthographic: false };
    const made = new FrustumMark(spec, colour(props, "color", [1, 0.65, 0]));
    made.follow(spec, near, far);
    if (props["src"] !== undefined) this.load(props["src"], (map) => { made.picture = map; });
    return made.object;
  }

  private background(props: Row["props"]): Object3D {
    this.load(props["image"] ?? props["src"], (map) => { this.backdrop = { map, opacity: number(props, "opacity", 1) }; });
    return new Group();
  }

  private load(given: unknown, use: (map: Texture) => void): void {
    const { texture, ready } = this.pictures.get(given, false);
    void ready.then(() => { use(texture); this.changed(); }, () => {});
  }

  /** Put everything where it belongs, just before it is drawn. */
  place(camera: PerspectiveCamera, target: Vector3, up: Vector3, selected: string | null, through: string | null): void {
    const distance = Math.max(camera.position.distanceTo(target), 1e-3);
    for (const [key, mark] of this.marks) this.placeMark(key, mark, target);
    const anyGrid = this.grids.size > 0 || this.world.nodes.size === 0;
    this.ownGridPlace.visible = this.showsGrid && !anyGrid;
    if (this.ownGridPlace.visible) this.placeOwnGrid(distance, target, up);
    for (const grid of this.grids.values()) grid.visible = this.showsGrid;
    this.placeFrustums(camera.position, distance, selected, through);
    this.placeBox(selected, through);
  }

  private placeMark(key: string, mark: Mark, target: Vector3): void {
    const node = this.world.nodes.get(key);
    if (node === undefined) return;
    mark.object.matrix.copy(node.object.matrixWorld);
    mark.object.visible = isVisible(node.object);
    mark.object.updateMatrixWorld(true);
    const grid = this.grids.get(key);
    if (grid === undefined) return;
    const local = mark.object.worldToLocal(target.clone());
    grid.centre([local.x, local.y], target.toArray());
  }

  /** A grid where the scene has none: on the ground, as fine as suits the distance. */
  private placeOwnGrid(distance: number, target: Vector3, up: Vector3): void {
    const section = 10 ** Math.round(Math.log10(distance / 3));
    const shade = this.dark ? 0.06 : 0.5;
    this.ownGridPlace.quaternion.setFromUnitVectors(new Vector3(0, 0, 1), up);
    this.ownGridPlace.updateMatrixWorld(true);
    this.ownGrid.look({
      size: null, cell: section / 10, section, fade: 4 * distance,
      cellColor: new Color(shade, shade, shade), sectionColor: new Color(shade, shade, shade),
    });
    const local = this.ownGridPlace.worldToLocal(target.clone());
    this.ownGrid.centre([local.x, local.y], target.toArray());
  }

  /** The cameras there are, by key. */
  cameras(): Map<string, CameraSpec> {
    const found = new Map<string, CameraSpec>(this.panelCameras.map((spec) => [spec.name, spec]));
    for (const [key, { row, object }] of this.world.nodes) {
      if (row.tag === "CameraView") found.set(key, cameraOf(row, object));
    }
    return found;
  }

  private placeFrustums(eye: Vector3, distance: number, selected: string | null, through: string | null): void {
    for (const [key, spec] of this.cameras()) {
      const row = this.world.nodes.get(key)?.row ?? null;
      const mark = this.frustumMark(key, spec);
      const inside = eye.distanceTo(new Vector3().fromArray(spec.matrix, 12)) < 0.01 * distance;
      mark.object.visible = key !== through && !inside && this.showsFrustum(key, row, selected);
      if (!mark.object.visible) continue;
      mark.follow(spec, 0, row === null ? PANEL_SHARE * distance : number(row.props, "distanceToCamera", 2));
      mark.leaveRoomFor(eye);
      mark.highlight = key === selected ? this.accent : null;
      mark.object.updateMatrixWorld(true);
    }
  }

  private frustumMark(key: string, spec: CameraSpec): FrustumMark {
    const known = this.frustumMarks.get(key);
    if (known) return known;
    const made = new FrustumMark(spec, this.dark ? CAMERA.dark : CAMERA.light);
    this.frustumMarks.set(key, made);
    this.world.gizmos.add(made.object);
    return made;
  }

  private showsFrustum(key: string, row: Row | null, selected: string | null): boolean {
    if (this.choice === "none") return false;
    const asks = row === null || flag(row.props, "showFrustum", false) || flag(row.props, "movable", false);
    return this.choice === "all" || asks || key === selected;
  }

  /** Whether a component is a camera of which nothing was to be seen, nor is now. */
  hides(key: string, selected: string | null): boolean {
    const node = this.world.nodes.get(key);
    if (node?.row.tag !== "CameraView" || this.frustumOf(key)?.object.visible !== false) return false;
    return node.object.children.length === 0 && !this.showsFrustum(key, node.row, selected);
  }

  private placeBox(selected: string | null, through: string | null): void {
    const node = selected === null ? undefined : this.world.nodes.get(selected);
    this.box.visible = false;
    if (node === undefined || through !== null || node.row.tag === "CameraView") return;
    const around = new Box3().setFromObject(node.object);
    if (around.isEmpty() || !Number.isFinite(around.min.x)) return;
    around.getCenter(this.box.position);
    around.getSize(this.box.scale);
    this.box.scale.addScalar(0.004 * this.box.scale.length());
    this.box.visible = true;
    this.box.updateMatrixWorld(true);
  }

  /** Frustums that are seen, by key. */
  *frustums(): Iterable<[string, FrustumMark]> {
    for (const [key, mark] of this.frustumMarks) if (mark.object.visible) yield [key, mark];
  }

  frustumOf(key: string): FrustumMark | null {
    return this.frustumMarks.get(key) ?? null;
  }
}

function isVisible(object: Object3D): boolean {
  for (let at: Object3D | null = object; at !== null; at = at.parent) if (!at.visible) return false;
  return true;
}
