// From linear light to what a screen shows: tone.glsl.
#pragma once

#include "frame.hpp"

namespace heliograph {
namespace {

HELIOGRAPH_INLINE Float8 decoded(Float8 c) {
    return select(c > 0.04045f, power((c + 0.055f) / 1.055f, 2.4f), c / 12.92f);
}
HELIOGRAPH_INLINE Vec3 decoded(Vec3 c) { return {decoded(c.x), decoded(c.y), decoded(c.z)}; }

HELIOGRAPH_INLINE Float8 encoded(Float8 c) {
    c = larger(c, all(0.0f));
    return select(c > 0.0031308f, 1.055f * power(c, 0.41666f) - 0.055f, 12.92f * c);
}
HELIOGRAPH_INLINE Vec3 encoded(Vec3 c) { return {encoded(c.x), encoded(c.y), encoded(c.z)}; }

// Khronos PBR Neutral: as it is up to 0.76, then towards white.
HELIOGRAPH_INLINE Vec3 toned_neutral(Vec3 c) {
    const float start = 0.76f, room = 0.24f;
    const Float8 low = smaller(c.x, smaller(c.y, c.z));
    const Float8 off = select(low < 0.08f, low - 6.25f * low * low, all(0.04f));
    c = c - vec3(off);
    const Float8 peak = larger(c.x, larger(c.y, c.z));
    const Float8 shown = 1.0f - room * room / (peak + room - start);
    const Float8 white = 1.0f - 1.0f / (0.15f * (peak - shown) + 1.0f);
    return select(peak < start, c, mix(c * shown / peak, vec3(shown), white));
}

// The film curve of ACES as Stephen Hill fitted it; three.js brightens by 1 / 0.6 first.
HELIOGRAPH_INLINE Vec3 toned_aces(Vec3 c) {
    const Rows in = {{{0.59719f, 0.35458f, 0.04823f, 0.0f},
                      {0.07600f, 0.90834f, 0.01566f, 0.0f},
                      {0.02840f, 0.13383f, 0.83777f, 0.0f}}};
    const Rows out = {{{1.60475f, -0.53108f, -0.07367f, 0.0f},
                       {-0.10208f, 1.10813f, -0.00605f, 0.0f},
                       {-0.00327f, -0.07276f, 1.07602f, 0.0f}}};
    c = in.way(c / all(0.6f));
    c = (c * (c + vec3(all(0.0245786f))) - vec3(all(0.000090537f))) /
        (c * (c * all(0.983729f) + vec3(all(0.4329510f))) + vec3(all(0.238081f)));
    return clamp(out.way(c), 0.0f, 1.0f);
}

HELIOGRAPH_INLINE Vec3 toned(ToneMapping tone_mapping, Vec3 c) {
    if (tone_mapping == ToneMapping::NEUTRAL) return toned_neutral(c);
    return tone_mapping == ToneMapping::ACES ? toned_aces(c) : c;
}

static Vec3 shown(const Frame& frame, Vec3 light) {
    const Float8 most = all(1e6f);  // whose square is a number
    light *= all(frame.block->levels[0]);
    light = {smaller(light.x, most), smaller(light.y, most), smaller(light.z, most)};
    return encoded(toned(frame.tone_mapping, light));
}

}  // namespace
}  // namespace heliograph
