// Looks textures up, eight pixels at once, as OpenGL's trilinear filter does. What Mesa's llvmpipe
// finds is the same to 0.1 / 255, but for three cases. It blends in bytes where a texture that is
// not linear repeats: 0.3 / 255 on average, at most 1.5. It decodes sRGB by a cubic polynomial: at
// most 0.3 / 255 of linear light; and keeps its coarser levels in bytes: 1.5. Where a level has an
// odd size its weights have other fractions: at most 1 / 255 of each coarser level.
#pragma once

#include "textures.hpp"
#include "vec.hpp"

namespace heliograph {
namespace {

// Which levels a lookup blends: `level` and, by `part`, the next one.
struct Detail {
    Int8 level;
    Float8 part;
    Mask magnified;
};

// `area` is the square of the number of texels of the finest level that a pixel is wide. Its
// logarithm is a straight line between powers of two, as in Mesa's llvmpipe.
HELIOGRAPH_INLINE Detail detail_of(Float8 area, int levels) {
    const Float8 known = larger(area, all(0.0f));  // not NaN, whose bits differ from build to build
    const Float8 lod = to_float((Int8)known - 0x3F800000) * (0.5f / (1 << 23));
    const Float8 there = clamp(lod, 0.0f, float(levels - 1));
    const Int8 level = truncated(there);
    return {level, there - to_float(level), ~(lod > all(0.0f))};
}

// Texture coordinates in 0 .. 1 that show the same; whatever comes in.
HELIOGRAPH_INLINE Float8 folded(Float8 u, Wrap wrap) {
    u = clamp(u, -16777216.0f, 16777216.0f);
    if (wrap == Wrap::repeat) return fract(u);
    if (wrap == Wrap::clamp) return clamp(u, 0.0f, 1.0f);
    const Float8 there_and_back = fract(u * 0.5f) * 2.0f;
    return smaller(there_and_back, 2.0f - there_and_back);
}

// Where a lookup reads one level: of four texels the lowest, how far on the next ones are, and
// their parts.
struct Footprint {
    Int8 texel, row;
    Float8 along, up;
};

// Of a texture whose size at this level is `width` x `height`, from its first texel on.
HELIOGRAPH_INLINE Footprint footprint(Vec2 uv, Int8 first, Int8 width, Int8 height) {
    const Float8 x = uv.x * to_float(width) + 0.5f, y = uv.y * to_float(height) + 0.5f;
    const Int8 column = truncated(x), row = truncated(y);  // the border is 0
    const Int8 length = width + 2;
    return {first + multiply_small(row, length) + column, length, x - to_float(column),
            y - to_float(row)};
}

// As above, but all of the one texel that is nearest.
HELIOGRAPH_INLINE Footprint nearest_footprint(Vec2 uv, Int8 first, Int8 width, Int8 height) {
    const auto place = [](Float8 u, Int8 size) {
        const Int8 at = truncated(u * to_float(size)) + 1;
        return select(at < size, at, size);
    };
    const Int8 length = width + 2;
    const Int8 texel = first + place(uv.y, height) * length + place(uv.x, width);
    return {texel, length, all(0.0f), all(0.0f)};
}

// A texel's channels, in 0 .. 255 of four bytes, or in 0 .. 65535.
HELIOGRAPH_INLINE Vec4 channels(Int8 rgba) {
    const Int8 byte = all_int(255);
    return {to_float(rgba & byte), to_float((rgba >> 8) & byte), to_float((rgba >> 16) & byte),
            to_float((rgba >> 24) & byte)};
}
HELIOGRAPH_INLINE Vec4 channels(Int8 red_blue, Int8 green_alpha) {
    const Int8 half = all_int(65535);
    return {to_float(red_blue & half), to_float(green_alpha & half),
            to_float((red_blue >> 16) & half), to_float((green_alpha >> 16) & half)};
}

HELIOGRAPH_INLINE Vec4 mix(const Vec4& a, const Vec4& b, Float8 part) {
    return {mix(a.x, b.x, part), mix(a.y, b.y, part), mix(a.z, b.z, part), mix(a.w, b.w, part)};
}

// The words of four texels: of the lower row and then of the upper one, each from the left.
// `wide`: of linear light, two words a texel.
template <bool wide>
struct Texels {
    static constexpr int EACH = wide ? 2 : 1;  // words
    Int8 words[4 * EACH];

