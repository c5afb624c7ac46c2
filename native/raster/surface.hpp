// What is seen at eight pixels of one row, before light: depth, normals, texture coordinates and
// their slopes. gl/shaders/surface.frag for a picture whose primitives are known already.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "haze.hpp"
#include "sampling.hpp"
#include "shape_uv.hpp"
#include "visibility.hpp"

namespace heliograph {
namespace {

// Places of numbers in an instance's record, as raster/paint.py has them.
enum Record {
    RGBA = 0, MATERIAL = 4, SCALE = 8, CUTOFF = 11, ID = 12, OFFSET = 13,
    EMISSIVE = 15, REFLECTANCE = 18
};

// Rays through eight pixels: from `origin` along `way`, both in camera axes, a metre of depth long.
struct Rays {
    Vec2 pixel;  // as in gl_FragCoord, but rows count downwards
    Vec2 where;  // on the plane one metre ahead; of parallel cameras metres
    Vec3 origin, way;
    bool parallel;

    Rays(const FrameBlock& block, int x, int y, bool is_parallel, float aside_x = 0,
         float aside_y = 0)
        : pixel{to_float(lane_numbers() + all_int(x)) + (0.5f + aside_x),
                all(float(y) + 0.5f + aside_y)},
          parallel(is_parallel) {
        where = unprojected(block, pixel);
        origin = parallel ? Vec3{where.x, where.y, all(0.0f)} : vec3(0, 0, 0);
        way = parallel ? vec3(0, 0, -1) : Vec3{where.x, where.y, all(-1.0f)};
    }
    Vec3 point(Float8 depth) const { return origin + way * depth; }
};

// A ray in object axes.
struct ObjectRays {
    Vec3 origin, way;

