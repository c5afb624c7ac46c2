// Tables of float32 looked up between their texels: GL's LINEAR filter without mip levels.
#pragma once

#include "maths.hpp"
#include "scene.hpp"

namespace heliograph {
namespace {

// The four texels round a place, and how far it is from the first to the next along each side.
struct Corners {
    Int8 low_left, low_right, high_left, high_right;
    Float8 across, up;
    HELIOGRAPH_INLINE Float8 between(Float8 a, Float8 b, Float8 c, Float8 d) const {
        return mix(mix(a, b, across), mix(c, d, across), up);
    }
    HELIOGRAPH_INLINE Corners shifted(Int8 by) const {
        return {low_left + by, low_right + by, high_left + by, high_right + by, across, up};
    }
};

HELIOGRAPH_INLINE Corners corners(const Table& table, Int8 left, Int8 right, Float8 across,
                                  Float8 y) {
    const Int8 row = truncated(y), low = row * table.width;
    const Int8 high = select(row < table.height - 1, low + table.width, low);
    return {low + left, low + right, high + left, high + right, across, y - to_float(row)};
}
HELIOGRAPH_INLINE Float8 texels_from(Float8 where, int number) {
    return clamp(where * float(number) - 0.5f, 0.0f, float(number - 1));
}

// At `where`, from 0 to 1 from edge to edge; beyond the edges theirs. Any float may come in.
HELIOGRAPH_INLINE Corners corners(const Table& table, Vec2 where) {
    const Float8 x = texels_from(where.x, table.width);
    const Int8 left = truncated(x), right = select(left < table.width - 1, left + 1, left);
    return corners(table, left, right, x - to_float(left), texels_from(where.y, table.height));
}

// The same where the right edge goes on at the left one.
HELIOGRAPH_INLINE Corners corners_round(const Table& table, Vec2 where) {
    const float width = float(table.width);
    const Float8 x = clamp(where.x * width + 0.5f, 0.0f, width + 0.5f);  // from the last texel on
    const Int8 next = truncated(x), left = select(next > 0, next, all_int(table.width)) - 1;
    const Int8 right = select(next < table.width, next, all_int(0));
    return corners(table, left, right, x - to_float(next), texels_from(where.y, table.height));
}

// Which texel a place is on, with GL's NEAREST filter.
HELIOGRAPH_INLINE Int8 nearest(const Table& table, Vec2 where) {
    const Float8 x = clamp(where.x * float(table.width), 0.0f, float(table.width - 1));
    const Float8 y = clamp(where.y * float(table.height), 0.0f, float(table.height - 1));
    return truncated(y) * table.width + truncated(x);
}

// One number of a texel, of those that each has.
HELIOGRAPH_INLINE Float8 between(const float* texels, const Corners& at, int channels,
                                 int channel) {
    const float* from = texels + channel;
    const Float8 low_left = gather(from, at.low_left * channels);
    const Float8 low_right = gather(from, at.low_right * channels);
    const Float8 high_left = gather(from, at.high_left * channels);
    const Float8 high_right = gather(from, at.high_right * channels);
    return at.between(low_left, low_right, high_left, high_right);
}
HELIOGRAPH_INLINE Vec3 colour_between(const float* texels, const Corners& at) {
    return {between(texels, at, 3, 0), between(texels, at, 3, 1), between(texels, at, 3, 2)};
}

}  // namespace
}  // namespace heliograph
