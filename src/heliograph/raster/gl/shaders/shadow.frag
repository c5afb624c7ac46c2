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
    if (textureGrad(image, uv, dx, dy).a < v_cutoff) discard;
#elif defined(CUTOUT)
    if (texture(image, v_uv).a < v_cutoff) discard;
#endif
}
