// A camera that is what a message says, as three.js wants it.
import { Camera } from "three";
import type { CameraSpec } from "../messages";

/** A camera by value; nothing of it is ever computed from options. */
export class ValueCamera extends Camera {
  near = 0.1;
  far = 20;
  isOrthographicCamera = false;
  isPerspectiveCamera = true;

  /** @param reversed - whether depth is 1 at `near` and 0 at `far`. */
  constructor(private readonly reversed: boolean) {
    super();
    this.matrixAutoUpdate = this.matrixWorldAutoUpdate = false;
    Object.assign(this, { _reversedDepth: reversed });
  }

  set(spec: CameraSpec): this {
    this.near = spec.near;
    this.far = spec.far;
    this.isOrthographicCamera = spec.orthographic;
    this.isPerspectiveCamera = !spec.orthographic;
    this.matrix.fromArray(spec.matrix);
    this.matrixWorld.copy(this.matrix);
    this.matrixWorldInverse.copy(this.matrix).invert();
    this.projectionMatrix.fromArray(spec.projection);
    this.projectionMatrixInverse.copy(this.projectionMatrix).invert();
    if (this.reversed) this.reverse();
    return this;
  }

  /** Metres that one metre at `depth` is pixels, in a picture of this height. */
  pixelsPerMetre(height: number, depth: number): number {
    const scale = 0.5 * height * (this.projectionMatrix.elements[5] ?? 1);
    return this.isOrthographicCamera ? scale : scale / Math.max(depth, this.near);
  }

  /** The rows for depth from `near` and `far`; from given rows their difference would cancel. */
  private reverse(): void {
    const { elements } = this.projectionMatrix;
    const { near, far } = this;
    const part = 1 / (1 - near / far);
    elements[10] = this.isOrthographicCamera ? part / far : (near / far) * part;
    elements[14] = this.isOrthographicCamera ? part : near * part;
  }
}
