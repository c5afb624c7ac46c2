// Light from all around and what is seen where nothing is, as src/heliograph/engines/components/sky.py
// and hdr.py mean them.
import {
  BufferAttribute,
  BufferGeometry,
  DataTexture,
  EquirectangularReflectionMapping,
  Euler,
  FloatType,
  GLSL3,
  LinearFilter,
  LinearSRGBColorSpace,
  Mesh,
  RepeatWrapping,
  RGBAFormat,
  ShaderMaterial,
  type Texture,
} from "three";
import type { Variant } from "./surface_shader";
import type { NumericArray } from "./values";

/** Turns three.js's surroundings, which have y up, so that z is. */
export const UPRIGHT = new Euler(Math.PI / 2, 0, 0);
const ROWS = 32;
const COLUMNS = 64;

/** What metal reflects in a scene that is lit from the camera. */
export const STUDIO = { sky: grey(0.72), horizon: grey(0.45), ground: grey(0.15) };

function grey(level: number): number[] {
  return [level, level, level];
}

const decoded = (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

/** Light of three colours (sRGB): straight above, at the horizon, straight below. */
export function gradient(colours: { sky: readonly number[]; horizon: readonly number[]; ground: readonly number[] }): Texture {
  const pixels = new Float32Array(4 * ROWS * COLUMNS);
  for (let row = 0; row < ROWS; row++) {
    const up = Math.cos((Math.PI * (row + 0.5)) / ROWS);
    const share = up * up * (3 - 2 * Math.abs(up));
    const end = up > 0 ? colours.sky : colours.ground;
    const rgb = [0, 1, 2].map((c) => {
      const horizon = decoded(colours.horizon[c] ?? 0);
      return horizon + share * (decoded(end[c] ?? 0) - horizon);
    });
    for (let column = 0; column < COLUMNS; column++) pixels.set([...rgb, 1], 4 * (row * COLUMNS + column));
  }
  return equirectangular(pixels, COLUMNS, ROWS);
}

/** Linear light (H, W, 3), row 0 straight up. */
export function fromArray({ data, shape }: NumericArray): Texture {
  const [height = 0, width = 0] = shape;
  const pixels = new Float32Array(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = data[3 * i + c] ?? 0;
    pixels[4 * i + 3] = 1;
  }
  return equirectangular(pixels, width, height);
}

function equirectangular(pixels: Float32Array<ArrayBuffer>, width: number, height: number): Texture {
  const texture = new DataTexture(pixels, width, height, RGBAFormat, FloatType);
  texture.flipY = true;
  texture.magFilter = texture.minFilter = LinearFilter;
  texture.colorSpace = LinearSRGBColorSpace;
  return asSurroundings(texture);
}

export function asSurroundings<T extends Texture>(texture: T): T {
  texture.mapping = EquirectangularReflectionMapping;
  texture.wrapS = RepeatWrapping;
  texture.needsUpdate = true;
  return texture;
}

const VERTEX = /* glsl */ `
out vec3 direction;
uniform mat4 worldFromCamera;
uniform bool parallel;
void main() {
  vec2 slope = (position.xy + vec2(projectionMatrix[2][0], projectionMatrix[2][1])) / vec2(projectionMatrix[0][0], projectionMatrix[1][1]);
  direction = mat3(worldFromCamera) * vec3(parallel ? vec2(0.0) : slope, -1.0);
  gl_Position = vec4(position.xy, 0.0, 1.0);
}
`;

const FRAGMENT = /* glsl */ `
uniform sampler2D surroundings;
uniform float intensity;
in vec3 direction;
#include <common>
#define gl_FragColor colourOut
layout(location = 0) out highp vec4 colourOut;
#ifdef WITH_GEOMETRY
layout(location = 1) out highp uvec4 geometryOut;
#endif
void main() {
  vec3 way = normalize(direction);
  vec2 uv = vec2(atan(-way.y, way.x) / (2.0 * PI) + 0.5, asin(clamp(way.z, -1.0, 1.0)) / PI + 0.5);
  gl_FragColor = vec4(intensity * textureLod(surroundings, uv, 0.0).rgb, 1.0);
  #include <tonemapping_fragment>
  #include <colorspace_fragment>
  gl_FragColor.a = 0.0;
#ifdef WITH_GEOMETRY
  geometryOut = uvec4(0x7f800000u, 0u, 0u, 0u);
#endif
}
`;

/** The surroundings as background: everywhere, and farther than anything. */
export class Sky {
  readonly mesh = new Mesh<BufferGeometry, ShaderMaterial>(new BufferGeometry());
  private readonly uniforms = {
    surroundings: { value: null as Texture | null },
    intensity: { value: 1 },
    worldFromCamera: { value: this.mesh.matrix },
    parallel: { value: false },
  };
  private readonly plain = this.material(false);
  private readonly full = this.material(true);

  constructor() {
    const { mesh } = this;
    mesh.geometry.setAttribute("position", new BufferAttribute(new Float32Array([-1, -1, 0, 3, -1, 0, -1, 3, 0]), 3));
    mesh.frustumCulled = false;
    mesh.matrixAutoUpdate = false;
    mesh.renderOrder = -1e9;
    mesh.visible = false;
    mesh.onBeforeRender = (_renderer, _scene, camera) => {
      this.uniforms.worldFromCamera.value = camera.matrixWorld;
      this.uniforms.parallel.value = "isOrthographicCamera" in camera && camera.isOrthographicCamera === true;
      for (const material of [this.plain, this.full]) material.uniformsNeedUpdate = true;
    };
  }

  show(surroundings: Texture | null, intensity: number): void {
    this.uniforms.surroundings.value = surroundings;
    this.uniforms.intensity.value = intensity;
  }

  dress(variant: Variant): void {
    this.mesh.visible = this.uniforms.surroundings.value !== null && variant !== "bare";
    this.mesh.material = variant === "full" ? this.full : this.plain;
  }

  private material(geometry: boolean): ShaderMaterial {
    const { uniforms } = this;
    const defines = geometry ? { WITH_GEOMETRY: 1 } : {};
    const options = { glslVersion: GLSL3, depthTest: false, depthWrite: false } as const;
    return new ShaderMaterial({ ...options, defines, uniforms, vertexShader: VERTEX, fragmentShader: FRAGMENT });
  }
}
