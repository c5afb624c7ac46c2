// CUTOUT: what has holes casts a shadow with holes.
#ifdef CUTOUT
#ifdef THREE_JS
#ifdef CAPSULE
flat in float v_length;
#endif
in vec3 v_object;
flat in vec4 v_laid;  // scale and offset of the texture
#include shape_uv
#else
in vec2 v_uv;
#endif
flat in float v_cutoff;
uniform sampler2D image;
#ifdef LAYERED
uniform mat3x2 uv_maps[1];
#define LAID(uv) (uv_maps[0] * vec3(uv, 1.0))
#define STEP(way) (mat2(uv_maps[0]) * (way))
#else
#define LAID(uv) (uv)
#define STEP(way) (way)
#endif
#endif
void main() {
#ifdef THREE_JS
#ifdef FACE
    vec3 normal = vec3(0.0, 0.0, 1.0);
#else
    vec3 normal = sign(v_object) * step(0.9999, abs(v_object));  // where faces are flat
#endif
    mat2x3 slope;
    vec2 uv = shape_uv(v_object, normal, slope) * v_laid.xy + v_laid.zw;
    vec2 dx = dFdx(v_object) * slope * v_laid.xy, dy = dFdy(v_object) * slope * v_laid.xy;
    if (textureGrad(image, LAID(uv), STEP(dx), STEP(dy)).a < v_cutoff) discard;
#elif defined(CUTOUT)
    if (texture(image, LAID(v_uv)).a < v_cutoff) discard;
#endif
}
