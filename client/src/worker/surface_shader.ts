// What is added to three's shaders: colour, roughness, metalness and id of each object, which come as
// constant vertex attributes, so that objects of all colours share one material; and the geometry
// output.
import type { WebGLProgramParametersWithUniforms } from "three";

/** "plain" draws colour, "full" colour and geometry, "bare" geometry alone. */
export type Variant = "plain" | "full" | "bare";

/** Locations of the constant attributes; three's own are counted from 0. */
export const GLOSS_LOCATION = 13;
export const COLOUR_LOCATION = 14;
export const ID_LOCATION = 15;

// The fewer words vertices hand on, the better: llvmpipe keeps those of every triangle. Where three's
// own position is at hand there is no other, and all whole numbers share one vector.
const geometryVertexPars = (lit: boolean) => /* glsl */ `
#define GEOMETRY
layout(location = ${ID_LOCATION}) in highp uint objectId;
out highp vec3 vGeometryNormal;
${lit ? "" : "out highp vec3 vGeometryPosition;"}
`;

/** The output of geometry; bits of depth, octahedral normal in two int16, id, 0. */
function geometryFragmentPars(location: number, lit: boolean): string {
  return /* glsl */ `
#define GEOMETRY
layout(location = ${location}) out highp uvec4 geometryOut;
in highp vec3 vGeometryNormal;
${lit ? "#define vGeometryPosition (-vViewPosition)" : "in highp vec3 vGeometryPosition;"}
uint octahedral(vec3 n) {
  n /= abs(n.x) + abs(n.y) + abs(n.z);
  vec2 folded = (1.0 - abs(n.yx)) * vec2(n.x >= 0.0 ? 1.0 : -1.0, n.y >= 0.0 ? 1.0 : -1.0);
  ivec2 texel = ivec2(round((n.z >= 0.0 ? n.xy : folded) * 32767.0));
  return uint(texel.x & 0xffff) | uint(texel.y << 16);
}
`;
}

const WRITE_GEOMETRY = /* glsl */ `
#ifdef FLAT_SHADED
  vec3 facing = normalize(cross(dFdx(vGeometryPosition), dFdy(vGeometryPosition)));
#else
  vec3 facing = normalize(vGeometryNormal);
#ifdef DOUBLE_SIDED
  facing *= gl_FrontFacing ? 1.0 : -1.0;
#endif
#endif
  geometryOut = uvec4(floatBitsToUint(-vGeometryPosition.z), octahedral(facing), vObjectWords.z, 0u);
`;

const OBJECT_VERTEX_PARS = /* glsl */ `
layout(location = ${COLOUR_LOCATION}) in highp vec4 objectColour;
flat out highp vec4 vObjectColour;
#ifdef STANDARD
layout(location = ${GLOSS_LOCATION}) in highp vec2 objectGloss;
#endif
#if defined(STANDARD) || defined(GEOMETRY)
flat out highp uvec3 vObjectWords;
#endif
`;
/** Colour and opacity; bits of roughness and metalness, id. */
const OBJECT_FRAGMENT_PARS = /* glsl */ `
flat in highp vec4 vObjectColour;
#if defined(STANDARD) || defined(GEOMETRY)
flat in highp uvec3 vObjectWords;
#endif
`;
const OBJECT_VERTEX = /* glsl */ `
  vObjectColour = objectColour;
#if defined(STANDARD) || defined(GEOMETRY)
  vObjectWords = uvec3(0u);
#endif
#ifdef STANDARD
  vObjectWords.xy = floatBitsToUint(objectGloss);
#endif
#ifdef GEOMETRY
  vObjectWords.z = objectId;
#endif
`;

type Shader = Pick<WebGLProgramParametersWithUniforms, "vertexShader" | "fragmentShader">;

/** Patch a shader of one of three's mesh materials. */
export function patchMeshShader(shader: Shader, variant: Variant): void {
  shader.vertexShader = inserted(inMain(shader.vertexShader, OBJECT_VERTEX), OBJECT_VERTEX_PARS);
  shader.fragmentShader = inserted(
    shader.fragmentShader
      .replace("#include <clipping_planes_fragment>", "diffuseColor *= vObjectColour;")
      .replace("#include <roughnessmap_fragment>", "#include <roughnessmap_fragment>\nroughnessFactor *= uintBitsToFloat(vObjectWords.x);")
      .replace("#include <metalnessmap_fragment>", "#include <metalnessmap_fragment>\nmetalnessFactor *= uintBitsToFloat(vObjectWords.y);")
      .replace("diffuseColor.a = opacity;", "diffuseColor.a = opacity * vObjectColour.a;")
      .replace("vec4( vec3( 1.0 - fragCoordZ ), opacity )", "vec4( vec3( DEPTH_SHADE ), diffuseColor.a )"),
    OBJECT_FRAGMENT_PARS,
  );
  if (shader.fragmentShader.includes("DEPTH_SHADE")) {
    shader.fragmentShader = DEPTH_SHADE + shader.fragmentShader;
  }
  if (variant === "plain") return;
  const lit = variant === "full" && shader.fragmentShader.includes("#include <lights_");
  const varyings = lit ? WRITE_NORMAL : WRITE_NORMAL + WRITE_POSITION;
  shader.vertexShader = geometryVertexPars(lit) + atEnd(withNormals(shader.vertexShader), varyings);
  shader.fragmentShader = geometryFragmentPars(variant === "full" ? 1 : 0, lit) + shader.fragmentShader;
  if (variant === "bare") {
    // The part of MeshBasicMaterial that decides what is a hole, and nothing of its light.
    const [before = ""] = shader.fragmentShader.split("#include <specularmap_fragment>");
    shader.fragmentShader = `${before}${WRITE_GEOMETRY}}`;
  } else {
    shader.fragmentShader = atEnd(shader.fragmentShader, WRITE_GEOMETRY);
  }
}

// Reversed depth is 1 where ordinary depth is 0, and three shades by ordinary depth.
const DEPTH_SHADE = /* glsl */ `
#ifdef USE_REVERSED_DEPTH_BUFFER
#define DEPTH_SHADE fragCoordZ
#else
#define DEPTH_SHADE 1.0 - fragCoordZ
#endif
`;

const WRITE_POSITION = "  vGeometryPosition = mvPosition.xyz;\n";
const WRITE_NORMAL = "  vGeometryNormal = transformedNormal;\n";

/** A vertex shader that always computes normals; those of unlit materials do so on occasion. */
function withNormals(vertexShader: string): string {
  if (vertexShader.includes("#include <defaultnormal_vertex>")) {
    return vertexShader.replace(/#if defined \( USE_ENVMAP \) \|\| defined \( USE_SKINNING \)/, "#if 1");
  }
  const chunks = ["beginnormal_vertex", "morphnormal_vertex", "skinnormal_vertex", "defaultnormal_vertex"];
  return vertexShader
    .replace(/#ifdef USE_DISPLACEMENTMAP[\s\S]*?#endif/, "")
    .replace("#include <begin_vertex>", [...chunks, "begin_vertex"].map((name) => `#include <${name}>`).join("\n"));
}

/** A shader with declarations after its defines, which they depend on. */
function inserted(shader: string, declarations: string): string {
  return shader.replace("void main() {", `${declarations}void main() {`);
}

export function inMain(shader: string, code: string): string {
  return shader.replace(/void main\(\) \{/, `void main() {\n${code}`);
}

export function atEnd(shader: string, code: string): string {
  return `${shader.slice(0, shader.lastIndexOf("}"))}${code}}\n`;
}
