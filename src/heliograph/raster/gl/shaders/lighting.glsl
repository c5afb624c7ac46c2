// Fixed-function lighting (Blinn's half vector), per pixel or per vertex. Of all lights a spot is
// the most general. Programs made to measure know what each light is: a processor that draws does
// not skip what an `if` leaves out, and takes its time over loops.
#ifdef KINDS
#define KIND(i) (KINDS >> 3 * (i) & 7)
#else
#define KIND(i) SPOT_LIGHT
#endif
void add_light(int i, int kind, vec3 rgb, vec4 surface, vec3 point, vec3 normal, vec3 view,
               inout vec3 sum, out vec3 direct) {
    vec3 to_light = kind == HEAD_LIGHT ? vec3(0.0, 0.0, 1.0) : -lights[i].direction.xyz;
    float strength = 1.0;
    if (kind > PARALLEL_LIGHT) {
        vec3 path = lights[i].position.xyz - lights[i].position.w * point;
        float range = length(path);
        to_light = path / range;
        strength = 1.0 / dot(lights[i].attenuation.xyz, vec3(1.0, range, range * range));
    }
    if (kind == SPOT_LIGHT) {
        float along = dot(-to_light, lights[i].direction.xyz);
        float rim = clamp((along - lights[i].direction.w) / lights[i].specular.w, 0.0, 1.0);
        strength *= rim * pow(max(along, 1e-6), lights[i].diffuse.w);
    }
    float facing = dot(normal, to_light);
    // The half vector of two unit vectors, without building it: |l + v|^2 = 2 + 2 l.v.
    float shine = (facing + dot(normal, view)) * inversesqrt(max(2.0 + 2.0 * dot(to_light, view), 1e-6));
    float gloss = facing > 0.0 ? pow(max(shine, 1e-6), surface.z) : 0.0;
    sum += strength * rgb * lights[i].ambient.rgb;
    direct = strength * (rgb * lights[i].diffuse.rgb * max(facing, 0.0)
                         + surface.y * lights[i].specular.rgb * gloss);
}

#define ADD(i)                                                                 \
    add_light(i, KIND(i), rgb, surface, point, normal, view, sum, direct);     \
    sum += direct;
#ifdef VERTEX_LIT
#define ADD_SHADOWED(i)                                                        \
    add_light(i, KIND(i), rgb, surface, point, normal, view, sum, direct);     \
    v_direct[i] = clamp(direct, 0.0, 1.0);
void light(vec3 rgb, vec4 surface, vec3 point, vec3 normal, vec3 view) {
#ifdef UNLIT
    v_lit = rgb;
#else
    vec3 sum = rgb * (ambient.rgb + surface.x), direct;
    SHADOWED_LIGHTS
    OTHER_LIGHTS
    v_lit = clamp(sum, 0.0, 1.0);
#endif
}
#else
#include shadows
#define ADD_SHADOWED(i)                                                        \
    add_light(i, KIND(i), rgb, surface, point, normal, view, sum, direct);     \
    sum += lit_part(i, point) * direct;
vec3 shade(vec3 rgb, vec4 surface, vec3 point, vec3 normal, vec3 view) {
#ifdef UNLIT
    return rgb;
#else
    vec3 sum = rgb * (ambient.rgb + surface.x), direct;
    SHADOWED_LIGHTS
    OTHER_LIGHTS
    return sum;
#endif
}
#endif
