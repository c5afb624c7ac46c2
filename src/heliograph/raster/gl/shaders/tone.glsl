// From linear light to what a screen shows.
vec3 decoded(vec3 c) {
    return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), greaterThan(c, vec3(0.04045)));
}
vec3 encoded(vec3 c) {
    c = max(c, 0.0);
    return mix(12.92 * c, 1.055 * pow(c, vec3(0.41666)) - 0.055, greaterThan(c, vec3(0.0031308)));
}
#ifdef NEUTRAL
// Khronos PBR Neutral: as it is up to 0.76, then towards white.
vec3 toned(vec3 c) {
    float low = min(c.r, min(c.g, c.b));
    c -= low < 0.08 ? low - 6.25 * low * low : 0.04;
    float peak = max(c.r, max(c.g, c.b)), start = 0.76, room = 0.24;
    if (peak < start) return c;
    float shown = 1.0 - room * room / (peak + room - start);
    float white = 1.0 - 1.0 / (0.15 * (peak - shown) + 1.0);
    return mix(c * shown / peak, vec3(shown), white);
}
#elif defined(ACES)
// The film curve of ACES as Stephen Hill fitted it; three.js brightens by 1 / 0.6 first.
vec3 toned(vec3 c) {
    c = mat3(0.59719, 0.07600, 0.02840, 0.35458, 0.90834, 0.13383, 0.04823, 0.01566, 0.83777) * (c / 0.6);
    c = (c * (c + 0.0245786) - 0.000090537) / (c * (0.983729 * c + 0.4329510) + 0.238081);
    c = mat3(1.60475, -0.10208, -0.00327, -0.53108, 1.10813, -0.07276, -0.07367, -0.00605, 1.07602) * c;
    return clamp(c, 0.0, 1.0);
}
#else
#define toned(c) (c)
#endif
vec3 shown(vec3 light) {
    return encoded(toned(min(levels.x * light, 1e6)));  // whose square is a number
}
