// Fixed-function lighting (Blinn's half vector), per pixel or per vertex.
void add_light(int i, bool head, bool positional, bool spot, vec3 rgb, vec4 surface, vec3 point,
               vec3 normal, vec3 view, inout vec3 sum, out vec3 direct) {
    vec4 position = lights[6 * i], direction = lights[6 * i + 1], diffuse = lights[6 * i + 2];
    vec4 specular = lights[6 * i + 3], attenuation = lights[6 * i + 4];
    vec4 ambient_light = lights[6 * i + 5];
    vec3 to_light = head ? vec3(0.0, 0.0, 1.0) : -direction.xyz;
    float strength = 1.0;
    if (positional) {
        vec3 path = position.xyz - point;
        float range = length(path);
        to_light = path / range;
        strength = 1.0 / dot(attenuation.xyz, vec3(1.0, range, range * range));
    }
    if (spot) {
        float along = dot(-to_light, direction.xyz);
        float rim = clamp((along - direction.w) / max(position.w, 1e-6), 0.0, 1.0);
        strength *= rim * pow(max(along, 1e-6), diffuse.w);
    }
    float facing = dot(normal, to_light);
    // The half vector of two unit vectors, without building it: |l + v|^2 = 2 + 2 l.v.
    float shine = (facing + dot(normal, view)) * inversesqrt(max(2.0 + 2.0 * dot(to_light, view), 1e-6));
    float gloss = facing > 0.0 ? pow(max(shine, 1e-6), surface.z) : 0.0;
    sum += strength * rgb * ambient_light.rgb;
    direct = strength * (rgb * diffuse.rgb * max(facing, 0.0) + surface.y * specular.rgb * gloss);
}

#ifdef VERTEX_LIT
void light(vec3 rgb, vec4 surface, vec3 point, vec3 normal, vec3 view) {
#ifdef UNLIT
    v_lit = rgb;
#else
    vec3 sum = rgb * (ambient.rgb + surface.x), direct;
    LIGHT_VERTEX
    v_lit = clamp(sum, 0.0, 1.0);
#endif
}
#else
#include shadows
vec3 shade(vec3 point, vec3 normal, vec3 view) {
    vec3 rgb = v_rgba.rgb;
#ifdef UNLIT
    return rgb;
#endif
    vec3 sum = rgb * (ambient.rgb + v_surface.x), direct;
    vec4 surface = v_surface;
    LIGHT_PIXEL
    return sum;
}
#endif
