// How much of a light reaches a point in camera axes, from its shadow map.
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
