// Grids: lines in a plane, drawn by a shader, as fine as the picture can show.
import { Color, DoubleSide, Mesh, PlaneGeometry, ShaderMaterial, type IUniform } from "three";

export interface GridLook {
  /** Metres along x and y; endless without. */
  size: readonly number[] | null;
  cell: number;
  section: number;
  cellColor: Color;
  sectionColor: Color;
  /** Metres from what the camera turns about to where it is gone. */
  fade: number;
}

const VERTEX = /* glsl */ `
out vec2 at;
out vec3 world;
uniform vec2 half_;
uniform vec2 centre;
void main() {
  at = position.xy * half_ + centre;
  vec4 placed = modelMatrix * vec4(at, 0.0, 1.0);
  world = placed.xyz;
  gl_Position = projectionMatrix * viewMatrix * placed;
}`;

const FRAGMENT = /* glsl */ `
in vec2 at;
in vec3 world;
uniform float cell;
uniform float section;
uniform float fade;
uniform vec3 cellColor;
uniform vec3 sectionColor;
uniform vec3 about;
float lines(float step_, float width) {
  vec2 p = at / step_;
  vec2 near = abs(fract(p - 0.5) - 0.5);
  vec2 pixel = fwidth(p);
  vec2 line = 1.0 - smoothstep(vec2(0.0), pixel * width, near);
  // Lines closer than two pixels are a grey that only flickers.
  line *= 1.0 - smoothstep(0.25, 0.5, pixel);
  return max(line.x, line.y);
}
void main() {
  float near = 1.0 - clamp(distance(world, about) / fade, 0.0, 1.0);
  float fine = lines(cell, 1.0) * 0.45;
  float coarse = lines(section, 1.25);
  float alpha = max(fine, coarse) * pow(near, 1.4);
  if (alpha < 0.004) discard;
  gl_FragColor = vec4(mix(cellColor, sectionColor, coarse), alpha);
  #include <colorspace_fragment>
}`;

export class GridMesh extends Mesh<PlaneGeometry, ShaderMaterial> {
  private readonly values: Record<string, IUniform>;
  private size: readonly number[] | null = null;

  constructor() {
    const values: Record<string, IUniform> = {
      half_: { value: [1, 1] }, centre: { value: [0, 0] }, about: { value: [0, 0, 0] },
      cell: { value: 1 }, section: { value: 10 }, fade: { value: 10 },
      cellColor: { value: new Color() }, sectionColor: { value: new Color() },
    };
    const material = new ShaderMaterial({
      uniforms: values, vertexShader: VERTEX, fragmentShader: FRAGMENT, transparent: true, depthWrite: false, side: DoubleSide,
      polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1,
    });
    super(new PlaneGeometry(2, 2), material);
    this.values = values;
    this.frustumCulled = false;
    this.renderOrder = -2;
  }

  look({ size, cell, section, cellColor, sectionColor, fade }: GridLook): void {
    this.size = size;
    this.set("cell", cell);
    this.set("section", section);
    this.set("fade", fade);
    this.set("cellColor", cellColor);
    this.set("sectionColor", sectionColor);
  }

  /** Lie round what the camera turns about, in the grid's own coordinates (x, y) and the world's. */
  centre(local: readonly [number, number], world: readonly number[]): void {
    const fade = this.values["fade"]?.value as number;
    this.set("centre", this.size === null ? local : [0, 0]);
    this.set("half_", this.size === null ? [fade, fade] : [(this.size[0] ?? 1) / 2, (this.size[1] ?? 1) / 2]);
    this.set("about", world);
  }

  private set(name: string, value: unknown): void {
    const uniform = this.values[name];
    if (uniform) uniform.value = value;
  }
}
