// Eight floats or integers at once, in the compilers' own vector types: one where a file is built
// for AVX, two of four elsewhere (SSE2, NEON). Only IEEE + - * / and sqrt, so that every build
// gives the same bits.
#pragma once

#include <cstdint>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace heliograph {
namespace {  // each file that is built for other instructions has its own

#define HELIOGRAPH_INLINE inline __attribute__((always_inline))

typedef float Float4 __attribute__((vector_size(16)));
typedef std::int32_t Int4 __attribute__((vector_size(16)));

#if defined(__AVX__)
typedef float Float8 __attribute__((vector_size(32)));
typedef std::int32_t Int8 __attribute__((vector_size(32)));

// a where the mask is true, else b.
HELIOGRAPH_INLINE Float8 select(Int8 m, Float8 a, Float8 b) { return m ? a : b; }
HELIOGRAPH_INLINE Int8 select(Int8 m, Int8 a, Int8 b) { return m ? a : b; }
HELIOGRAPH_INLINE Float8 to_float(Int8 a) { return __builtin_convertvector(a, Float8); }
HELIOGRAPH_INLINE Int8 truncated(Float8 a) { return __builtin_convertvector(a, Int8); }
#else
// What such a vector can do, by halves: of one that is wider than a register compilers compare and
// choose lane by lane.
template <typename Half, typename Number>
struct Halves;
typedef Halves<Float4, float> Float8;
typedef Halves<Int4, std::int32_t> Int8;

template <typename Half, typename Number>
struct Halves {
    typedef Number Lane __attribute__((may_alias));
    Half low, high;