    ObjectRays(const Drawn& drawn, const Rays& rays) {
        const Rows to_object = rows_of(drawn.to_object);
        origin = rays.parallel ? to_object.point(rays.origin)
                               : vec3(drawn.to_object[3], drawn.to_object[7], drawn.to_object[11]);
        way = to_object.way(rays.way);
    }
};

// Where rays meet a convex shape's own surface: metres along them, and the outward normal there in
// object axes.
struct Crossing {
    Float8 depth;
    Vec3 normal;
    Mask missed;
};

struct RoundCrossing {
    Float8 depth;
    Mask missed;
};

// The unit sphere (or circle: without z). The point nearest the middle comes first: B^2 - AC would
// cancel for far, small shapes.
HELIOGRAPH_INLINE RoundCrossing cross_round(Vec3 c, Vec3 d, bool flat, Mask leaves) {
    if (flat) c.z = d.z = all(0.0f);
    const Float8 over = 1.0f / larger(dot(d, d), all(1e-37f));
    const Float8 middle = -dot(d, c) * over;
    const Vec3 k = c + d * middle;
    const Float8 within = 1.0f - dot(k, k);
    const Float8 half_way = root(larger(within, all(0.0f)) * over);
    return {middle + select(leaves, half_way, -half_way), within < 0.0f};
}

HELIOGRAPH_INLINE Float8 sign(Float8 a) {
    return select(a > 0.0f, all(1.0f), select(a < 0.0f, all(-1.0f), all(0.0f)));
}

HELIOGRAPH_INLINE Crossing cross_slab(Vec3 c, Vec3 d, Mask leaves) {
    // Flat faces at -1 and 1: the last one entered among those a ray comes towards, the first one
    // left of those it goes to.
    const Float8 none = select(leaves, all(1e30f), all(-1e30f));
    const auto side = [&](Float8 from, Float8 way, Float8& away) {
        away = select(leaves, sign(way), sign(from));
        const Float8 gap = away * from - 1.0f, speed = -away * way;
        const Mask met = (leaves & (way != 0.0f)) | (~leaves & (gap > 0.0f) & (speed > 0.0f));
        return select(met, gap / speed, none);
    };
    Vec3 away, t;
    t.x = side(c.x, d.x, away.x), t.y = side(c.y, d.y, away.y), t.z = side(c.z, d.z, away.z);
    const Float8 depth =
        select(leaves, smaller(t.x, smaller(t.y, t.z)), larger(t.x, larger(t.y, t.z)));
    const Float8 zero = all(0.0f);
    return {depth,
            {select(t.x == depth, away.x, zero), select(t.y == depth, away.y, zero),
             select(t.z == depth, away.z, zero)},
            all_int(0)};
}

HELIOGRAPH_INLINE Crossing cross_tube(Vec3 c, Vec3 d, Mask leaves) {
    // Flat faces at z = -1 and 1: for a ray that comes from beyond them, or where it goes.
    const Float8 away = select(leaves, sign(d.z), sign(c.z));
    const Float8 gap = away * c.z - 1.0f, speed = -away * d.z;
    const Mask met = (leaves & (speed < 0.0f)) | (~leaves & (gap > 0.0f) & (speed > 0.0f));
    const Float8 cap = select(met, gap / speed, select(leaves, all(1e30f), all(-1e30f)));
    const RoundCrossing tube = cross_round(c, d, true, leaves);
    const Mask on_tube = (leaves & (tube.depth < cap)) | (~leaves & (tube.depth > cap));
    const Float8 depth = select(on_tube, tube.depth, cap), zero = all(0.0f);
    const Vec3 p = c + d * depth;
    const Float8 beyond = select(on_tube, absolute(p.z), p.x * p.x + p.y * p.y);
    return {depth, select(on_tube, Vec3{p.x, p.y, zero}, Vec3{zero, zero, away}),
            tube.missed | (beyond > 1.0f)};
}

HELIOGRAPH_INLINE Crossing cross_capsule(Vec3 c, Vec3 d, float length, Mask leaves) {
    const RoundCrossing tube = cross_round(c, d, true, leaves);
    const Vec3 p = c + d * tube.depth;
    // Beyond the ends of the tube the ray has met one of the half spheres.
    const Float8 end = clamp(p.z, -length, length);
    const Mask beyond = p.z != end;
    const Vec3 from = {c.x, c.y, c.z - end};
    const RoundCrossing ball = cross_round(from, d, false, leaves);
    return {select(beyond, ball.depth, tube.depth),
            select(beyond, from + d * ball.depth, Vec3{p.x, p.y, all(0.0f)}),
            tube.missed | (beyond & ball.missed)};
}

// Of `leaves` lanes where rays leave the shape, of others where they enter it.
HELIOGRAPH_INLINE Crossing cross(Solver solver, float length, const ObjectRays& rays, Mask leaves) {
    const Vec3 c = rays.origin, d = rays.way;
    if (solver == Solver::slab) return cross_slab(c, d, leaves);
    if (solver == Solver::tube) return cross_tube(c, d, leaves);
    if (solver == Solver::capsule) return cross_capsule(c, d, length, leaves);
    const RoundCrossing ball = cross_round(c, d, false, leaves);
    return {ball.depth, c + d * ball.depth, ball.missed};
}

// The cross product of the first three numbers; the fourth is 0.
HELIOGRAPH_INLINE Float4 cross3(Float4 a, Float4 b) {
    const Float4 a1 = __builtin_shufflevector(a, a, 1, 2, 0, 3);
    const Float4 a2 = __builtin_shufflevector(a, a, 2, 0, 1, 3);
    const Float4 b1 = __builtin_shufflevector(b, b, 1, 2, 0, 3);
    const Float4 b2 = __builtin_shufflevector(b, b, 2, 0, 1, 3);
    return a1 * b2 - a2 * b1;
}
// Columns of a map times a vector.
HELIOGRAPH_INLINE Float4 turned3(const float* columns, Float4 a) {
    return load4(columns) * a[0] + load4(columns + 4) * a[1] + load4(columns + 8) * a[2];
}

// A power of two near the largest of these numbers: lengths measured by it can be multiplied
// without leaving the range of float32.
HELIOGRAPH_INLINE float unit_of(Float4 v, Float4 a, Float4 b) {
    Float4 most = {};
    for (const Float4& each : {v, a, b}) {
        const Float4 size = (Float4)((Int4)each & 0x7FFFFFFF);
        most = most < size ? size : most;  // what is NaN does not count
    }
    const std::uint32_t exponent =
        std::bit_cast<std::uint32_t>(std::max(std::max(most[0], most[1]), most[2])) & 0x7f800000u;
    return std::bit_cast<float>(std::clamp(exponent, 0x01000000u, 0x7e000000u));
}
// 1 / a power of two.
HELIOGRAPH_INLINE float one_over(float power) {
    return std::bit_cast<float>(0x7f000000u - std::bit_cast<std::uint32_t>(power));
}

inline void set_triangle(Triangle& triangle, const Meshes& meshes, const Drawn& drawn,
                         Solver solver, std::uint32_t number, const View& view, bool turned) {
    auto& [key, lit, front, corner, over, first, second, depth, nearest, farthest, uv, normal,
           light] = triangle;
    lit = false;
    const std::size_t t = drawn.first + (number - drawn.number);
    Float4 p[3];
    for (int k = 0; k < 3; ++k) {
        corner[k] = drawn.base + std::size_t(meshes.corner[k][t]);
        p[k] = load4(&meshes.packed[8 * corner[k]]);
        if (is_round(solver)) {
            const float wider = meshes.uv[1][corner[k]];
            p[k][0] *= wider, p[k][1] *= wider;
            if (solver != Solver::tube) p[k][2] *= wider;
            if (solver == Solver::capsule) p[k][2] += meshes.uv[0][corner[k]] * drawn.length;
        }
    }
    // The first corner, and the ways to the others: differences in object axes keep what far
    // places round away.
    Float4 v = turned3(drawn.columns, p[0]) + load4(drawn.columns + 12);
    Float4 a = turned3(drawn.columns, p[1] - p[0]), b = turned3(drawn.columns, p[2] - p[0]);
    const float z[3] = {-v[2], -v[2] - a[2], -v[2] - b[2]};
    const float unit = unit_of(v, a, b), per_unit = one_over(unit);
    v *= per_unit, a *= per_unit, b *= per_unit;
    const Float4 n = cross3(a, b);
    float away = v[0] * n[0] + v[1] * n[1] + v[2] * n[2];
    if (solver == Solver::face) {
        // Of large planes this cancels; in object axes it does not. The sizes of both normals
        // differ by the determinant.
        const float* back = drawn.to_object;
        const float e[2][3] = {{p[1][0] - p[0][0], p[1][1] - p[0][1], p[1][2] - p[0][2]},
                               {p[2][0] - p[0][0], p[2][1] - p[0][1], p[2][2] - p[0][2]}};
        const double o[3] = {double(e[0][1]) * e[1][2] - double(e[0][2]) * e[1][1],
                             double(e[0][2]) * e[1][0] - double(e[0][0]) * e[1][2],
                             double(e[0][0]) * e[1][1] - double(e[0][1]) * e[1][0]};
        double height = 0, determinant = 0;
        for (int k = 0; k < 3; ++k) height += o[k] * (double(p[0][k]) - double(back[4 * k + 3]));
        const float* r = drawn.from_object;
        determinant = double(r[0]) * (double(r[5]) * r[10] - double(r[6]) * r[9]) -
                      double(r[1]) * (double(r[4]) * r[10] - double(r[6]) * r[8]) +
                      double(r[2]) * (double(r[4]) * r[9] - double(r[5]) * r[8]);
        away = float(height * determinant * per_unit * per_unit * per_unit);
    }
    if (!view.camera.orthographic) {
        const Float4 ahead = {1, 1, -1, 1};
        store(over, n * ahead);
        store(first, cross3(b, v) * ahead), store(second, cross3(v, a) * ahead);
        depth[0] = depth[1] = 0, depth[2] = away * unit;
        front = (away < 0) != turned;
    } else {
        over[0] = over[1] = 0, over[2] = -n[2];
        first[0] = -b[1] * per_unit, first[1] = b[0] * per_unit,
        first[2] = v[0] * b[1] - v[1] * b[0];
        second[0] = a[1] * per_unit, second[1] = -a[0] * per_unit,
        second[2] = a[0] * v[1] - a[1] * v[0];
        depth[0] = -n[0], depth[1] = -n[1], depth[2] = away * unit;
        front = (n[2] > 0) != turned;
    }
    const float near_ = float(view.camera.near_);
    nearest = std::max(near_, std::min(z[0], std::min(z[1], z[2])));
    // What is seen is not beyond the far plane, however large a triangle's roundings are.
    farthest =
        std::max(nearest, std::min(float(view.camera.far_), std::max(z[0], std::max(z[1], z[2]))));
    const auto normal_at = [&](int k) {
        return turned3(drawn.normal_columns, load4(&meshes.packed[8 * triangle.corner[k] + 4]));
    };
    const Float4 start = normal_at(0);
    for (int r = 0; r < 3; ++r) normal[r][0] = start[r], normal[r][1] = normal[r][2] = 0;
    if (solver != Solver::face) {
        const Float4 ways[2] = {normal_at(1) - start, normal_at(2) - start};
        for (int r = 0; r < 3; ++r) normal[r][1] = ways[0][r], normal[r][2] = ways[1][r];
        return;
    }
    const float plain[3] = {normal[0][0], normal[1][0], normal[2][0]};
    const float length = __builtin_sqrtf(
        std::max(plain[0] * plain[0] + plain[1] * plain[1] + plain[2] * plain[2], 1e-37f));
    for (int r = 0; r < 3; ++r) normal[r][0] /= length;
}

// Lays a texture on it: by its corners' own coordinates, or by places in object axes, which are
// found from the eye, so that those of large planes are as fine as they are near.
inline void lay_triangle(Triangle& triangle, const Meshes& meshes, const Drawn& drawn,
                         const Kind& kind, const float* scale, const float* offset,
                         const View& view) {
    const auto &corner = triangle.corner;
    const float *over = triangle.over, *first = triangle.first, *second = triangle.second,
                *depth = triangle.depth;
    auto& uv = triangle.uv;
    for (int axis = 0; axis < 2; ++axis) {
        float* to = uv[axis];
        if (kind.own_uv && kind.solver == Solver::mesh) {
            const std::vector<float>& by = meshes.uv[axis];
            const float a = by[corner[0]] * scale[axis] + offset[axis];
            const float b = (by[corner[1]] - by[corner[0]]) * scale[axis];
            const float c = (by[corner[2]] - by[corner[0]]) * scale[axis];
            for (int k = 0; k < 3; ++k) to[k] = a * over[k] + b * first[k] + c * second[k];
            continue;
        }
        // A plane's own are half as large; those from object axes count downwards along v.
        const float part = kind.own_uv ? 0.5f : axis == 1 ? -1.0f : 1.0f;
        const float start = (kind.own_uv ? 0.5f : 1.0f) * scale[axis] + offset[axis];
        const float* row = drawn.to_object + 4 * axis;
        const float by = part * scale[axis];
        if (!view.camera.orthographic) {
            const float way[3] = {row[0], row[1], -row[2]};
            for (int k = 0; k < 3; ++k)
                to[k] = (row[3] * over[k] + depth[2] * way[k]) * by + start * over[k];
        } else {
            const float at[3] = {row[0], row[1], row[3]};
            for (int k = 0; k < 3; ++k)
                to[k] = (at[k] * over[2] - depth[k] * row[2]) * by + start * over[k];
        }
    }
}

HELIOGRAPH_INLINE Float8 linear(const float* by, Vec2 where) {
    return where.x * by[0] + where.y * by[1] + by[2];
}

// A number that grows along the picture: its value, and by how much for the next pixel to the right
// and the next one down.
struct Sloped {
    Float8 value, dx, dy;
};

// A texture's coordinates, and how they grow.
struct Laid {
    Vec2 uv, dx, dy;
};

// Where eight rays meet a triangle's plane.
struct OnTriangle {
    Float8 over;
    Vec2 where;
    float step[2];  // from pixel to pixel
    Sloped first, second, depth;  // barycentric coordinates of corners 1 and 2

