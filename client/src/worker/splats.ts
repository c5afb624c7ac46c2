// Gaussian splats: who draws them, loaded when the first ones are. They are sorted for each camera,
// which takes time, so a picture is prepared before it is drawn. Geometry does not show them.
import type { SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
import type { Camera, Object3D } from "three";
import * as three from "./spark_three";
import type { World } from "./world";

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

export class Splats {
  private renderer: SparkRenderer | null = null;
  private readonly shown = new Set<SplatMesh>();
  /** Whether they are being sorted for a picture, so that the viewport leaves their order alone. */
  private preparing = false;

  /** @param base - the url that the library's path is relative to. */
  constructor(
    private readonly world: World,
    private readonly base: string,
  ) {}

  /** Whether there are any. */
  get any(): boolean {
    return this.shown.size > 0;
  }

  /** The splats of a file, ready to be shown. */
  async load(fileBytes: ArrayBuffer, fileName: string): Promise<SplatMesh> {
    const { SparkRenderer, SplatMesh } = await this.library();
    if (this.renderer === null) {
      const onDirty = () => this.world.changed(new Set());
      this.renderer = new SparkRenderer({ renderer: this.world.renderer, onDirty, autoUpdate: false, minSortIntervalMs: 0 });
      this.world.content.add(this.renderer);
    }
    const mesh = new SplatMesh({ fileBytes, fileName });
    await mesh.initialized;
    return mesh;
  }

  show(mesh: SplatMesh, on: Object3D): void {
    this.shown.add(mesh);
    on.add(mesh);
  }

  drop(mesh: SplatMesh): void {
    this.shown.delete(mesh);
    mesh.removeFromParent();
    mesh.dispose();
  }

  /** Whether they are drawn now; and whether they sort themselves, a few pictures late. */
  dress(seen: boolean, late: boolean): void {
    if (this.renderer === null) return;
    this.renderer.visible = seen && this.any;
    this.renderer.autoUpdate = late && !this.preparing;
  }

  /**
   * Sort them for a camera; what is drawn at once sees them so.
   *
   * @param camera - that nothing moves meanwhile.
   */
  async prepare(camera: Camera): Promise<void> {
    const { renderer, world } = this;
    if (renderer === null) return;
    this.preparing = true;
    renderer.autoUpdate = false;
    try {
      await pause(); // a viewport just drawn begins its own sort within a millisecond
      while (renderer.sorting || renderer.sortDirty) await pause();
      world.content.updateMatrixWorld();
      await renderer.update({ scene: world.content, camera });
      while (renderer.sorting || renderer.sortDirty) await pause();
    } finally {
      this.preparing = false;
    }
    world.changed(new Set()); // the viewport sorts them for itself again
  }

  /** What draws them, which a package of its own brings; the server says what to install where it is not there. */
  private async library(): Promise<typeof import("@sparkjsdev/spark")> {
    Object.assign(self, { [three.GIVEN]: three });
    const url = new URL("spark.module.js", this.base).href;
    try {
      return await import(/* @vite-ignore */ url);
    } catch (error) {
      const answer = await fetch(url);
      throw answer.ok ? error : new Error((await answer.text()).trim());
    }
  }
}
