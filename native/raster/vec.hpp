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

// from[index] for each lane; lanes of what is not wanted must hold an index that is there.
HELIOGRAPH_INLINE Int8 gather(const std::int32_t* from, Int8 index) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    return (Int8)_mm256_i32gather_epi32(from, (__m256i)index, 4);
#else
    Int8 result;
    for (int i = 0; i < 8; ++i) result[i] = from[index[i]];
    return result;
#endif
}
HELIOGRAPH_INLINE Float8 gather(const float* from, Int8 index) {
#if defined(__AVX2__) && !defined(HELIOGRAPH_PLAIN)
    return (Float8)_mm256_i32gather_ps(from, (__m256i)index, 4);
#else
    Float8 result;
    for (int i = 0; i < 8; ++i) result[i] = from[index[i]];
    return result;
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
