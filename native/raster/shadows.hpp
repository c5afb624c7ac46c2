// How much of a light reaches a point in camera axes, from its cell of the shadow atlas:
// shadows.glsl. `wanted` are the lanes that matter; the others may hold anything.
#pragma once

#include "frame.hpp"

namespace heliograph {
namespace {

HELIOGRAPH_INLINE Mask is_not_zero(Vec3 a) {
    return (a.x != 0.0f) | (a.y != 0.0f) | (a.z != 0.0f);
}

// Where on the faces of a light's map a way from it goes through; shadows.py lays them out.
HELIOGRAPH_INLINE Vec3 on_faces(Vec3 way, const float* low, const ShadowMap& map) {
    const float *faces = map.faces, *depth = map.depth;
    const Vec3 size = {absolute(way.x), absolute(way.y), absolute(way.z)};
    const Float8 most = larger(size.x, larger(size.y, size.z));
    const Mask x = size.x == most, y = ~x & (size.y == most);
    const Vec3 turned =
        select(x, Vec3{way.y, way.z, way.x}, select(y, Vec3{way.z, way.x, way.y}, way));
    const Mask ahead = turned.z > 0.0f;
    const Float8 column = select(x, all(0.5f), select(y, all(1.5f), all(2.5f)));
    const Float8 row = select(ahead, all(0.5f), all(1.5f));
    const Float8 right = select(ahead, -turned.x, turned.x);
    return {low[0] + column * faces[0] + right / most * faces[2],
            low[1] + row * faces[1] + turned.y / most * faces[3], depth[0] - depth[1] / most};
}

// Where on the atlas a point is that `from_camera` brought there; z is above 1 where all is lit.
static Vec3 on_atlas(const Frame& frame, int light, Vec4 p) {
    const FrameBlock& block = *frame.block;
    const ShadowMap& map = block.shadow_maps[light];
    const int columns = int(block.atlas_grid[0]);
    const float cell[2] = {1.0f / block.atlas_grid[0], 1.0f / block.atlas_grid[1]};
    const float low[2] = {cell[0] * float(light % columns), cell[1] * float(light / columns)};
    Vec3 q = {p.x, p.y, p.z};
    if (map.depth[0] > 0.0f) {
        q = on_faces(q, low, map);
    } else if (frame.kinds[light] != PARALLEL_LIGHT) {  // whose w is 1
        q = q / p.w;
    }
    const Mask outside = (p.w <= 0.0f) | (q.x < low[0]) | (q.y < low[1]) | (q.z < 0.0f) |
                         (q.x > low[0] + cell[0]) | (q.y > low[1] + cell[1]) | (q.z > 1.0f);
    return {q.x, q.y, select(outside, all(2.0f), q.z)};
}

// How much of the four texels round a place is no nearer to the light.
static Float8 compared(const Frame& frame, Vec3 q, Mask wanted) {
    const Mask lit = q.z > 1.0f;
    if (!any(wanted & ~lit)) return all(1.0f);
    const Corners at = corners(frame.atlas, {q.x, q.y});
    const float* depths = frame.atlas.texels;
    const Float8 none = all(0.0f), one = all(1.0f);
    const Float8 part = at.between(select(q.z <= gather(depths, at.low_left), one, none),
                                   select(q.z <= gather(depths, at.low_right), one, none),
                                   select(q.z <= gather(depths, at.high_left), one, none),
                                   select(q.z <= gather(depths, at.high_right), one, none));
    return select(lit, one, part);
}

// Of classic light.
static Float8 lit_part(const Frame& frame, int light, Vec3 point, Mask wanted) {
    const float* map = frame.block->shadow_maps[light].from_camera;
    return compared(frame, on_atlas(frame, light, transformed(map, point, 1.0f)), wanted);
}

// A lit point and two ways from it, a metre aside as the light sees them, in the plane of its
// surface: which so never shadows itself; and a metre towards the light. On the atlas, before the
// division.
struct Spread {
    Vec4 point, across, up, ahead;
};

static Spread spread(const Frame& frame, int light, Vec3 point, Vec3 normal, Vec3 to_light) {
    const Mask slanted = absolute(to_light.x) < 0.6f;
    const Vec3 beside = select(slanted, vec3(1.0f, 0.0f, 0.0f), vec3(0.0f, 1.0f, 0.0f));
    Vec3 across = normalize(cross(to_light, beside));
    Vec3 up = cross(to_light, across);
    const Float8 facing = larger(dot(normal, to_light), all(0.1f));
    across = across - to_light * (dot(normal, across) / facing);
    up = up - to_light * (dot(normal, up) / facing);
    const float* map = frame.block->shadow_maps[light].from_camera;
    return {transformed(map, point, 1.0f), transformed(map, across, 0.0f),
            transformed(map, up, 0.0f), transformed(map, to_light, 0.0f)};
}

// Where on the atlas a point beside that one is, metres aside.
HELIOGRAPH_INLINE Vec3 beside(const Frame& frame, int light, const Spread& s, Vec2 aside) {
    const float lift = 0.15f;  // that much nearer to the light, for surfaces that are no planes
    const Float8 ahead = lift * length(aside);
    const Vec4 p = {s.point.x + aside.x * s.across.x + aside.y * s.up.x + ahead * s.ahead.x,
                    s.point.y + aside.x * s.across.y + aside.y * s.up.y + ahead * s.ahead.y,
                    s.point.z + aside.x * s.across.z + aside.y * s.up.z + ahead * s.ahead.z,
                    s.point.w + aside.x * s.across.w + aside.y * s.up.w + ahead * s.ahead.w};
    return on_atlas(frame, light, p);
}
static Float8 lit_at(const Frame& frame, int light, const Spread& s, Vec2 aside, Mask wanted) {
    return compared(frame, beside(frame, light, s, aside), wanted);
}

// Four comparisons, each of four texels: a rim three texels wide.
static Float8 smooth_part(const Frame& frame, int light, const Spread& s, Mask wanted) {
    const ShadowMap& map = frame.block->shadow_maps[light];
    const float width = float(frame.atlas.width), height = float(frame.atlas.height);
    Float8 texel;
    if (map.depth[0] > 0.0f) {
        texel = length(Vec3{s.point.x, s.point.y, s.point.z}) / (map.faces[2] * width);
    } else {
        const Vec2 metre = {s.across.x * width, s.across.y * height};
        texel = s.point.w / larger(length(metre), all(1e-18f));
    }
    const Float8 a = 0.5f * texel, b = -a;
    const Float8 sum = lit_at(frame, light, s, {a, a}, wanted) +
                       lit_at(frame, light, s, {a, b}, wanted) +
                       lit_at(frame, light, s, {b, a}, wanted) +
                       lit_at(frame, light, s, {b, b}, wanted);
    return 0.25f * sum;
}

// From one place on a disk to the next, so that they are evenly spread: a turn by the golden angle,
// and ever farther out.
HELIOGRAPH_INLINE Vec2 turned_on(Vec2 a) {
    return {-0.73736888f * a.x - 0.67549029f * a.y, 0.67549029f * a.x - 0.73736888f * a.y};
}
HELIOGRAPH_INLINE float outwards(int i, int number) {
    return __builtin_sqrtf((float(i) + 0.5f) / float(number));
}

// Of a light that is no point: the nearer what hides it is to the lit surface, the sharper the rim.
// `pixel` is as in gl_FragCoord.
static Float8 soft_part(const Frame& frame, int light, const Spread& s, Vec2 pixel, Mask wanted) {
    const int searched = 12, taken = 24;
    const float* depth = frame.block->shadow_maps[light].depth;
    const Float8 here = on_atlas(frame, light, s.point).z;
    // Where the first place is differs from pixel to pixel, so that no pattern shows.
    const Float8 noise = fract(52.9829189f * fract(dot(pixel, vec2(0.06711056f, 0.00583715f))));
    const SineCosine turn = sine_cosine(6.2831853f * noise);
    // Parallel light: depth[3] is less than 0, metres that the map is deep from what is nearest.
    const Float8 widest = depth[3] > 0.0f ? all(depth[2]) : depth[2] * here * -depth[3];
    const Vec2 first = {turn.cosine, turn.sine};
    const Float8 none = all(0.0f), one = all(1.0f);
    Float8 hiding = none, number = none;
    Vec2 way = first;
    for (int j = 0; j < searched; ++j, way = turned_on(way)) {
        const Vec3 q = beside(frame, light, s, way * (widest * outwards(j, searched)));
        if (!any(wanted & (q.z <= 1.0f))) continue;
        const Float8 found = gather(frame.atlas.texels, nearest(frame.atlas, {q.x, q.y}));
        const Mask before = (q.z <= 1.0f) & (found < q.z);
        const Float8 gap = depth[3] > 0.0f ? (depth[3] - found) / (depth[3] - q.z) - 1.0f
                                           : (q.z - found) * -depth[3];
        hiding += select(before, gap, none);
        number += select(before, one, none);
    }
    const Mask hidden = number > 0.0f;
    const Float8 radius = select(hidden, depth[2] * hiding / number, none);
    if (!any(wanted & hidden)) return lit_at(frame, light, s, {none, none}, wanted);
    Float8 lit = none;
    way = first;
    for (int j = 0; j < taken; ++j, way = turned_on(way)) {
        lit += lit_at(frame, light, s, way * (radius * outwards(j, taken)), wanted);
    }
    const Float8 sharp = lit_at(frame, light, s, {none, none}, wanted & ~hidden);
    return select(hidden, lit / float(taken), sharp);
}

// Of linear light, on a surface with this normal.
static Float8 lit_part(const Frame& frame, int light, Vec3 point, Vec3 normal, Vec3 to_light,
                       Vec2 pixel, Mask wanted) {
    const Spread s = spread(frame, light, point, normal, to_light);
    if (frame.block->shadow_maps[light].depth[2] > 0.0f) {
        return soft_part(frame, light, s, pixel, wanted);
    }
    return smooth_part(frame, light, s, wanted);
}

}  // namespace
}  // namespace heliograph
