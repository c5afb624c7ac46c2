// Vectors of eight lanes, with GLSL's words for what is done to them, so that shaders can be read
// beside this. A condition is an Int8 whose lanes are all ones (true) or 0.
#pragma once

#include "../simd.hpp"

namespace heliograph {
namespace {

typedef Int8 Mask;

HELIOGRAPH_INLINE Int8 all_int(std::int32_t value) {
    return Int8{value, value, value, value, value, value, value, value};
}
HELIOGRAPH_INLINE Int8 load(const std::int32_t* from) {
    Int8 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}
HELIOGRAPH_INLINE Int8 lane_numbers() { return Int8{0, 1, 2, 3, 4, 5, 6, 7}; }

HELIOGRAPH_INLINE Float8 absolute(Float8 a) { return (Float8)((Int8)a & all_int(0x7FFFFFFF)); }
HELIOGRAPH_INLINE Float8 clamp(Float8 a, Float8 low, Float8 high) {
    return smaller(larger(a, low), high);
}
HELIOGRAPH_INLINE Float8 clamp(Float8 a, float low, float high) {
    return clamp(a, all(low), all(high));
}
HELIOGRAPH_INLINE Float8 mix(Float8 a, Float8 b, Float8 part) { return a + (b - a) * part; }

// The nearest integer, ties to even, of |a| < 2^31; larger ones give INT_MIN, as SSE's do.
HELIOGRAPH_INLINE Int8 rounded(Float8 a) {
#if defined(__AVX__) && !defined(HELIOGRAPH_PLAIN)
    return (Int8)_mm256_cvtps_epi32((__m256)a);
#elif defined(__SSE2__) && !defined(HELIOGRAPH_PLAIN)
    __m128 halves[2];
    __builtin_memcpy(halves, &a, sizeof a);
    const __m128i both[2] = {_mm_cvtps_epi32(halves[0]), _mm_cvtps_epi32(halves[1])};
    Int8 result;
    __builtin_memcpy(&result, both, sizeof result);
    return result;
#else
    Int8 result;
    for (int i = 0; i < 8; ++i) {
        const float value = a[i];
        result[i] = value >= -2147483648.0f && value < 2147483648.0f
                        ? std::int32_t(__builtin_rintf(value))
                        : std::int32_t(-2147483647 - 1);
    }
    return result;
#endif
}

// The largest integer that is no larger, of |a| < 2^31.
HELIOGRAPH_INLINE Float8 floor(Float8 a) {
#if defined(__AVX__) && !defined(HELIOGRAPH_PLAIN)
    return (Float8)_mm256_floor_ps((__m256)a);
#else
    const Float8 near = to_float(rounded(a));
    return near - select(near > a, all(1.0f), all(0.0f));
#endif
}
HELIOGRAPH_INLINE Float8 fract(Float8 a) { return a - floor(a); }

// The lesser and the greater of each two.
HELIOGRAPH_INLINE Int8 least(Int8 a, Int8 b) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    return (Int8)_mm256_min_epi32((__m256i)a, (__m256i)b);
#else
    return select(a < b, a, b);
#endif
}
HELIOGRAPH_INLINE Int8 most(Int8 a, Int8 b) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    return (Int8)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    return select(a > b, a, b);
#endif
}

// Products of lanes that fit into 16 bits, those of a from 0 on: a full product takes much longer.
HELIOGRAPH_INLINE Int8 multiply_small(Int8 a, Int8 b) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    return (Int8)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__) && !defined(HELIOGRAPH_PLAIN)
    return {(Int4)_mm_madd_epi16((__m128i)a.low, (__m128i)b.low),
            (Int4)_mm_madd_epi16((__m128i)a.high, (__m128i)b.high)};
#else
    return a * b;
#endif
}

// from[index] for each lane; lanes of what is not wanted must hold an index that is there. Many
// processors' own instruction takes longer than as many loads.
HELIOGRAPH_INLINE Int8 gather(const std::int32_t* from, Int8 index) {
    alignas(32) std::int32_t i[8];
    store(i, index);
    return Int8{from[i[0]], from[i[1]], from[i[2]], from[i[3]],
                from[i[4]], from[i[5]], from[i[6]], from[i[7]]};
}
HELIOGRAPH_INLINE Float8 gather(const float* from, Int8 index) {
    alignas(32) std::int32_t i[8];
    store(i, index);
    return Float8{from[i[0]], from[i[1]], from[i[2]], from[i[3]],
                  from[i[4]], from[i[5]], from[i[6]], from[i[7]]};
}

// Pairs that lie together: from[scale * index] and the one behind it. Processors gather no faster
// than they load one after the other.
struct Pairs {
    Int8 first, second;
};
template <int scale>
HELIOGRAPH_INLINE Pairs gather_pairs(const std::int32_t* from, const std::int32_t* index) {
#if defined(__SSE2__) && !defined(HELIOGRAPH_PLAIN)
    const auto pair = [&](int i) {
        return reinterpret_cast<const __m128i*>(from + scale * std::ptrdiff_t(index[i]));
    };
    const auto two = [&](int i) {
        const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64(pair(i)));
        return _mm_loadh_pi(low, reinterpret_cast<const __m64*>(pair(i + 1)));
    };
