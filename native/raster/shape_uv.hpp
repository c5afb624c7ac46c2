// Texture coordinates of a point on a shape's own surface, in object axes, from its outward normal:
// shape_uv.glsl, and beside it how they grow along the axes, which has no jumps at seams.
#pragma once

#include "maths.hpp"
#include "scene.hpp"

namespace heliograph {
namespace {

struct ShapeUv {
    Vec2 uv;
    Vec3 along_u, along_v;  // how u and v grow along x, y and z

    // How far uv goes where a point goes `way`.
    HELIOGRAPH_INLINE Vec2 step(Vec3 way) const { return {dot(way, along_u), dot(way, along_v)}; }
};

HELIOGRAPH_INLINE ShapeUv select(Mask m, const ShapeUv& a, const ShapeUv& b) {
    return {select(m, a.uv, b.uv), select(m, a.along_u, b.along_u),
            select(m, a.along_v, b.along_v)};
}

// What a texture that lies in two axes shows.
HELIOGRAPH_INLINE ShapeUv laid(Vec3 p, Vec3 along_u, Vec3 along_v) {
    return {{dot(p, along_u) + 0.5f, dot(p, along_v) + 0.5f}, along_u, along_v};
}

struct Round {
    Float8 across;  // from the z axis
    Vec3 turning;   // how the angle around it grows

    HELIOGRAPH_INLINE explicit Round(Vec3 p) : across(larger(length(Vec2{p.x, p.y}), all(1e-6f))) {
        const Float8 share = 0.15915494f / (across * across);
        turning = {-p.y * share, p.x * share, all(0.0f)};
    }
    // How the angle above the equator grows, on a ball whose middle is `up` below.
    HELIOGRAPH_INLINE Vec3 rising(Vec3 p, Float8 up) const {
        const Float8 share = up / across;
        return {-p.x * share, -p.y * share, across};
    }
};

HELIOGRAPH_INLINE Float8 turn(Float8 y, Float8 x) { return fract(arc_tangent(y, x) / 6.2831853f); }

// A cylinder's end, seen from above in both.
HELIOGRAPH_INLINE Mask is_cap(Vec3 normal) { return absolute(normal.z) > 0.99f; }

// Once round from +x, and from the top down; caps from above. Each half sphere of a capsule, whose
// middles are `length` from the origin, and the tube between have the whole of it.
HELIOGRAPH_INLINE ShapeUv round_uv(Solver solver, Vec3 p, Vec3 normal, float length) {
    const Round round(p);
    ShapeUv made{{turn(p.y, p.x), 0.5f - 0.5f * p.z}, round.turning, vec3(0.0f, 0.0f, -0.5f)};
    if (solver == Solver::tube) {
        return select(is_cap(normal), laid(p, vec3(0.5f, 0.0f, 0.0f), vec3(0.0f, 0.5f, 0.0f)),
                      made);
    }
    if (solver == Solver::ball) {
        made.uv.y = arc_cosine(clamp(p.z, -1.0f, 1.0f)) / 3.1415927f;
        made.along_v = round.rising(p, p.z) * all(-0.31830987f);
        return made;
    }
    const Float8 up = p.z - clamp(p.z, -length, length);
    const Mask tube = up == 0.0f;
    const Float8 scale = all(-0.5f / (length > 1e-6f ? length : 1e-6f));
    const Float8 below = select(p.z < 0.0f, all(1.0f), all(0.0f));
    const Float8 on_ball = arc_cosine(clamp(up, -1.0f, 1.0f)) / 1.5707963f - below;
    made.uv.y = select(tube, 0.5f + scale * p.z, on_ball);
    made.along_v = select(tube, Vec3{all(0.0f), all(0.0f), scale},
                          round.rising(p, up) * all(-0.63661977f));
    return made;
}

HELIOGRAPH_INLINE ShapeUv face_uv(Vec3 p, Vec3 normal) {
    const Float8 half = all(0.5f), none = all(0.0f);
    const Vec3 x = vec3(0.5f, 0.0f, 0.0f), y = vec3(0.0f, 0.5f, 0.0f), z = vec3(0.0f, 0.0f, 0.5f);
    const Mask level = is_cap(normal), ahead = absolute(normal.x) > absolute(normal.y);
    const Vec3 side =
        select(ahead, Vec3{none, half * normal.x, none}, Vec3{-half * normal.y, none, none});
    return laid(p, select(level, x, side), select(level, y, z));
}

// `length` is half of a capsule's tube.
inline ShapeUv shape_uv(Solver solver, Vec3 p, Vec3 normal, float length) {
    return is_round(solver) ? round_uv(solver, p, normal, length) : face_uv(p, normal);
}

HELIOGRAPH_INLINE ShapeUv three_js_round_uv(Solver solver, Vec3 p, Vec3 normal, float length) {
    const Float8 none = all(0.0f);
    const Round round(p);
    if (solver == Solver::tube) {
        const ShapeUv side{
            {turn(p.x, -p.y), 0.5f + 0.5f * p.z}, round.turning, vec3(0.0f, 0.0f, 0.5f)};
        const ShapeUv cap = laid(p, vec3(0.0f, -0.5f, 0.0f), {0.5f * normal.z, none, none});
        return select(is_cap(normal), cap, side);
    }
    const bool capsule = solver == Solver::capsule;
    const Float8 end = capsule ? clamp(p.z, -length, length) : none;
    const float whole = capsule ? 2.0f * length + 3.1415927f : 3.1415927f;
    const Float8 up = p.z - end;
    const Float8 v = 0.5f + (end + arc_tangent(up, round.across)) / whole;
    return {{turn(-p.y, -p.x), v}, round.turning, round.rising(p, up) * all(1.0f / whole)};
}

HELIOGRAPH_INLINE ShapeUv three_js_face_uv(Vec3 p, Vec3 normal) {
    const Float8 none = all(0.0f);
    const auto side = [&](Float8 n) {  // half of -1, 0 or 1
        return select(n >= 0.5f, all(0.5f), select(n <= -0.5f, all(-0.5f), none));
    };
    const Vec3 n = {side(normal.x), side(normal.y), side(normal.z)};
    const Mask ahead = n.x != 0.0f, aside = n.y != 0.0f;
    const Vec3 across = {select(aside, all(0.5f), n.z), none, none};
    return laid(p, select(ahead, Vec3{none, none, -n.x}, across),
                select(aside, Vec3{none, none, -n.y}, vec3(0.0f, 0.5f, 0.0f)));
}

// As three.js lays them, whose y axis is z here and whose z axis is -y.
inline ShapeUv three_js_uv(Solver solver, Vec3 p, Vec3 normal, float length) {
    return is_round(solver) ? three_js_round_uv(solver, p, normal, length)
                            : three_js_face_uv(p, normal);
}

}  // namespace
}  // namespace heliograph