    HELIOGRAPH_INLINE Texels(const Texture& texture, const Footprint& at) {
        const std::int32_t* from = texture.words.data();
        for (int row = 0; row < 2; ++row) {
            const Int8 texel = row == 0 ? at.texel : at.texel + at.row;
            for (int column = 0; column < EACH; ++column) {
                alignas(32) std::int32_t index[8];
                store(index, texel + column);
                const Pairs pairs = gather_pairs<EACH>(from, index);
                Int8* to = words + 2 * (EACH * row + column);
                to[0] = pairs.first, to[1] = pairs.second;
            }
        }
    }
    // In 0 .. WHITE.
    HELIOGRAPH_INLINE Vec4 blended(const Footprint& at) const {
        const auto texel = [&](int i) {
            if constexpr (wide) return channels(words[2 * i], words[2 * i + 1]);
            else return channels(words[i]);
        };
        if (is_even()) return texel(0);
        return mix(mix(texel(0), texel(1), at.along), mix(texel(2), texel(3), at.along), at.up);
    }
    // Whether the four are the same at all pixels, as where surfaces have one colour.
    HELIOGRAPH_INLINE bool is_even() const {
        Int8 differing = all_int(0);
        for (int i = EACH; i < 4 * EACH; ++i) differing |= words[i] ^ words[i % EACH];
        return !any(differing != 0);
    }

    static constexpr float WHITE = wide ? 65535.0f : 255.0f;
};

// One level of a texture: `uv` in 0 .. 1 on `face`.
struct Place {
    Vec2 uv;
    Int8 face;
    Mask nearest;
};

HELIOGRAPH_INLINE Footprint footprint(const Texture& texture, const Place& place, Int8 level,
                                      Int8 first) {
    const auto size = [level](std::int32_t finest) {
        const Int8 halved = all_int(finest) >> level;
        return halved - (halved == 0);  // at least 1
    };
    const Int8 width = size(texture.width), height = size(texture.height);
    if (texture.kind == TextureKind::cube) first += place.face * (width + 2) * (height + 2);
    Footprint at = footprint(place.uv, first, width, height);
    if (texture.sampler.nearest) {
        const Footprint one = nearest_footprint(place.uv, first, width, height);
        at.texel = select(place.nearest, one.texel, at.texel);
        at.along = select(place.nearest, one.along, at.along);
        at.up = select(place.nearest, one.up, at.up);
    }
    return at;
}

// In 0 .. Texels<wide>::WHITE.
template <bool wide>
HELIOGRAPH_INLINE Vec4 trilinear(const Texture& texture, const Place& place, const Detail& detail,
                                 Mask wanted) {
    const auto alone = [&](const Footprint& at) { return Texels<wide>(texture, at).blended(at); };
    const auto at_level = [&](int level) {  // the same of all lanes
        return footprint(texture, place, all_int(level), all_int(texture.first[level]));
    };
    const int small = bits(wanted & ~detail.magnified);
    if (small == 0) return alone(at_level(0));
    const bool between = any(wanted & (detail.part > all(0.0f)));
    const int level = detail.level[__builtin_ctz(small)];
    const bool same = !any(wanted & (detail.level != all_int(level)));
    if (same && !between) return alone(at_level(level));
    Footprint sharp, soft;
    if (same) {
        sharp = at_level(level);
        soft = at_level(level + 1 < texture.levels ? level + 1 : level);
    } else {
        const Int8 last = all_int(texture.levels - 1);
        const Int8 next = select(detail.level < last, detail.level + 1, last);
        sharp = footprint(texture, place, detail.level, gather(texture.first, detail.level));
        soft = footprint(texture, place, next, gather(texture.first, next));
    }
    // Both are read before either is blended: processors wait for memory once.
    const Texels<wide> near(texture, sharp), far(texture, soft);
    return mix(near.blended(sharp), far.blended(soft), detail.part);
}

template <bool wide, bool opaque>
inline Vec4 scaled(const Texture& texture, const Place& place, const Detail& detail, Mask wanted) {
    const Vec4 found = trilinear<wide>(texture, place, detail, wanted);
    const Float8 scale = all(1.0f / Texels<wide>::WHITE);
    return {found.x * scale, found.y * scale, found.z * scale,
            opaque ? all(1.0f) : found.w * scale};
}

inline Vec4 look_up(const Texture& texture, const Place& place, const Detail& detail, Mask wanted) {
    if (texture.linear) return scaled<true, false>(texture, place, detail, wanted);
    return texture.opaque ? scaled<false, true>(texture, place, detail, wanted)
                          : scaled<false, false>(texture, place, detail, wanted);
}

// The square of the longer of two steps, in texels.
HELIOGRAPH_INLINE Float8 area_of(const Texture& texture, Vec2 dx, Vec2 dy) {
    const Vec2 size = vec2(float(texture.width), float(texture.height));
    dx = dx * size, dy = dy * size;
    return larger(dot(dx, dx), dot(dy, dy));
}

// Red, green, blue and alpha in 0 .. 1 of a flat texture, at `uv` where the next pixels along x and
// y are dx and dy farther. Lanes that are not wanted give anything, but read nothing amiss.
inline Vec4 sample(const Texture& texture, Vec2 uv, Vec2 dx, Vec2 dy, Mask wanted) {
    const Detail detail = detail_of(area_of(texture, dx, dy), texture.levels);
    const Vec2 inside = {folded(uv.x, texture.sampler.wrap_u),
                         folded(uv.y, texture.sampler.wrap_v)};
    return look_up(texture, {inside, all_int(0), detail.magnified}, detail, wanted);
}

// Which axis of a cube a direction is nearest to, and on which side.
struct CubeSide {
    Mask x, y, below;

