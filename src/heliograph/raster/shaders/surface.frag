// Every pass of one surface. EXACT: depth and normal from the true shape, not its tessellation.
#ifdef SEGMENTATION
flat in int v_id;
#endif
#ifdef VERTEX_LIT
flat in vec2 v_look;             // alpha, reflectance
in vec3 v_lit;
#if SHADOWS > 0
in vec3 v_direct[SHADOWS];
#endif
#elif defined(RGB)
flat in vec4 v_rgba, v_surface;  // surface: emission, specular, shininess exponent, reflectance
#endif
#ifdef TEXTURED
flat in vec4 v_texturing;        // scale
#endif
#ifdef FACE
flat in vec3 v_plane, v_facing;  // where its plane is, and its normal in camera axes
#endif
#ifdef OBJECT_FROM_CAMERA
flat in vec4 v_back0, v_back1, v_back2;
#endif
#if defined(FACE) && defined(NATURAL_UV)
flat in vec3 v_axis;             // the normal in object axes
#endif
#ifdef SMOOTH
in vec3 v_normal;
#endif
#ifdef MESH_UV
in vec2 v_uv;
#endif
#ifdef OBJECT_POINT
in vec3 v_object;
#endif
#if defined(ORTHO) && !defined(EXACT)
in float v_depth;
#endif
#ifdef FLAT_TEXTURE
flat in vec2 v_offset;
uniform sampler2D image;
#endif
#ifdef CUBE_TEXTURE
uniform samplerCube image;
#endif

#ifdef REFLECTIVE
uniform sampler2D mirror;
#endif

#ifdef ROUND
// Metres along a ray to where it enters a . p^2 = 1. The point nearest the axis comes first:
// B^2 - AC would cancel for far, small shapes.
float enter_round(vec3 a, vec3 c, vec3 d) {
    vec3 ad = a * d;
    float over = 1.0 / max(dot(ad, d), 1e-30);
    float middle = -dot(ad, c) * over;
    vec3 k = c + middle * d;
    return middle - sqrt(max(1.0 - dot(a * k, k), 0.0) * over);
}
#endif

#if defined(EXACT) && !defined(FACE)
// Where the ray enters the convex shape: metres along it, and the object-space normal there.
float enter(vec3 c, vec3 d, out vec3 normal) {
    float t = -1e30;
    normal = vec3(0.0);
#ifdef SLAB
    // Flat faces at -1 and 1: the last one entered among those the ray comes towards. A pixel on an
    // edge may belong to another face's triangle, so the plane of its own would not do.
    vec3 away = sign(c), gap = abs(c) - 1.0, speed = -away * d;
    bvec3 met = bvec3(vec3(greaterThan(gap, vec3(0.0))) * vec3(greaterThan(speed, vec3(0.0))));
    vec3 flat_t = mix(vec3(-1e30), gap / speed, met);
    t = max(flat_t.x, max(flat_t.y, flat_t.z));
    normal = away * vec3(equal(flat_t, vec3(t)));
#endif
#ifdef CAPS
    // Flat faces at z = -1 and 1, for a ray that comes from beyond them.
    float away = sign(c.z), gap = abs(c.z) - 1.0, speed = -away * d.z;
    t = gap > 0.0 && speed > 0.0 ? gap / speed : t;
    normal = vec3(0.0, 0.0, away);
#endif
#ifdef ROUND
    float round_t = enter_round(ROUND_AXES, c, d);
    bool round_first = round_t > t;
    t = round_first ? round_t : t;
    normal = round_first ? ROUND_AXES * (c + t * d) : normal;
#endif
#ifdef BETWEEN_DOMES
    // Beyond its ends the ray has met a capsule's dome, which has the tube's width for a radius.
    float z = c.z + t * d.z, end = sign(z), part = length(v_back0.xyz) / length(v_back2.xyz);
    vec3 from = vec3(c.xy, (c.z - end) * part), along = vec3(d.xy, d.z * part);
    float dome_t = enter_round(vec3(1.0), from, along);
    vec3 on_dome = from + dome_t * along;
    bool beyond = abs(z) > 1.0;
    t = beyond ? dome_t : t;
    normal = beyond ? vec3(on_dome.xy, on_dome.z * part) : normal;
#endif
    return t;
}
#endif

#ifdef NATURAL_UV
#ifdef ROUND
// Once round from +x, and from the top down; caps from above.
vec2 natural_uv(vec3 p, vec3 normal) {
#ifdef CAPS
    if (abs(normal.z) > 0.99) return p.xy * 0.5 + 0.5;
#endif
    float turn = fract(atan(p.y, p.x) / 6.2831853);
#ifdef BALL
    return vec2(turn, acos(clamp(p.z, -1.0, 1.0)) / 3.1415927);
#else
    return vec2(turn, 0.5 - 0.5 * p.z);
#endif
}
#else
vec2 natural_uv(vec3 p, vec3 normal) {
    vec3 n = abs(normal);
    if (n.z > 0.99) return p.xy * 0.5 + 0.5;
    return vec2(n.x > n.y ? p.y * normal.x : -p.x * normal.y, p.z) * 0.5 + 0.5;
}
#endif
#endif

