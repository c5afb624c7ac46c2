// Draws the scene as a camera sees it: colour, geometry, or both in one draw.
import {
  ACESFilmicToneMapping,
  LinearToneMapping,
  NeutralToneMapping,
  NoToneMapping,
  Vector3,
  type ToneMapping,
  type WebGLRenderTarget,
} from "three";
import type { CameraSpec, Configure } from "../messages";
import type { Picture, SceneElement, ToneMappingName } from "./elements/scene";
import type { Splats } from "./splats";
import type { Surfaces } from "./surface";
import type { Variant } from "./surface_shader";
import { Targets, type Kind, type Sort } from "./targets";
import { ValueCamera } from "./value_camera";
import type { World } from "./world";

const TONES: Record<ToneMappingName, ToneMapping> = {
  none: NoToneMapping,
  neutral: NeutralToneMapping,
  aces: ACESFilmicToneMapping,
};
const VARIANTS: Record<Kind, Variant> = { rgb: "plain", geometry: "bare", both: "full" };
const PLAIN_PICTURE: Picture = { toneMapping: "none", exposure: 1, background: [0, 0, 0], hasBackground: false };

const middle = new Vector3();

export class Passes {
  readonly targets: Targets;
  private readonly camera: ValueCamera;
  /** Who is prepared for: other pictures are drawn meanwhile. */
  private readonly next: ValueCamera;

  constructor(
    private readonly world: World,
    private readonly surfaces: Surfaces,
    private readonly splats: Splats,
    private readonly scene: () => SceneElement | null,
  ) {
    this.targets = new Targets(world.renderer);
    const reversed = world.renderer.state.buffers.depth.getReversed();
    this.camera = new ValueCamera(reversed);
    this.next = new ValueCamera(reversed);
  }

  /** Whether a picture has to be prepared, and cannot show colour and geometry in one draw. */
  get isSlow(): boolean {
    return this.splats.any;
  }

  /** Do what takes time before a camera's picture is drawn. */
  prepare(spec: CameraSpec): Promise<void> {
    return this.splats.prepare(this.next.set(spec));
  }

  /** Draw into a target, to be read before another is drawn of its sort. */
  draw(spec: CameraSpec, kind: Kind, how: Partial<Sort> = {}): WebGLRenderTarget {
    const target = this.targets.get(spec, { kind, samples: 1, words: 4, place: 0, ...how });
    const picture = this.scene()?.picture ?? PLAIN_PICTURE;
    this.targets.clear(target, kind, picture.background);
    this.splats.dress(kind === "rgb", false);
    this.render(spec, kind, picture.toneMapping);
    return target;
  }

  /**
   * Draw the content onto the canvas, where its viewport is; what comes next is drawn over it.
   *
   * @param ground - what is behind everything, where the scene does not say.
   */
  show(spec: CameraSpec, toneMapping: Configure["tone_mapping"], ground: readonly [number, number, number]): void {
    const { renderer, gl } = this.world;
    const picture = this.scene()?.picture ?? PLAIN_PICTURE;
    renderer.setRenderTarget(null);
    renderer.state.buffers.depth.setMask(true);
    renderer.state.buffers.color.setMask(true);
    gl.clearBufferfv(gl.COLOR, 0, [...(picture.hasBackground ? picture.background : ground), 1]);
    gl.clearBufferfv(gl.DEPTH, 0, [renderer.state.buffers.depth.getReversed() ? 0 : 1]);
    this.splats.dress(true, true);
    this.render(spec, "rgb", toneMapping ?? picture.toneMapping);
  }

  private render(spec: CameraSpec, kind: Kind, toneMapping: ToneMappingName): void {
    const { content, renderer } = this.world;
    const scene = this.scene();
    const exposure = scene?.picture.exposure ?? 1;
    const tone = TONES[toneMapping];
    renderer.toneMapping = tone === NoToneMapping && exposure !== 1 ? LinearToneMapping : tone;
    renderer.toneMappingExposure = exposure;
    const camera = this.camera.set(spec);
    const variant = VARIANTS[kind];
    this.surfaces.dress(variant);
    scene?.dressSky(variant);
    content.updateMatrixWorld();
    content.matrixWorldAutoUpdate = false;
    this.chooseLevels(camera, spec.height);
    renderer.render(content, camera);
    content.matrixWorldAutoUpdate = true;
  }

  private chooseLevels(camera: ValueCamera, height: number): void {
    this.surfaces.chooseLevels((object, radius) => {
      const scaled = radius * object.matrixWorld.getMaxScaleOnAxis();
      const depth = -middle.setFromMatrixPosition(object.matrixWorld).applyMatrix4(camera.matrixWorldInverse).z;
      return scaled * camera.pixelsPerMetre(height, depth - scaled);
    });
  }
}
