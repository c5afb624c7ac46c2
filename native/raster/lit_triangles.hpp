// What is seen of triangles that need no more than light at their corners, and a texture at most:
// of what eight pixels see, or of the one triangle that all of them see.
#pragma once

#include "surface.hpp"

namespace heliograph {
namespace {

// Numbers of each pixel's triangle, as `Triangle` has them.
struct LitTriangles {
    std::uint32_t number = 0;  // where it is the same triangle everywhere
    Float8 over[3], first[3], second[3], depth[3], nearest, farthest;
    Float8 uv[2][3], normal[3][3], light[LIGHT_NUMBERS][3];
    Float8 reflectance;
    Int8 id;
    Mask even, textured;  // whether the normal is the same everywhere; whether `paint` is on it
    bool any_even = false, all_even = false, reflective = false;
    const Paint* paint = nullptr;

    // Of lanes `m`, or of all (`whole`).
    template <bool whole>
    static HELIOGRAPH_INLINE void put(Mask m, Float8& to, float value) {
        to = whole ? all(value) : select(m, all(value), to);
    }
    template <bool whole>
    static HELIOGRAPH_INLINE void put(Mask m, Float8* to, const float* values) {
        for (int k = 0; k < 3; ++k) put<whole>(m, to[k], values[k]);
    }
    template <bool whole>
    HELIOGRAPH_INLINE void put_place(Mask m, const Triangle& t) {
        put<whole>(m, over, t.over);
        put<whole>(m, first, t.first);
        put<whole>(m, second, t.second);
        put<whole>(m, depth, t.depth);
        put<whole>(m, nearest, t.nearest);
        put<whole>(m, farthest, t.farthest);
    }
    template <bool whole>
    HELIOGRAPH_INLINE void put_normals(Mask m, const Triangle& t, bool is_even) {
        for (int axis = 0; axis < 3; ++axis)
            put<whole>(m, normal[axis], t.normal[axis]);
        const Mask here = all_int(is_even ? -1 : 0);
        even = whole ? here : select(m, here, even);
        any_even = is_even || (!whole && any_even);
        all_even = is_even && (whole || all_even);
    }
    // False where there is another texture.
    template <bool whole>
    HELIOGRAPH_INLINE bool put_paint(Mask m, const Triangle& t, const Paint* laid) {
        if (whole) paint = laid, textured = all_int(laid != nullptr ? -1 : 0);
        if (laid == nullptr) {
            textured &= ~m;
            return true;
        }
        if (paint != nullptr && paint != laid) return false;
        paint = laid;
        textured |= m;
        for (int axis = 0; axis < 2; ++axis) put<whole>(m, uv[axis], t.uv[axis]);
        return true;
    }
    template <bool whole>
    HELIOGRAPH_INLINE void put_light(Mask m, const Triangle& t, int count) {
        for (int i = 0; i < count; ++i) put<whole>(m, light[i], t.light[i]);
    }
};

// Where eight rays meet their triangles: as `OnTriangle`.
struct OnTriangles {
    const LitTriangles& triangles;
    Vec2 where;
    Float8 over, first, second;

    HELIOGRAPH_INLINE OnTriangles(const LitTriangles& t, Vec2 at)
        : triangles(t), where(at), over(1.0f / linear(t.over)) {
        first = clamp(linear(t.first) * over, 0.0f, 1.0f);
        second = clamp(linear(t.second) * over, 0.0f, 1.0f);
    }
    HELIOGRAPH_INLINE Float8 linear(const Float8* by) const {
        return where.x * by[0] + where.y * by[1] + by[2];
    }
    HELIOGRAPH_INLINE Float8 between(const Float8* by) const {
        return by[0] + first * by[1] + second * by[2];
    }
    HELIOGRAPH_INLINE Vec3 between3(const Float8 (*by)[3]) const {
        return {between(by[0]), between(by[1]), between(by[2])};
    }
    HELIOGRAPH_INLINE Float8 depth() const {
        const LitTriangles& t = triangles;
        return clamp(linear(t.depth) * over, t.nearest, t.farthest);
    }
    HELIOGRAPH_INLINE Vec3 normal() const {
        const LitTriangles& t = triangles;
        const Vec3 plain{t.normal[0][0], t.normal[1][0], t.normal[2][0]};
        if (t.all_even) return plain;
        const Vec3 round = normalize(between3(t.normal));
        return t.any_even ? select(t.even, plain, round) : round;
    }
    HELIOGRAPH_INLINE Laid laid(const FrameBlock& block) const {
        Laid l;
        const auto along = [&](const Float8* by, Float8& value, Float8& dx, Float8& dy) {
            value = linear(by) * over;
            dx = (by[0] - value * triangles.over[0]) * over * block.unproject[0];
            dy = (by[1] - value * triangles.over[1]) * over * block.unproject[1];
        };
        along(triangles.uv[0], l.uv.x, l.dx.x, l.dy.x);
        along(triangles.uv[1], l.uv.y, l.dx.y, l.dy.y);
        return l;
    }
};

}  // namespace
}  // namespace heliograph
