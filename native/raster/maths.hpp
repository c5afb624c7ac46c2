// What GLSL has beside + - * / and sqrt, of eight lanes at once and without libm, so that every
// build gives the same bits. Errors were measured against float64 over the ranges named here. Any
// float may come in, NaN too: what is out of range gives some number, and takes no longer.
#pragma once

#include "vec.hpp"

namespace heliograph {
namespace {

const float PI = 3.14159265f;

// log2 of normal x > 0, to 1.2e-7 of the result or of 1, whichever is larger; 1 gives 0. The
// exponent is split off so that the rest, m, is from sqrt(1/2) to sqrt(2); log m is an odd series
// in s = (m - 1) / (m + 1).
HELIOGRAPH_INLINE Float8 log2(Float8 x) {
    const Int8 exponent = ((Int8)x - 0x3F3504F3) >> 23;
    const Float8 m = (Float8)((Int8)x - (exponent << 23));
    const Float8 s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    const Float8 series =
        2.88539004f + s2 * (0.961798847f + s2 * (0.576714277f + s2 * 0.43173939f));
    return to_float(exponent) + s * series;
}

// 2^x to 2e-7 of the result; 0 gives 1, less than -126 gives 0, more than 127.49 no more than that
// does. The nearest integer is added to the exponent.
HELIOGRAPH_INLINE Float8 exp2(Float8 x) {
    const Float8 magic = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const Float8 held = clamp(x, -126.0f, 127.49f);
    const Float8 shifted = held + magic;
    const Float8 f = held - (shifted - magic);
    const Float8 series =
        1.0f + f * (0.693147004f +
                    f * (0.240222424f +
                         f * (0.0555073358f + f * (0.009671513f + f * 0.00132647273f))));
    return select(x < -126.0f, all(0.0f), (Float8)((Int8)series + ((Int8)shifted << 23)));
}

// x^y of normal x > 0, to 2e-7 * (1 + |y log2 x|) of the result.
HELIOGRAPH_INLINE Float8 power(Float8 x, Float8 y) { return exp2(y * log2(x)); }
HELIOGRAPH_INLINE Float8 power(Float8 x, float y) { return power(x, all(y)); }

struct SineCosine {
    Float8 sine, cosine;
};

// Both of |x| <= 10, to 1.2e-7. Quarter turns are taken off in two parts, of which the first has
// few enough bits that its products are exact.
HELIOGRAPH_INLINE SineCosine sine_cosine(Float8 x) {
    const Int8 quarter = rounded(x * 0.636619772f);
    const Float8 turns = to_float(quarter);
    const Float8 a = x - turns * 1.5703125f - turns * 4.83826794897e-4f, a2 = a * a;
    const Float8 sine =
        a + a * a2 * (-0.166666552f + a2 * (0.00833215564f + a2 * -0.00019514632f));
    const Float8 cosine =
        1.0f - 0.5f * a2 +
        a2 * a2 * (0.0416666456f + a2 * (-0.00138873097f + a2 * 2.44324128e-5f));
    const Mask odd = (quarter & 1) != 0;
    const Int8 below = (quarter & 2) << 30, left = ((quarter + 1) & 2) << 30;
    return {(Float8)((Int8)select(odd, cosine, sine) ^ below),
            (Float8)((Int8)select(odd, sine, cosine) ^ left)};
}
HELIOGRAPH_INLINE Float8 sine(Float8 x) { return sine_cosine(x).sine; }
HELIOGRAPH_INLINE Float8 cosine(Float8 x) { return sine_cosine(x).cosine; }

// The angle of (x, y), from -pi to pi, to 3e-7; of (0, 0) it is 0.
HELIOGRAPH_INLINE Float8 arc_tangent(Float8 y, Float8 x) {
    const Float8 wide = absolute(x), high = absolute(y);
    const Mask steep = high > wide;
    const Float8 part = smaller(wide, high) / larger(larger(wide, high), all(1e-37f));
    const Float8 p2 = part * part;
    Float8 angle =
        part + part * p2 *
                   (-0.333330721f +
                    p2 * (0.199926198f +
                          p2 * (-0.142036498f +
                                p2 * (0.106409512f +
                                      p2 * (-0.0750432685f +
                                            p2 * (0.0426918679f +
                                                  p2 * (-0.0160688292f + p2 * 0.00284993672f)))))));
    angle = select(steep, 1.57079633f - angle, angle);
    angle = select(x < 0.0f, PI - angle, angle);
    return (Float8)((Int8)angle | ((Int8)y & INT32_MIN));
}

// Of -1 <= x <= 1, to 3e-7.
HELIOGRAPH_INLINE Float8 arc_cosine(Float8 x) {
    return arc_tangent(root(larger((1.0f - x) * (1.0f + x), all(0.0f))), x);
}

}  // namespace
}  // namespace heliograph
