// What this processor can do.
#pragma once

namespace heliograph {

// Whether kernels that are built for AVX2 (with the bit operations that came with it) can run.
inline bool has_avx2() {
#if defined(HELIOGRAPH_AVX2)
    static const bool there = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    return there;
#else
    return false;
#endif
}

}  // namespace heliograph
