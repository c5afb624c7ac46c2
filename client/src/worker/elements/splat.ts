// Gaussian splats of a file.
import type { SplatMesh } from "@sparkjsdev/spark";
import type { Row } from "../../messages";
import { isAssetRef } from "../values";
import { Element, type Kit } from "./element";

export class SplatElement extends Element {
  private mesh: SplatMesh | null = null;
  /** Counts what was shown, so that a file that comes too late is not. */
  private turn = 0;

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.rebuild();
  }

  override dispose(): void {
    this.turn += 1;
    this.kit.loads.release(this.row.key);
    if (this.mesh) this.kit.splats.drop(this.mesh);
    this.mesh = null;
  }

  protected override rebuild(): void {
    this.dispose();
    const { loads, splats } = this.kit;
    const source = this.row.props["src"];
    if (!isAssetRef(source)) return;
    loads.use(this.row.key, source);
    const { turn } = this;
    const load = async () => {
      const bytes = await (await loads.fetch(source)).arrayBuffer();
      const mesh = await splats.load(bytes, source.name);
      if (turn !== this.turn) {
        mesh.dispose();
        return;
      }
      this.mesh = mesh;
      splats.show(mesh, this.object);
      this.kit.refresh();
    };
    loads.track(source, load()).catch(() => undefined);
  }
}