#ifdef VERTEX_LIT
#include shadows
#elif defined(RGB)
#include lighting
#endif

void main() {
    vec2 where = gl_FragCoord.xy * unproject.xy + unproject.zw;
#ifdef ORTHO
    vec3 origin = vec3(where, 0.0), ray = vec3(0.0, 0.0, -1.0);
#else
    vec3 origin = vec3(0.0), ray = vec3(where, -1.0);
#endif
    vec3 normal;
#ifdef OBJECT_FROM_CAMERA
    vec3 o = vec3(dot(v_back0, vec4(origin, 1.0)), dot(v_back1, vec4(origin, 1.0)),
                  dot(v_back2, vec4(origin, 1.0)));
    vec3 d = vec3(dot(v_back0.xyz, ray), dot(v_back1.xyz, ray), dot(v_back2.xyz, ray));
#endif
#ifdef FACE
    float depth = dot(v_plane, vec3(gl_FragCoord.xy, 1.0));
#ifndef ORTHO
    depth = 1.0 / depth;
#endif
    normal = v_facing;
#elif defined(EXACT)
    vec3 object_normal;
    // The true surface bulges out of its triangles, but not through the near plane.
    float depth = max(enter(o, d, object_normal), ambient.w);
    normal = normalize(object_normal.x * v_back0.xyz + object_normal.y * v_back1.xyz
                       + object_normal.z * v_back2.xyz);
#else
#ifdef ORTHO
    float depth = v_depth;
#else
    float depth = 1.0 / gl_FragCoord.w;
#endif
#ifdef SMOOTH
    normal = normalize(v_normal);
#else
    normal = vec3(0.0, 0.0, 1.0);
#endif
#endif
#ifdef DOUBLE_SIDED
    normal *= gl_FrontFacing ? 1.0 : -1.0;
#endif
#ifdef DEPTH
    o_depth = depth;
#endif
#ifdef NORMALS
    o_normal = vec4(normal, 1.0);
#endif
#ifdef SEGMENTATION
    o_id = v_id;
#endif
#ifdef RGB
#define POINT (origin + depth * ray)
    vec4 texel = vec4(1.0);
#if defined(EXACT) && defined(TEXTURED)
    vec3 object = o + depth * d;
#if defined(FACE) && defined(NATURAL_UV)
    vec3 object_normal = v_axis;
#endif
#endif
#ifdef FLAT_TEXTURE
#if defined(EXACT) && defined(NATURAL_UV)
    vec2 uv = natural_uv(object, object_normal), dx = dFdx(uv), dy = dFdy(uv);
    dx.x -= round(dx.x);  // where a texture has gone once round it jumps back by 1
    dy.x -= round(dy.x);
    texel = textureGrad(image, uv * v_texturing.xy + v_offset, dx * v_texturing.xy, dy * v_texturing.xy);
#elif defined(EXACT)
    texel = texture(image, vec2(1.0 + object.x, 1.0 - object.y) * v_texturing.xy + v_offset);
#elif defined(MESH_UV)
    texel = texture(image, v_uv * v_texturing.xy + v_offset);
#else
    texel = texture(image, vec2(1.0 + v_object.x, 1.0 - v_object.y) * v_texturing.xy + v_offset);
#endif
#endif
#ifdef CUBE_TEXTURE
#ifdef EXACT
    texel = texture(image, object * v_texturing.xyz);
#else
    texel = texture(image, v_object * v_texturing.xyz);
#endif
#endif
    // As fixed-function OpenGL does, light saturates before the texture takes its part of it.
#ifdef VERTEX_LIT
    vec3 lit = v_lit;
    float alpha = v_look.x, reflectance = v_look.y;
    SHADOWED_LIGHT
    lit *= texel.rgb;
#else
    vec3 lit = clamp(shade(POINT, normal, normalize(-ray)), 0.0, 1.0) * texel.rgb;
    float alpha = v_rgba.a, reflectance = v_surface.w;
#endif
#ifdef REFLECTIVE
    lit += reflectance * texelFetch(mirror, ivec2(gl_FragCoord.xy), 0).rgb;
#endif
#ifdef HAZE
    float fade = clamp((length(POINT) - haze.w) / (haze_end - haze.w), 0.0, 1.0);
    lit = mix(lit, haze.rgb, fade);
#endif
    o_rgb = vec4(clamp(lit, 0.0, 1.0), alpha * texel.a);
#endif
}
