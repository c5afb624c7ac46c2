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
// Where on the atlas a point is that `from_camera` has brought there; z is above 1 where all is lit.
vec3 on_atlas(int i, vec4 p) {
    vec3 q = p.xyz / p.w;
    vec2 cell = 1.0 / vec2(ATLAS_COLUMNS, ATLAS_ROWS);
    vec2 low = cell * vec2(i % int(ATLAS_COLUMNS), i / int(ATLAS_COLUMNS));
#ifdef SIX_FACES
    if (shadow_maps[i].depth.x > 0.0) q = on_faces(p.xyz, low, shadow_maps[i].faces, shadow_maps[i].depth);
#endif
    bool outside = p.w <= 0.0 || any(lessThan(q, vec3(low, 0.0))) || any(greaterThan(q, vec3(low + cell, 1.0)));
    return vec3(q.xy, outside ? 2.0 : q.z);
}
#ifndef STANDARD
float lit_part(int i, vec3 point) {
    vec3 q = on_atlas(i, shadow_maps[i].from_camera * vec4(point, 1.0));
    return q.z > 1.0 ? 1.0 : texture(shadow_atlas, q);
}
#else
// A lit point and two ways from it, a metre aside as the light sees them, in the plane of its surface:
// which so never shadows itself; and a metre towards the light. On the atlas, before the division.
struct Spread {
    vec4 point, across, up, ahead;
};
// Of what is taken aside: that much nearer to the light, for surfaces that are no planes.
const float LIFT = 0.15;
Spread spread(int i, vec3 point, vec3 normal, vec3 to_light) {
    vec3 across = normalize(cross(to_light, abs(to_light.x) < 0.6 ? vec3(1.0, 0.0, 0.0) : vec3(0.0, 1.0, 0.0)));
    vec3 up = cross(to_light, across);
    float facing = max(dot(normal, to_light), 0.1);
    across -= to_light * dot(normal, across) / facing;
    up -= to_light * dot(normal, up) / facing;
    mat4 map = shadow_maps[i].from_camera;
    return Spread(map * vec4(point, 1.0), map * vec4(across, 0.0), map * vec4(up, 0.0),
                  map * vec4(to_light, 0.0));
}
vec3 beside(int i, Spread s, vec2 aside) {
    return on_atlas(i, s.point + aside.x * s.across + aside.y * s.up + LIFT * length(aside) * s.ahead);
}
float lit_at(int i, Spread s, vec2 aside) {
    vec3 q = beside(i, s, aside);
    return q.z > 1.0 ? 1.0 : texture(shadow_atlas, q);
}
// Four comparisons, each of four texels: a rim three texels wide.
float smooth_part(int i, Spread s) {
    vec2 size = vec2(textureSize(shadow_atlas, 0));
    float texel = s.point.w / max(length(s.across.xy * size), 1e-18);
#ifdef SIX_FACES
    if (shadow_maps[i].depth.x > 0.0) texel = length(s.point.xyz) / (shadow_maps[i].faces.z * size.x);
#endif
    vec2 aside = 0.5 * vec2(texel, -texel);
    return 0.25 * (lit_at(i, s, aside.xx) + lit_at(i, s, aside.xy) + lit_at(i, s, aside.yx) + lit_at(i, s, aside.yy));
}
#ifdef SOFT
uniform sampler2D shadow_depths;
const int SEARCHED = 12, TAKEN = 24;
// From one place on a disk to the next, so that they are evenly spread: a turn by the golden angle.
const mat2 GOLDEN = mat2(-0.73736888, 0.67549029, -0.67549029, -0.73736888);
float outwards(int i, int number) { return sqrt((float(i) + 0.5) / float(number)); }
// What hides a part of a light that is no point: the nearer it is to the lit surface, the sharper
// the rim.
float soft_part(int i, Spread s) {
    vec4 depth = shadow_maps[i].depth;
    float here = on_atlas(i, s.point).z;
    // Where the first place is differs from pixel to pixel, so that no pattern shows.
    float turn = 6.2831853 * fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
    // Parallel light: `depth.w` is less than 0, metres that the map is deep from what is nearest.
    float widest = depth.w > 0.0 ? depth.z : depth.z * here * -depth.w;
    vec2 first = vec2(cos(turn), sin(turn)), way = first;
    float hiding = 0.0, number = 0.0, lit = 0.0;
    for (int j = 0; j < SEARCHED; ++j, way = GOLDEN * way) {
        vec3 q = beside(i, s, widest * outwards(j, SEARCHED) * way);
        float found = textureLod(shadow_depths, q.xy, 0.0).r;
        float before = q.z <= 1.0 && found < q.z ? 1.0 : 0.0;
        hiding += before * (depth.w > 0.0 ? (depth.w - found) / (depth.w - q.z) - 1.0 : (q.z - found) * -depth.w);
        number += before;
    }
    if (number == 0.0) return lit_at(i, s, vec2(0.0));
    float radius = depth.z * hiding / number;
    way = first;
    for (int j = 0; j < TAKEN; ++j, way = GOLDEN * way) lit += lit_at(i, s, radius * outwards(j, TAKEN) * way);
    return lit / float(TAKEN);
}
#endif
float lit_part(int i, vec3 point, vec3 normal, vec3 to_light) {
    Spread s = spread(i, point, normal, to_light);
#ifdef SOFT
    if (shadow_maps[i].depth.z > 0.0) return soft_part(i, s);
#endif
    return smooth_part(i, s);
}
#endif
#endif
