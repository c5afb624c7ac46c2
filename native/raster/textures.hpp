// Textures as they are kept for sampling.hpp, which looks them up: every level of detail with a
// border of one texel all round that holds what is beyond its edges, so that a lookup never wraps.
#pragma once

#include <cstdint>
#include <vector>

namespace heliograph {

enum class TextureKind : std::uint8_t { flat, cube };
enum class Wrap : std::uint8_t { repeat, mirror, clamp };

struct Sampler {
    Wrap wrap_u = Wrap::repeat, wrap_v = Wrap::repeat;
    bool nearest = false;  // texels have hard edges where they are large
};

// Row by row from the top; of cubes six faces +x -x +y -y +z -z, each of (height, width).
struct Pixels {
    const std::uint8_t* data;
    int width, height, channels;
};

constexpr int MOST_LEVELS = 15;  // 16384 x 16384 down to 1 x 1

// Immutable once made; may be looked up from several threads at once.
//
// A texel is one word of four bytes, red lowest; or, where it is `linear` (decoded from sRGB, since
// light blends, not its code), two words of two 16-bit numbers: red and blue, green and alpha.
// Level l starts at texel first[l]; each of its faces has (height + 2) rows of (width + 2) texels,
// the bottom row of flat ones first, as v grows upwards.
struct Texture {
    TextureKind kind = TextureKind::flat;
    bool linear = false;
    bool opaque = true;  // alpha is 1 everywhere
    Sampler sampler;
    std::int32_t width = 0, height = 0;
    std::int32_t levels = 0;
    std::int32_t first[MOST_LEVELS] = {};
    std::vector<std::int32_t> words;
};

// Takes pixels of 1 (grey), 3 or 4 channels, at most 16384 wide and high, cubes 8192. Levels halve
// and round down, each blended from the one before as OpenGL's drivers do.
// Raises: std::invalid_argument, where sizes or channels are others.
Texture make_texture(TextureKind kind, const Pixels& pixels, bool linear, const Sampler& sampler);

}  // namespace heliograph
