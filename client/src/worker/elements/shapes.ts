// Boxes, spheres and the like.
import { Mesh } from "three";
import type { Row } from "../../messages";
import { FORMS, type Form } from "../geometries";
import { PLAIN_DRESS } from "../materials";
import { hull } from "../outlines";
import { DrawnElement } from "./drawn";
import type { Kit } from "./element";

const LOOKS: ReadonlySet<string> = new Set(["material", "materialType"]);
const START_LEVEL = 1;
const OUTLINE_PARTS = 128;

export class ShapeElement extends DrawnElement {
  private form: Form;

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.form = this.formOf();
    this.build();
  }

  override dispose(): void {
    super.dispose();
    this.kit.geometries.release(this.form);
  }

  protected override rebuild(changed: ReadonlySet<string>): void {
    this.refreshFiles();
    if ([...changed].some((name) => !LOOKS.has(name))) {
      const before = this.form;
      this.clear();
      this.form = this.formOf();
      this.build();
      this.kit.geometries.release(before);
    } else {
      this.repaint(PLAIN_DRESS);
    }
  }

  private formOf(): Form {
    const form = FORMS[this.row.tag];
    if (form === undefined) throw new Error(`expected a shape, got ${this.row.tag}`);
    return form(this.row.props);
  }

  private build(): void {
    const { form, kit } = this;
    kit.geometries.use(form);
    const mesh = new Mesh(kit.geometries.get(form, START_LEVEL));
    mesh.matrixAutoUpdate = false;
    mesh.matrix.makeScale(...form.scale);
    this.object.add(mesh);
    const surface = this.show(mesh, PLAIN_DRESS);
    if (form.round) surface.form = form;
    kit.surfaces.add(surface);
    this.outline((thickness, angle) => {
      const grown = form.grown?.(thickness);
      if (grown) return [grown.make(OUTLINE_PARTS).scale(...grown.scale)];
      const made = form.make(OUTLINE_PARTS);
      const line = hull(made, mesh.matrix, thickness, angle);
      made.dispose();
      return [line];
    });
  }
}
