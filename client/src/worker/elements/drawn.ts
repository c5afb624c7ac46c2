// What is common to all that is seen: surfaces, their looks, and the files they wait for.
import type { Row } from "../../messages";
import { imageAssets, setTint, type Dress, type MaterialLook } from "../materials";
import { Surface, type DrawnObject } from "../surface";
import { mapping, text } from "../values";
import { Element, type Kit } from "./element";

export abstract class DrawnElement extends Element {
  protected readonly surfaces: Surface[] = [];
  private looks: MaterialLook[] = [];

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
    const surface = new Surface(object, this.look(dress), this, this.kit.world.gl);
    setTint(surface.tint, this.material);
    this.surfaces.push(surface);
    return surface;
  }

  protected look(dress: Dress): MaterialLook {
    const kind = text(this.row.props, "materialType", "standard");
    return this.keep(this.kit.materials.use(kind, this.material, dress));
  }

  /** A look that is released with the rest. */
  protected keep(look: MaterialLook): MaterialLook {
    this.looks.push(look);
    return look;
  }

  /** Give surfaces the looks of a changed material. */
  protected repaint(dress: Dress): void {
    const before = this.looks;
    this.looks = [];
    const look = this.look(dress);
    before.forEach((each) => this.kit.materials.release(each));
    for (const surface of this.surfaces) {
      setTint(surface.tint, this.material);
      if (surface.looks === look) continue;
      surface.looks = look;
      this.kit.surfaces.redress(surface);
    }
  }

  protected clear(): void {
    for (const surface of this.surfaces) {
      this.kit.surfaces.remove(surface);
      surface.object.removeFromParent();
    }
    this.surfaces.length = 0;
    this.looks.forEach((look) => this.kit.materials.release(look));
    this.looks = [];
  }
}
