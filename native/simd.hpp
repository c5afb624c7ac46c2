// Eight floats or integers at once, in the compilers' own vector types: AVX2 where a file is built
// for it, pairs of SSE2 or NEON registers elsewhere. Only IEEE + - * / and sqrt, so that every
// build gives the same bits.
#pragma once

#include <cstdint>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace heliograph {
namespace {  // each file that is built for other instructions has its own

#define HELIOGRAPH_INLINE inline __attribute__((always_inline))

typedef float Float8 __attribute__((vector_size(32)));
typedef std::int32_t Int8 __attribute__((vector_size(32)));

HELIOGRAPH_INLINE Float8 all(float value) {
    return Float8{value, value, value, value, value, value, value, value};
}

HELIOGRAPH_INLINE Float8 load(const float* from) {
    Float8 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

HELIOGRAPH_INLINE void store(float* to, Float8 value) { __builtin_memcpy(to, &value, sizeof value); }

HELIOGRAPH_INLINE void store(std::int32_t* to, Int8 value) {
    __builtin_memcpy(to, &value, sizeof value);
}

// The second one where either is NaN, as in SSE. (Compilers may choose lane by lane.)
#if defined(__SSE2__) && !defined(HELIOGRAPH_PLAIN)
#if defined(__AVX__)
HELIOGRAPH_INLINE Float8 smaller(Float8 a, Float8 b) {
    return (Float8)_mm256_min_ps((__m256)a, (__m256)b);
}
HELIOGRAPH_INLINE Float8 larger(Float8 a, Float8 b) {
    return (Float8)_mm256_max_ps((__m256)a, (__m256)b);
}
#else
struct Halves {
    __m128 low, high;
};
HELIOGRAPH_INLINE Halves halves(Float8 a) { return __builtin_bit_cast(Halves, a); }
HELIOGRAPH_INLINE Float8 whole(Halves a) { return __builtin_bit_cast(Float8, a); }
HELIOGRAPH_INLINE Float8 smaller(Float8 a, Float8 b) {
    const Halves x = halves(a), y = halves(b);
    return whole({_mm_min_ps(x.low, y.low), _mm_min_ps(x.high, y.high)});
}
HELIOGRAPH_INLINE Float8 larger(Float8 a, Float8 b) {
    const Halves x = halves(a), y = halves(b);
    return whole({_mm_max_ps(x.low, y.low), _mm_max_ps(x.high, y.high)});
}
#endif
#else
HELIOGRAPH_INLINE Float8 smaller(Float8 a, Float8 b) { return a < b ? a : b; }
HELIOGRAPH_INLINE Float8 larger(Float8 a, Float8 b) { return a > b ? a : b; }
#endif

HELIOGRAPH_INLINE Float8 root(Float8 a) {
#if defined(__AVX__)
    return (Float8)_mm256_sqrt_ps((__m256)a);
#else
    Float8 result;
    for (int i = 0; i < 8; ++i) result[i] = __builtin_sqrtf(a[i]);
    return result;
#endif
}

// Bit i is set where lane i is true.
HELIOGRAPH_INLINE int bits(Int8 mask) {
#if defined(__AVX__)
    return _mm256_movemask_ps((__m256)mask);
#elif defined(__SSE2__)
    __m128 halves[2];
    __builtin_memcpy(halves, &mask, sizeof mask);
    return _mm_movemask_ps(halves[0]) | _mm_movemask_ps(halves[1]) << 4;
#else
    int result = 0;
    for (int i = 0; i < 8; ++i) result |= (mask[i] & 1) << i;
    return result;
#endif
}

HELIOGRAPH_INLINE bool any(Int8 mask) { return bits(mask) != 0; }

// 2**x for -126 <= x <= 127, to 3e-6: the nearest integer goes into the exponent, a polynomial of
// degree 4 (minimax on [-0.5, 0.5]) takes the rest.
HELIOGRAPH_INLINE Float8 power_of_two(Float8 x) {
    const Float8 magic = all(12582912.0f);  // 1.5 * 2**23: adding it rounds to an integer
    const Float8 shifted = x + magic;
    const Float8 f = x - (shifted - magic);
    const Float8 p =
        all(0.99999928f) +
        f * (all(0.69312179f) + f * (all(0.24024744f) + f * (all(0.05591786f) + f * all(0.0095701013f))));
    return (Float8)((Int8)p + ((Int8)shifted << 23));
}

}  // namespace
}  // namespace heliograph
