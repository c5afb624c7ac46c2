// What this processor can do.
#pragma once

namespace heliograph {

// Whether kernels that are built for AVX2 and the bit operations that came with it can run: virtual
// machines may have the one without the other.
inline bool has_avx2() {
#if defined(HELIOGRAPH_AVX2)
    static const bool there = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    return there;
#else
    return false;
#endif
}

}  // namespace heliograph
