// What is common to all that is seen: surfaces, their looks, and the files they wait for.
import { Mesh, type BufferGeometry } from "three";
import type { Row } from "../../messages";
import { imageAssets, paint, PLAIN_DRESS, type Dress, type MaterialLook } from "../materials";
import { Surface, type DrawnObject } from "../surface";
import { mapping, number, text, vector } from "../values";
import { Element, type Kit } from "./element";

const UNLIT: ReadonlySet<string> = new Set(["ImagePlane", "PointCloud"]);

export abstract class DrawnElement extends Element {
  protected readonly surfaces: Surface[] = [];
  private looks: MaterialLook[] = [];
  private lines: Surface[] = [];

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.useFiles();
  }

  override dispose(): void {
    this.clear();
    this.kit.loads.release(this.row.key);
  }

  protected get material(): Record<string, unknown> {
    return mapping(this.row.props, "material");
  }

  /** Wait for the images of its material; an override adds its own files. */
  protected useFiles(): void {
    for (const asset of imageAssets(this.material)) this.kit.loads.use(this.row.key, asset);
  }

  protected refreshFiles(): void {
    this.kit.loads.release(this.row.key);
    this.useFiles();
  }

  /** Show an object in the look that its material says. */
  protected show(object: DrawnObject, dress: Dress): Surface {
    const surface = new Surface(object, this.look(dress), this, this.kit.world);
    paint(surface, this.material);
    this.surfaces.push(surface);
    return surface;
  }

  protected look(dress: Dress): MaterialLook {
    return this.keep(this.kit.materials.use(this.kind(), this.material, dress));
  }

  /** How light makes its colour; a file may say what counts where the component does not. */
  protected kind(file?: string): string {
    return text(this.row.props, "materialType", file ?? (UNLIT.has(this.row.tag) ? "basic" : "standard"));
  }

  /** A look that is released with the rest. */
  protected keep(look: MaterialLook): MaterialLook {
    this.looks.push(look);
    return look;
  }

  /** Draw a line round what is seen, if that is wanted. */
  protected outline(make: (thickness: number, angle: number) => BufferGeometry[]): void {
    if (!this.row.props["outlines"]) return;
    const said = mapping(this.row.props, "outlines");
    const look = this.keep(this.kit.materials.use("basic", { side: "back" }, PLAIN_DRESS));
    for (const geometry of make(number(said, "thickness", 0.05), number(said, "angle", Math.PI))) {
      const mesh = new Mesh(geometry);
      mesh.matrixAutoUpdate = false;
      this.object.add(mesh);
      const surface = new Surface(mesh, look, this, this.kit.world);
      mesh.castShadow = mesh.receiveShadow = false;
      paint(surface, { color: vector(said, "color", [0, 0, 0]) });
      this.lines.push(surface);
      this.kit.surfaces.add(surface);
    }
  }

  /** Give surfaces the looks of a changed material. */
  protected repaint(dress: Dress): void {
    this.exchange(() => {
      const look = this.look(dress);
      for (const surface of this.surfaces) {
        paint(surface, this.material);
        if (surface.look === look) continue;
        surface.look = look;
        this.kit.surfaces.redress(surface);
      }
    });
  }

  /** Take looks in the place of those it has. */
  protected exchange(take: () => void): void {
    const lines = new Set<unknown>(this.lines.map(({ look }) => look));
    const before = this.looks.filter((look) => !lines.has(look));
    this.looks = this.looks.filter((look) => lines.has(look));
    take();
    before.forEach((look) => this.kit.materials.release(look));
  }

  protected clear(): void {
    this.clearOutline();
    for (const surface of this.surfaces) {
      this.kit.surfaces.remove(surface);
      surface.object.removeFromParent();
    }
    this.surfaces.length = 0;
    this.looks.forEach((look) => this.kit.materials.release(look));
    this.looks = [];
  }

  protected clearOutline(): void {
    for (const surface of this.lines) {
      this.kit.surfaces.remove(surface);
      surface.object.removeFromParent();
      surface.object.geometry.dispose();
    }
    this.lines = [];
  }
}