    HELIOGRAPH_INLINE explicit CubeSide(Vec3 way) {
        const Vec3 size = {absolute(way.x), absolute(way.y), absolute(way.z)};
        x = (size.x >= size.y) & (size.x >= size.z);
        y = ~x & (size.y >= size.z);
        below = select(x, way.x, select(y, way.y, way.z)) < all(0.0f);
    }
    HELIOGRAPH_INLINE Int8 face() const {
        return select(x, all_int(0), select(y, all_int(2), all_int(4))) - below;
    }
    // Along s and t of that face, and out of it.
    HELIOGRAPH_INLINE Vec3 turned(Vec3 way) const {
        const Float8 sign = select(below, all(-1.0f), all(1.0f));
        return {select(x, -way.z * sign, select(y, way.x, way.x * sign)),
                select(y, way.z * sign, -way.y),
                select(x, way.x, select(y, way.y, way.z)) * sign};
    }
};

// As above, of a cube: what is seen in a direction, of any length. Edges are seamless.
inline Vec4 sample_cube(const Texture& texture, Vec3 way, Vec3 dx, Vec3 dy, Mask wanted) {
    const CubeSide side(way);
    const Vec3 seen = side.turned(way);
    const Float8 half = 0.5f / larger(seen.z, all(1e-37f));
    const Vec2 middle = {seen.x * half, seen.y * half};
    const auto step = [&](Vec3 d) {
        const Vec3 on = side.turned(d);
        return Vec2{(on.x - 2.0f * middle.x * on.z) * half, (on.y - 2.0f * middle.y * on.z) * half};
    };
    const Detail detail = detail_of(area_of(texture, step(dx), step(dy)), texture.levels);
    const Vec2 uv = {clamp(middle.x + 0.5f, 0.0f, 1.0f), clamp(middle.y + 0.5f, 0.0f, 1.0f)};
    return look_up(texture, {uv, side.face(), detail.magnified}, detail, wanted);
}

}  // namespace
}  // namespace heliograph
