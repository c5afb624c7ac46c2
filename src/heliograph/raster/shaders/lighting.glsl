// Fixed-function lighting (Blinn's half vector), per pixel.
vec3 add_light(int i, bool head, bool positional, bool spot, float shadow, vec3 rgb, vec4 surface,
               vec3 point, vec3 normal, vec3 view) {
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
    vec3 direct = rgb * diffuse.rgb * max(facing, 0.0) + surface.y * specular.rgb * gloss;
    return strength * (rgb * ambient_light.rgb + shadow * direct);
}

#if SHADOWS > 0
uniform sampler2DShadow shadow_maps[SHADOWS];
float lit_part(int map, vec3 point) {
    vec4 p = shadow_from_camera[map] * vec4(point, 1.0);
    if (p.w <= 0.0) return 1.0;
    vec3 q = p.xyz / p.w;
    if (any(lessThan(q, vec3(0.0))) || any(greaterThan(q, vec3(1.0)))) return 1.0;
    return SHADOW_LOOKUP;
}
#endif

vec3 shade(vec3 point, vec3 normal, vec3 view) {
    vec3 rgb = v_rgba.rgb;
#ifdef UNLIT
    return rgb;
#endif
    vec3 sum = rgb * (ambient.rgb + v_surface.x);
    SHADE_LIGHTS
    return sum;
}

#ifdef NATURAL_UV
vec2 natural_uv(vec3 p, vec3 normal) {
    vec3 n = abs(normal);
    if (n.z >= max(n.x, n.y) && n.z > 0.99) return p.xy * 0.5 + 0.5;
    if (max(n.x, n.y) > 0.999 && n.x + n.y + n.z < 1.001 && max(abs(p.x), abs(p.y)) > 0.999)
        return vec2(n.x > n.y ? p.y * normal.x : -p.x * normal.y, p.z) * 0.5 + 0.5;
    float turn = atan(p.y, p.x) / 6.2831853 + 0.5;
    return vec2(turn, length(normal.xy) < 0.999 ? acos(clamp(-p.z, -1.0, 1.0)) / 3.1415927 : p.z * 0.5 + 0.5);
}
#endif