#if defined(__AVX__)
    const __m256 a = _mm256_insertf128_ps(_mm256_castps128_ps256(two(0)), two(4), 1);
    const __m256 b = _mm256_insertf128_ps(_mm256_castps128_ps256(two(2)), two(6), 1);
    return {(Int8)_mm256_shuffle_ps(a, b, 0x88), (Int8)_mm256_shuffle_ps(a, b, 0xDD)};
#else
    const __m128 a = two(0), b = two(2), c = two(4), d = two(6);
    return {{(Int4)_mm_shuffle_ps(a, b, 0x88), (Int4)_mm_shuffle_ps(c, d, 0x88)},
            {(Int4)_mm_shuffle_ps(a, b, 0xDD), (Int4)_mm_shuffle_ps(c, d, 0xDD)}};
#endif
#else
    Pairs result;
    for (int i = 0; i < 8; ++i) {
        const std::int32_t* pair = from + scale * std::ptrdiff_t(index[i]);
        result.first[i] = pair[0], result.second[i] = pair[1];
    }
    return result;
#endif
}

// Puts pairs beside each other: what `gather_pairs` takes.
HELIOGRAPH_INLINE void store_pairs(std::int32_t* to, Int8 first, Int8 second) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    const __m256i low = _mm256_unpacklo_epi32((__m256i)first, (__m256i)second);
    const __m256i high = _mm256_unpackhi_epi32((__m256i)first, (__m256i)second);
    store(to, (Int8)_mm256_permute2x128_si256(low, high, 0x20));
    store(to + 8, (Int8)_mm256_permute2x128_si256(low, high, 0x31));
#else
    for (int i = 0; i < 8; ++i) to[2 * i] = first[i], to[2 * i + 1] = second[i];
#endif
}

#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
// For each set of lanes their numbers, one after the other.
struct LaneLists {
    alignas(8) std::uint8_t lanes[256][8] = {};

    constexpr LaneLists() {
        for (int which = 0; which < 256; ++which)
            for (int lane = 0, count = 0; lane < 8; ++lane)
                if (which >> lane & 1) lanes[which][count++] = std::uint8_t(lane);
    }
};
constexpr LaneLists LANE_LISTS;
#endif

// Stores those lanes whose bits are set one after the other, and something behind them; how many.
HELIOGRAPH_INLINE int store_some(std::int32_t* to, Int8 lanes, int which) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    const __m128i list = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(LANE_LISTS.lanes[which]));
    store(to, (Int8)_mm256_permutevar8x32_epi32((__m256i)lanes, _mm256_cvtepu8_epi32(list)));
    return __builtin_popcount(unsigned(which));
#else
    int count = 0;
    for (; which != 0; which &= which - 1)
        to[count++] = lanes[__builtin_ctz(unsigned(which))];
    return count;
#endif
}

// Three bytes of each lane, from the lowest on: red, green and blue of eight pixels.
HELIOGRAPH_INLINE void store_rgb(std::uint8_t* to, Int8 colours) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    const __m256i order = _mm256_setr_epi8(
        0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
        0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m256i three = _mm256_shuffle_epi8((__m256i)colours, order);  // twelve in either half
    const __m128i high = _mm256_extracti128_si256(three, 1);
    const std::int64_t eight = _mm_extract_epi64(high, 0);
    const std::int32_t four = _mm_extract_epi32(high, 2);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(three));
    __builtin_memcpy(to + 12, &eight, sizeof eight);
    __builtin_memcpy(to + 20, &four, sizeof four);
#else
    for (int i = 0; i < 8; ++i)
        for (int k = 0; k < 3; ++k) to[3 * i + k] = std::uint8_t(colours[i] >> 8 * k);
#endif
}
// The same the other way round; the highest byte is 0.
HELIOGRAPH_INLINE Int8 load_rgb(const std::uint8_t* from) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8));
    const __m256i places = _mm256_setr_epi8(
        0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,
        4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    return (Int8)_mm256_shuffle_epi8(both, places);
#else
    alignas(32) std::int32_t colours[8];
    for (int i = 0; i < 8; ++i, from += 3) colours[i] = from[0] | from[1] << 8 | from[2] << 16;
    return load(colours);
#endif
}

struct Vec2 {
    Float8 x, y;
};
struct Vec3 {
    Float8 x, y, z;
};
struct Vec4 {
    Float8 x, y, z, w;
};

HELIOGRAPH_INLINE Vec2 vec2(float x, float y) { return {all(x), all(y)}; }
HELIOGRAPH_INLINE Vec3 vec3(float x, float y, float z) { return {all(x), all(y), all(z)}; }
HELIOGRAPH_INLINE Vec3 vec3(Float8 each) { return {each, each, each}; }
HELIOGRAPH_INLINE Vec3 vec3(const float* from) { return vec3(from[0], from[1], from[2]); }

