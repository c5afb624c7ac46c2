// What sensor pictures are drawn into, and how they are read.
import {
  DepthTexture,
  FloatType,
  NearestFilter,
  LinearSRGBColorSpace,
  RGBAFormat,
  RGBAIntegerFormat,
  RedIntegerFormat,
  SRGBColorSpace,
  UnsignedByteType,
  UnsignedIntType,
  WebGLRenderTarget,
  type WebGLRenderer,
} from "three";

export type Kind = "rgb" | "geometry" | "both";

/** What a target is for. */
export interface Sort {
  kind: Kind;
  /** Of a pixel. */
  samples: number;
  /** Numbers of a pixel of geometry: depth alone, or normals and ids as well. */
  words: 1 | 4;
  /** Which of several that are drawn before the first one is read. */
  place: number;
}

const MOST_KEPT = 12;
/** A pixel where nothing is: its depth, and a normal that no surface has. */
const NOTHING = [0x7f800000, 0x80008000, 0, 0];
const MARKS = [85, 170];

/** Nothing can be drawn any more. */
export class LostContextError extends Error {
  constructor() {
    super("the browser lost its GL context; reload the page");
  }
}

/** Targets by size and kind; those used last are kept. */
export class Targets {
  private readonly kept = new Map<string, WebGLRenderTarget>();

  constructor(private readonly renderer: WebGLRenderer) {}

  get({ width, height }: { width: number; height: number }, sort: Sort): WebGLRenderTarget {
    const name = JSON.stringify([width, height, sort.kind, sort.samples, sort.words, sort.place]);
    const target = this.kept.get(name) ?? made(width, height, sort);
    this.kept.delete(name);
    this.kept.set(name, target);
    for (const [oldest, other] of this.kept) {
      if (this.kept.size <= MOST_KEPT) break;
      other.dispose();
      other.depthTexture?.dispose();
      this.kept.delete(oldest);
    }
    return target;
  }

  /** Bind a target and clear all of it. */
  clear(target: WebGLRenderTarget, kind: Kind, background: readonly [number, number, number]): void {
    const { renderer } = this;
    const gl = renderer.getContext() as WebGL2RenderingContext;
    renderer.setRenderTarget(target);
    const { depth, color } = renderer.state.buffers;
    depth.setMask(true);
    color.setMask(true);
    if (kind !== "geometry") gl.clearBufferfv(gl.COLOR, 0, [...background, 0]);
    if (kind !== "rgb") gl.clearBufferuiv(gl.COLOR, kind === "both" ? 1 : 0, NOTHING);
    gl.clearBufferfv(gl.DEPTH, 0, [depth.getReversed() ? 0 : 1]);
  }

  /**
   * Read one of a target's images, its bottom row first.
   *
   * Where the GPU's process has died, what is read into stays as it was, before the context is said
   * to be lost; so it holds something else at first.
   */
  read(target: WebGLRenderTarget, image: number, into: Uint8Array | Uint32Array): void {
    const { renderer } = this;
    const gl = renderer.getContext() as WebGL2RenderingContext;
    const { __webglFramebuffer } = renderer.properties.get(target) as { __webglFramebuffer: WebGLFramebuffer };
    renderer.state.bindFramebuffer(gl.READ_FRAMEBUFFER, __webglFramebuffer);
    // three takes it for bound where it was the last one to be read, whatever was drawn into since.
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, __webglFramebuffer);
    gl.readBuffer(gl.COLOR_ATTACHMENT0 + image);
    const whole = into instanceof Uint32Array;
    const thin = target.textures[image]?.format === RedIntegerFormat;
    const integers = thin ? gl.RED_INTEGER : gl.RGBA_INTEGER;
    const [format, type] = whole ? [integers, gl.UNSIGNED_INT] : [gl.RGBA, gl.UNSIGNED_BYTE];
    for (const mark of MARKS) {
      into.fill(mark, 0, 4);
      gl.readPixels(0, 0, target.width, target.height, format, type, into);
      if (into.subarray(0, 4).some((each) => each !== mark)) return;
    }
    throw new LostContextError();
  }
}

/** Targets of one word leave out what shaders write besides. */
function made(width: number, height: number, { kind, samples, words }: Sort): WebGLRenderTarget {
  const [format, internal] = words === 1 ? [RedIntegerFormat, "R32UI"] as const : [RGBAIntegerFormat, "RGBA32UI"] as const;
  const count = kind === "both" ? 2 : 1;
  const target = new WebGLRenderTarget(width, height, {
    count,
    samples: samples > 1 ? samples : 0,
    minFilter: NearestFilter,
    magFilter: NearestFilter,
    generateMipmaps: false,
    depthTexture: new DepthTexture(width, height, FloatType),
    resolveDepthBuffer: false,
  });
  target.textures.forEach((texture, place) => {
    const colour = kind !== "geometry" && place === 0;
    texture.format = colour ? RGBAFormat : format;
    texture.type = colour ? UnsignedByteType : UnsignedIntType;
    texture.internalFormat = colour ? "RGBA8" : internal;
    texture.colorSpace = colour ? SRGBColorSpace : LinearSRGBColorSpace;
  });
  // Shaders encode for such a target as for the canvas; for another they would leave light linear.
  Object.assign(target, { isXRRenderTarget: true });
  return target;
}