    HELIOGRAPH_INLINE Lane& operator[](int lane) { return reinterpret_cast<Lane*>(this)[lane]; }
    HELIOGRAPH_INLINE Number operator[](int lane) const {
        return reinterpret_cast<const Lane*>(this)[lane];
    }
    // The same bits as the other kind.
    template <typename Other, typename OtherNumber>
    HELIOGRAPH_INLINE explicit operator Halves<Other, OtherNumber>() const {
        return {(Other)low, (Other)high};
    }
    friend HELIOGRAPH_INLINE Halves operator-(Halves a) { return {-a.low, -a.high}; }
    friend HELIOGRAPH_INLINE Halves operator~(Halves a) { return {~a.low, ~a.high}; }
#define HELIOGRAPH_OPERATOR(Result, op)                                                    \
    friend HELIOGRAPH_INLINE Result operator op(Halves a, Halves b) {                      \
        return {a.low op b.low, a.high op b.high};                                         \
    }                                                                                      \
    friend HELIOGRAPH_INLINE Result operator op(Halves a, Number b) { return a op every(b); } \
    friend HELIOGRAPH_INLINE Result operator op(Number a, Halves b) { return every(a) op b; }
#define HELIOGRAPH_ASSIGNED(op)                \
    HELIOGRAPH_OPERATOR(Halves, op)            \
    template <typename Other>                  \
    HELIOGRAPH_INLINE Halves& operator op##=(Other b) { return *this = *this op b; }
    HELIOGRAPH_ASSIGNED(+)
    HELIOGRAPH_ASSIGNED(-)
    HELIOGRAPH_ASSIGNED(*)
    HELIOGRAPH_ASSIGNED(/)
    HELIOGRAPH_ASSIGNED(&)
    HELIOGRAPH_ASSIGNED(|)
    HELIOGRAPH_ASSIGNED(^)
    HELIOGRAPH_ASSIGNED(<<)
    HELIOGRAPH_ASSIGNED(>>)
    HELIOGRAPH_OPERATOR(Int8, <)
    HELIOGRAPH_OPERATOR(Int8, <=)
    HELIOGRAPH_OPERATOR(Int8, >)
    HELIOGRAPH_OPERATOR(Int8, >=)
    HELIOGRAPH_OPERATOR(Int8, ==)
    HELIOGRAPH_OPERATOR(Int8, !=)
#undef HELIOGRAPH_ASSIGNED
#undef HELIOGRAPH_OPERATOR

private:
    static HELIOGRAPH_INLINE Halves every(Number a) { return {Half{a, a, a, a}, Half{a, a, a, a}}; }
};

HELIOGRAPH_INLINE Float8 select(Int8 m, Float8 a, Float8 b) {
    return {m.low ? a.low : b.low, m.high ? a.high : b.high};
}
HELIOGRAPH_INLINE Int8 select(Int8 m, Int8 a, Int8 b) {
    return {m.low ? a.low : b.low, m.high ? a.high : b.high};
}
HELIOGRAPH_INLINE Float8 to_float(Int8 a) {
    return {__builtin_convertvector(a.low, Float4), __builtin_convertvector(a.high, Float4)};
}
HELIOGRAPH_INLINE Int8 truncated(Float8 a) {
    return {__builtin_convertvector(a.low, Int4), __builtin_convertvector(a.high, Int4)};
}
#endif

HELIOGRAPH_INLINE Float8 all(float value) {
    return Float8{value, value, value, value, value, value, value, value};
}

HELIOGRAPH_INLINE Float8 load(const float* from) {
    Float8 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

HELIOGRAPH_INLINE Float4 load4(const float* from) {
    Float4 value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

HELIOGRAPH_INLINE void store(float* to, Float8 value) {
    __builtin_memcpy(to, &value, sizeof value);
}
HELIOGRAPH_INLINE void store(float* to, Float4 value) {
    __builtin_memcpy(to, &value, sizeof value);
}

HELIOGRAPH_INLINE void store(std::int32_t* to, Int8 value) {
    __builtin_memcpy(to, &value, sizeof value);
}

// The second one where either is NaN, as in SSE.
#if defined(__AVX__)
HELIOGRAPH_INLINE Float8 smaller(Float8 a, Float8 b) {
    return (Float8)_mm256_min_ps((__m256)a, (__m256)b);
}
HELIOGRAPH_INLINE Float8 larger(Float8 a, Float8 b) {
    return (Float8)_mm256_max_ps((__m256)a, (__m256)b);
}
#elif defined(__SSE2__) && !defined(HELIOGRAPH_PLAIN)
HELIOGRAPH_INLINE Float8 smaller(Float8 a, Float8 b) {
    return {(Float4)_mm_min_ps((__m128)a.low, (__m128)b.low),
            (Float4)_mm_min_ps((__m128)a.high, (__m128)b.high)};
}
HELIOGRAPH_INLINE Float8 larger(Float8 a, Float8 b) {
    return {(Float4)_mm_max_ps((__m128)a.low, (__m128)b.low),
            (Float4)_mm_max_ps((__m128)a.high, (__m128)b.high)};
}
#else
HELIOGRAPH_INLINE Float8 smaller(Float8 a, Float8 b) { return select(a < b, a, b); }
HELIOGRAPH_INLINE Float8 larger(Float8 a, Float8 b) { return select(a > b, a, b); }
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

// Bit i is set where lane i is true, or negative.
HELIOGRAPH_INLINE int bits(Int8 mask) {
#if defined(__AVX__)
    return _mm256_movemask_ps((__m256)mask);
#elif defined(__SSE2__) && !defined(HELIOGRAPH_PLAIN)
    __m128 halves[2];
    __builtin_memcpy(halves, &mask, sizeof mask);
    return _mm_movemask_ps(halves[0]) | _mm_movemask_ps(halves[1]) << 4;
#else
    int result = 0;
    for (int i = 0; i < 8; ++i) result |= int(std::uint32_t(mask[i]) >> 31) << i;
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
    const Float8 p = all(0.99999928f) +
                     f * (all(0.69312179f) +
                          f * (all(0.24024744f) + f * (all(0.05591786f) + f * all(0.0095701013f))));
    return (Float8)((Int8)p + ((Int8)shifted << 23));
}

}  // namespace
}  // namespace heliograph