#define HELIOGRAPH_VECTOR_OPERATOR(op)                                                          \
    HELIOGRAPH_INLINE Vec2 operator op(Vec2 a, Vec2 b) { return {a.x op b.x, a.y op b.y}; }      \
    HELIOGRAPH_INLINE Vec2 operator op(Vec2 a, Float8 b) { return {a.x op b, a.y op b}; }        \
    HELIOGRAPH_INLINE Vec3 operator op(Vec3 a, Vec3 b) {                                         \
        return {a.x op b.x, a.y op b.y, a.z op b.z};                                             \
    }                                                                                            \
    HELIOGRAPH_INLINE Vec3 operator op(Vec3 a, Float8 b) { return {a.x op b, a.y op b, a.z op b}; }
HELIOGRAPH_VECTOR_OPERATOR(+)
HELIOGRAPH_VECTOR_OPERATOR(-)
HELIOGRAPH_VECTOR_OPERATOR(*)
HELIOGRAPH_VECTOR_OPERATOR(/)
#undef HELIOGRAPH_VECTOR_OPERATOR
HELIOGRAPH_INLINE Vec3 operator-(Vec3 a) { return {-a.x, -a.y, -a.z}; }
HELIOGRAPH_INLINE Vec3& operator+=(Vec3& a, Vec3 b) { return a = a + b; }
HELIOGRAPH_INLINE Vec3& operator*=(Vec3& a, Vec3 b) { return a = a * b; }
HELIOGRAPH_INLINE Vec3& operator*=(Vec3& a, Float8 b) { return a = a * b; }

HELIOGRAPH_INLINE Float8 dot(Vec2 a, Vec2 b) { return a.x * b.x + a.y * b.y; }
HELIOGRAPH_INLINE Float8 dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
HELIOGRAPH_INLINE Vec3 cross(Vec3 a, Vec3 b) {
    return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
HELIOGRAPH_INLINE Float8 length(Vec2 a) { return root(dot(a, a)); }
HELIOGRAPH_INLINE Float8 length(Vec3 a) { return root(dot(a, a)); }
HELIOGRAPH_INLINE Float8 inverse_root(Float8 a) { return 1.0f / root(a); }
// Of unit length; what is nothing stays nothing.
HELIOGRAPH_INLINE Vec3 normalize(Vec3 a) {
    return a * inverse_root(larger(dot(a, a), all(1e-37f)));
}
HELIOGRAPH_INLINE Vec2 select(Mask m, Vec2 a, Vec2 b) {
    return {select(m, a.x, b.x), select(m, a.y, b.y)};
}
HELIOGRAPH_INLINE Vec3 select(Mask m, Vec3 a, Vec3 b) {
    return {select(m, a.x, b.x), select(m, a.y, b.y), select(m, a.z, b.z)};
}
HELIOGRAPH_INLINE Vec4 select(Mask m, Vec4 a, Vec4 b) {
    return {select(m, a.x, b.x), select(m, a.y, b.y), select(m, a.z, b.z), select(m, a.w, b.w)};
}
HELIOGRAPH_INLINE Vec3 mix(Vec3 a, Vec3 b, Float8 part) { return a + (b - a) * part; }
HELIOGRAPH_INLINE Vec3 clamp(Vec3 a, float low, float high) {
    return {clamp(a.x, low, high), clamp(a.y, low, high), clamp(a.z, low, high)};
}

// x0 y0 z0 x1 ...: 24 numbers.
HELIOGRAPH_INLINE void store_by_turns(float* to, Vec3 a) {
#if defined(__AVX__) && !defined(HELIOGRAPH_PLAIN)
    typedef float Float16 __attribute__((vector_size(64)));
    const Float16 xy =
        __builtin_shufflevector(a.x, a.y, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    const Float16 zz =
        __builtin_shufflevector(a.z, a.z, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
    store(to, Float8(__builtin_shufflevector(xy, zz, 0, 1, 16, 2, 3, 17, 4, 5)));
    store(to + 8, Float8(__builtin_shufflevector(xy, zz, 18, 6, 7, 19, 8, 9, 20, 10)));
    store(to + 16, Float8(__builtin_shufflevector(xy, zz, 11, 21, 12, 13, 22, 14, 15, 23)));
#else
    for (int i = 0; i < 8; ++i) to[3 * i] = a.x[i], to[3 * i + 1] = a.y[i], to[3 * i + 2] = a.z[i];
#endif
}

// An affine map's three rows, the same for all lanes: rotation, scale and so on, and then a shift.
struct Rows {
    float rows[3][4];
    HELIOGRAPH_INLINE Vec3 way(Vec3 a) const {
        const float(*m)[4] = rows;
        return {a.x * m[0][0] + a.y * m[0][1] + a.z * m[0][2],
                a.x * m[1][0] + a.y * m[1][1] + a.z * m[1][2],
                a.x * m[2][0] + a.y * m[2][1] + a.z * m[2][2]};
    }
    HELIOGRAPH_INLINE Vec3 point(Vec3 a) const {
        return way(a) + vec3(rows[0][3], rows[1][3], rows[2][3]);
    }
};

}  // namespace
}  // namespace heliograph
