// How much of a light reaches a point in camera axes, from its cell of the shadow atlas.
#if SHADOWS > 0
uniform sampler2DShadow shadow_atlas;
#ifdef SIX_FACES
// Where on the faces of a light's map a way from it goes through; shadows.py lays them out.
vec3 on_faces(vec3 way, vec2 low, vec4 faces, vec4 depth) {
    vec3 size = abs(way);
    float most = max(size.x, max(size.y, size.z));
    bool x = size.x == most, y = !x && size.y == most;
    vec3 turned = x ? way.yzx : y ? way.zxy : way;
    vec2 face = vec2(x ? 0.5 : y ? 1.5 : 2.5, turned.z > 0.0 ? 0.5 : 1.5);
    turned.x *= turned.z > 0.0 ? -1.0 : 1.0;
    return vec3(low + face * faces.xy + turned.xy / most * faces.zw, depth.x - depth.y / most);
}
#endif
float lit_part(int i, vec3 point) {
    vec4 p = shadow_maps[i].from_camera * vec4(point, 1.0);
    vec3 q = p.xyz / p.w;
    vec2 cell = 1.0 / vec2(ATLAS_COLUMNS, ATLAS_ROWS);
    vec2 low = cell * vec2(i % int(ATLAS_COLUMNS), i / int(ATLAS_COLUMNS));
#ifdef SIX_FACES
    if (shadow_maps[i].depth.x > 0.0) q = on_faces(p.xyz, low, shadow_maps[i].faces, shadow_maps[i].depth);
#endif
    bool outside = p.w <= 0.0 || any(lessThan(q, vec3(low, 0.0))) || any(greaterThan(q, vec3(low + cell, 1.0)));
    return outside ? 1.0 : texture(shadow_atlas, q);
}
#endif