    // Slopes cost more than the rest: they are there where they are asked for.
    OnTriangle(const Triangle& t, const FrameBlock& block, Vec2 at, bool slopes,
               bool slope_of_depth)
        : over(1.0f / linear(t.over, at)), where(at), step{block.unproject[0], block.unproject[1]} {
        first = along(t, t.first, slopes), second = along(t, t.second, slopes);
        depth = along(t, t.depth, slope_of_depth);
        first.value = clamp(first.value, 0.0f, 1.0f);
        second.value = clamp(second.value, 0.0f, 1.0f);
        depth.value = clamp(depth.value, t.nearest, t.farthest);
    }
    HELIOGRAPH_INLINE Sloped along(const Triangle& t, const float* by, bool sloped) const {
        Sloped s;
        s.value = linear(by, where) * over;
        if (!sloped) return s;
        s.dx = (by[0] - s.value * t.over[0]) * over * step[0];
        s.dy = (by[1] - s.value * t.over[1]) * over * step[1];
        return s;
    }
    Laid laid(const Triangle& t) const {
        const Sloped u = along(t, t.uv[0], true), v = along(t, t.uv[1], true);
        return {{u.value, v.value}, {u.dx, v.dx}, {u.dy, v.dy}};
    }
    // What is known at the first corner, and from there to the others.
    HELIOGRAPH_INLINE Float8 between(const float* by) const {
        return by[0] + first.value * by[1] + second.value * by[2];
    }
    HELIOGRAPH_INLINE Sloped sloped(const float* by) const {
        return {between(by), first.dx * by[1] + second.dx * by[2],
                first.dy * by[1] + second.dy * by[2]};
    }
};

struct SlopedPoint {
    Vec3 value, dx, dy;
};

// A place in camera axes, from how its depth grows.
HELIOGRAPH_INLINE SlopedPoint sloped_point(const Rays& rays, const FrameBlock& block,
                                           const Sloped& depth) {
    const float x = block.unproject[0], y = block.unproject[1];
    const Float8 wide = rays.parallel ? all(1.0f) : depth.value;
    SlopedPoint s{rays.point(depth.value), rays.way * depth.dx, rays.way * depth.dy};
    s.dx.x += wide * x;
    s.dy.y += wide * y;
    return s;
}

// How the depth grows along a surface that faces `normal`.
HELIOGRAPH_INLINE Sloped sloped_depth(const Rays& rays, const FrameBlock& block, Float8 depth,
                                      Vec3 normal) {
    const Float8 facing = dot(normal, rays.way);
    const Float8 size = select(absolute(facing) > 1e-12f, facing, all(1e-12f));
    const Float8 over = (rays.parallel ? all(1.0f) : depth) / size;
    return {depth, -normal.x * over * block.unproject[0], -normal.y * over * block.unproject[1]};
}

// A unit vector that turns along the picture, from one of any length that does.
HELIOGRAPH_INLINE SlopedPoint normalized(const SlopedPoint& a) {
    const Float8 over = inverse_root(larger(dot(a.value, a.value), all(1e-37f)));
    const Vec3 n = a.value * over, dx = a.dx * over, dy = a.dy * over;
    return {n, dx - n * dot(n, dx), dy - n * dot(n, dy)};
}

HELIOGRAPH_INLINE Laid mapped(const float map[2][3], const Laid& l) {
    const auto row = [&](const float* m, Vec2 a, float one) {
        return a.x * m[0] + a.y * m[1] + m[2] * one;
    };
    return {{row(map[0], l.uv, 1), row(map[1], l.uv, 1)},
            {row(map[0], l.dx, 0), row(map[1], l.dx, 0)},
            {row(map[0], l.dy, 0), row(map[1], l.dy, 0)}};
}

HELIOGRAPH_INLINE Vec4 look_up(const Paint& paint, const Texture& texture, int map,
                               const Laid& laid, Mask m) {
    const Laid at = paint.layered ? mapped(paint.maps[map], laid) : laid;
    return sample(texture, at.uv, at.dx, at.dy, m);
}

}  // namespace
}  // namespace heliograph
