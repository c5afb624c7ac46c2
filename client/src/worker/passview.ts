// Passes as colours, and pictures that an engine sent, drawn over the viewport.
import { BufferGeometry, Camera, Float32BufferAttribute, GLSL3, Mesh, RawShaderMaterial, type Texture } from "three";
import type { ShownPass } from "../bridge";
import { ID_COLOR_GLSL } from "../palette";

const VERTEX = /* glsl */ `
in vec3 position;
out vec2 at;
void main() {
  at = position.xy * 0.5 + 0.5;
  gl_Position = vec4(position.xy, 0.0, 1.0);
}`;

// Equal steps of colour are equal ratios of distance, as in Python's pictures of depth.
const GEOMETRY = /* glsl */ `
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D geometry;
uniform int mode;
uniform vec2 range;
uniform vec3 ground;
uniform vec4 clip;
in vec2 at;
out vec4 colour;
${ID_COLOR_GLSL}
vec3 ramp(float t) {
  const vec3 c0 = vec3(0.2777273272, 0.0054073445, 0.3340998053);
  const vec3 c1 = vec3(0.1050930431, 1.4046135299, 1.3845901627);
  const vec3 c2 = vec3(-0.3308618287, 0.2148475595, 0.0950951630);
  const vec3 c3 = vec3(-4.6342304990, -5.7991009734, -19.3324409563);
  const vec3 c4 = vec3(6.2282699363, 14.1799333668, 56.6905526007);
  const vec3 c5 = vec3(4.7763849977, -13.7451453777, -65.3530326334);
  const vec3 c6 = vec3(-5.4354558559, 4.6458526122, 26.3124352496);
  return clamp(c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * (c5 + t * c6))))), 0.0, 1.0);
}
vec3 normalOf(uint packed_) {
  vec2 f = vec2(float(int(packed_ << 16) >> 16), float(int(packed_) >> 16)) / 32767.0;
  vec3 n = vec3(f, 1.0 - abs(f.x) - abs(f.y));
  float t = max(-n.z, 0.0);
  n.xy += vec2(n.x >= 0.0 ? -t : t, n.y >= 0.0 ? -t : t);
  return normalize(n);
}
void main() {
  uvec4 texel = texelFetch(geometry, ivec2(at * vec2(textureSize(geometry, 0))), 0);
  float depth = uintBitsToFloat(texel.x);
  bool empty = isinf(depth) || depth <= 0.0;
  if (mode == 0) colour.rgb = ramp(clamp(1.0 - log(max(depth, 1e-6) / range.x) / log(range.y / range.x), 0.0, 1.0));
  else if (mode == 1) colour.rgb = normalOf(texel.y) * 0.5 + 0.5;
  else colour.rgb = idColor(texel.z);
  if (empty || (mode == 2 && texel.z == 0u)) colour.rgb = ground;
  colour.a = 1.0;
  float w = clip.z * depth + (1.0 - clip.z);
  float z = (clip.x * -depth + clip.y) / w;
  gl_FragDepth = empty ? (clip.w > 0.5 ? 0.0 : 1.0) : (clip.w > 0.5 ? z : z * 0.5 + 0.5);
}`;

const PICTURE = /* glsl */ `
precision highp float;
uniform sampler2D picture;
uniform float bottomUp;
in vec2 at;
out vec4 colour;
void main() {
  colour = vec4(texture(picture, vec2(at.x, bottomUp > 0.5 ? at.y : 1.0 - at.y)).rgb, 1.0);
}`;

const MODES: Readonly<Record<Exclude<ShownPass, "rgb">, number>> = { depth: 0, normals: 1, segmentation: 2 };

function whole(fragmentShader: string, uniforms: Record<string, { value: unknown }>, depth: boolean): Mesh<BufferGeometry, RawShaderMaterial> {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new Float32BufferAttribute([-1, -1, 0, 3, -1, 0, -1, 3, 0], 3));
  const material = new RawShaderMaterial({
    glslVersion: GLSL3, vertexShader: VERTEX, fragmentShader, uniforms, depthWrite: depth, depthTest: depth, toneMapped: false,
  });
  const made = new Mesh(geometry, material);
  made.frustumCulled = false;
  return made;
}

/** Draws a geometry target as colours, and its depth into the depth buffer, for what follows. */
export class PassView {
  readonly mesh = whole(GEOMETRY, { geometry: { value: null }, mode: { value: 0 }, range: { value: [0.1, 10] }, ground: { value: [0, 0, 0] }, clip: { value: [0, 0, 0, 0] } }, true);

  show(geometry: Texture, pass: Exclude<ShownPass, "rgb">, range: readonly [number, number], ground: readonly number[], camera: Camera): void {
    const p = camera.projectionMatrix.elements;
    const values: Record<string, unknown> = {
      geometry, mode: MODES[pass], range, ground,
      clip: [p[10], p[14], p[11] === -1 ? 1 : 0, camera.reversedDepth ? 1 : 0],
    };
    for (const [name, value] of Object.entries(values)) (this.mesh.material.uniforms[name] ?? { value }).value = value;
  }
}

/** Draws a picture as it is. */
export class PictureView {
  readonly mesh = whole(PICTURE, { picture: { value: null }, bottomUp: { value: 0 } }, false);

  show(picture: Texture, bottomUp: boolean): void {
    const { uniforms } = this.mesh.material;
    if (uniforms["picture"]) uniforms["picture"].value = picture;
    if (uniforms["bottomUp"]) uniforms["bottomUp"].value = bottomUp ? 1 : 0;
  }
}
