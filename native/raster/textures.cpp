#include "textures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace heliograph {
namespace {

constexpr int MOST_ACROSS = 16384, MOST_ACROSS_CUBES = 8192;
constexpr int RGBA = 4;

// One level without its border: (faces, height, width, 4), in 8 bits, or 16 where it is linear
// light.
template <typename Number>
struct Image {
    int faces, width, height;
    std::vector<Number> numbers;

    Image(int faces, int width, int height)
        : faces(faces),
          width(width),
          height(height),
          numbers(std::size_t(faces) * width * height * RGBA) {}
    const Number* at(int face, int x, int y) const {
        return &numbers[((std::size_t(face) * height + y) * width + x) * RGBA];
    }
};

// x^2.4 of 0 < x <= 1: the square of x, times the fifth root of that, by Newton's method.
constexpr double power_2_4(double x) {
    const double square = x * x;
    double root = 1.0;
    for (int i = 0; i < 40; ++i) {
        root += (square / (root * root * root * root) - root) / 5.0;
    }
    return square * root;
}

constexpr std::array<std::uint16_t, 256> light_of_srgb() {
    std::array<std::uint16_t, 256> light{};
    for (int i = 0; i < 256; ++i) {
        const double code = i / 255.0;
        const double value = code <= 0.04045 ? code / 12.92 : power_2_4((code + 0.055) / 1.055);
        light[i] = std::uint16_t(value * 65535.0 + 0.5);
    }
    return light;
}
constexpr std::array<std::uint16_t, 256> LIGHT_OF_SRGB = light_of_srgb();

std::uint8_t stored(std::uint8_t code, int, std::uint8_t) { return code; }
std::uint16_t stored(std::uint8_t code, int channel, std::uint16_t) {
    return channel == 3 ? std::uint16_t(code * 257) : LIGHT_OF_SRGB[code];
}

// The pixels as red, green, blue and alpha; grey is all three of them, and what has no alpha is
// opaque. Rows of flat ones turn round.
template <typename Number>
Image<Number> read(TextureKind kind, const Pixels& pixels) {
    const bool flat = kind == TextureKind::flat;
    Image<Number> image(flat ? 1 : 6, pixels.width, pixels.height);
    const int rows = image.faces * pixels.height, channels = pixels.channels;
    Number* to = image.numbers.data();
    for (int row = 0; row < rows; ++row) {
        const std::size_t source = flat ? rows - 1 - row : row;
        const std::uint8_t* from = pixels.data + source * pixels.width * channels;
        for (int x = 0; x < pixels.width; ++x, from += channels, to += RGBA) {
            for (int i = 0; i < 3; ++i) to[i] = stored(from[channels == 1 ? 0 : i], i, Number());
            to[3] = stored(channels == 4 ? from[3] : 255, 3, Number());
        }
    }
    return image;
}

// Where the texels of a level lie along one axis of the one before: between two of them, as one
// linear lookup in the middle of the new texel does. Of 256.
struct Tap {
    int first, second, weight;
};

std::vector<Tap> taps(int from, int to) {
    std::vector<Tap> result(to);
    for (int i = 0; i < to; ++i) {
        // (i + 0.5) * from / to - 0.5, in 256ths.
        const int where = int((std::int64_t(2 * i + 1) * from * 128) / to) - 128;
        const int first = std::max(where >> 8, 0);
        result[i] = {first, std::min(first + 1, from - 1), where & 255};
    }
    return result;
}

// Rounded after each step, as drivers do in eight bits.
int blend(int a, int b, int weight) { return a + (((b - a) * weight + 128) >> 8); }

template <typename Number>
Image<Number> halved(const Image<Number>& image) {
    Image<Number> half(image.faces, std::max(image.width / 2, 1), std::max(image.height / 2, 1));
    const std::vector<Tap> along = taps(image.width, half.width);
    const std::vector<Tap> up = taps(image.height, half.height);
    Number* to = half.numbers.data();
    for (int face = 0; face < image.faces; ++face) {
        for (const Tap& v : up) {
            const Number* near = image.at(face, 0, v.first);
            const Number* far = image.at(face, 0, v.second);
            for (const Tap& u : along) {
                const int left = u.first * RGBA, right = u.second * RGBA;
                for (int i = 0; i < RGBA; ++i) {
                    const int below = blend(near[left + i], near[right + i], u.weight);
                    const int above = blend(far[left + i], far[right + i], u.weight);
                    *to++ = Number(blend(below, above, v.weight));
                }
            }
        }
    }
    return half;
}

// The texel that stands beyond an edge.
int beyond(int i, int size, Wrap wrap) {
    if (i >= 0 && i < size) return i;
    const bool below = i < 0;
    return (wrap == Wrap::repeat) == below ? size - 1 : 0;
}

// One face of a cube: a direction is axis + s * along_s + t * along_t, with s and t in -1 .. 1, t
// down the rows.
struct Face {
    int axis, sign;
    int s_axis, s_sign;
    int t_axis, t_sign;
};
constexpr Face FACES[6] = {{0, 1, 2, -1, 1, -1}, {0, -1, 2, 1, 1, -1}, {1, 1, 0, 1, 2, 1},
                           {1, -1, 0, 1, 2, -1}, {2, 1, 0, 1, 1, -1},  {2, -1, 0, -1, 1, -1}};

struct CubeTexel {
    int face, x, y;
};

// The texel of a neighbouring face that lies beyond an edge (not a corner).
CubeTexel across_edge(int face, int x, int y, int size) {
    const Face& from = FACES[face];
    double direction[3];
    direction[from.axis] = from.sign;
    direction[from.s_axis] = from.s_sign * ((2.0 * x + 1.0) / size - 1.0);
    direction[from.t_axis] = from.t_sign * ((2.0 * y + 1.0) / size - 1.0);
    const int axis = x < 0 || x >= size ? from.s_axis : from.t_axis;
    const int other = 2 * axis + (direction[axis] < 0.0);
    const Face& to = FACES[other];
    const double away = std::abs(direction[axis]);
    const auto texel = [&](int along, int sign) {
        const double where = (sign * direction[along] / away + 1.0) * 0.5 * size;
        return std::clamp(int(where), 0, size - 1);
    };
    return {other, texel(to.s_axis, to.s_sign), texel(to.t_axis, to.t_sign)};
}

void put(std::int32_t* words, const std::uint8_t* rgba) {
    *words = std::int32_t(rgba[0] | rgba[1] << 8 | rgba[2] << 16 | std::uint32_t(rgba[3]) << 24);
}
void put(std::int32_t* words, const std::uint16_t* rgba) {
    words[0] = std::int32_t(rgba[0] | std::uint32_t(rgba[2]) << 16);
    words[1] = std::int32_t(rgba[1] | std::uint32_t(rgba[3]) << 16);
}

// Writes a level with its border; the corners of a cube's faces are the mean of the three texels
// that meet there.
template <typename Number>
class LevelWriter {
  public:
    LevelWriter(const Image<Number>& image, std::int32_t* to) : image(image), to(to) {}

    void flat(const Sampler& sampler) {
        for (int y = -1; y <= image.height; ++y) {
            const int row = beyond(y, image.height, sampler.wrap_v);
            add(image.at(0, beyond(-1, image.width, sampler.wrap_u), row));
            for (int x = 0; x < image.width; ++x) add(image.at(0, x, row));
            add(image.at(0, beyond(image.width, image.width, sampler.wrap_u), row));
        }
    }

    void cube() {
        const int size = image.width;
        const auto inside = [size](int i) { return i >= 0 && i < size; };
        for (int face = 0; face < 6; ++face) {
            for (int y = -1; y <= size; ++y) {
                for (int x = -1; x <= size; ++x) {
                    if (inside(x) && inside(y)) {
                        add(image.at(face, x, y));
                    } else if (inside(x) || inside(y)) {
                        add(neighbour(face, x, y));
                    } else {
                        add_corner(face, x, y);
                    }
                }
            }
        }
    }

  private:
    const Number* neighbour(int face, int x, int y) const {
        const CubeTexel texel = across_edge(face, x, y, image.width);
        return image.at(texel.face, texel.x, texel.y);
    }

    void add_corner(int face, int x, int y) {
        const int last = image.width - 1;
        const int near_x = std::clamp(x, 0, last), near_y = std::clamp(y, 0, last);
        const Number* own = image.at(face, near_x, near_y);
        const Number* side = neighbour(face, x, near_y);
        const Number* above = neighbour(face, near_x, y);
        Number mean[RGBA];
        for (int i = 0; i < RGBA; ++i) mean[i] = Number((own[i] + side[i] + above[i] + 1) / 3);
        add(mean);
    }

    void add(const Number* rgba) {
        put(to, rgba);
        to += sizeof(Number);
    }

    const Image<Number>& image;
    std::int32_t* to;
};

template <typename Number>
void add_levels(Texture& texture, Image<Number> image) {
    const std::size_t finest = std::size_t(image.width + 2) * (image.height + 2) * image.faces;
    texture.words.reserve((finest * 3 / 2 + 64 * image.faces) * sizeof(Number));
    for (;;) {
        const std::size_t first = texture.words.size();
        const std::size_t texels = std::size_t(image.width + 2) * (image.height + 2) * image.faces;
        texture.first[texture.levels++] = std::int32_t(first / sizeof(Number));
        texture.words.resize(first + texels * sizeof(Number));
        LevelWriter<Number> writer(image, &texture.words[first]);
        texture.kind == TextureKind::cube ? writer.cube() : writer.flat(texture.sampler);
        if (image.width == 1 && image.height == 1) return;
        image = halved(image);
    }
}

void check(TextureKind kind, const Pixels& pixels) {
    const int most = kind == TextureKind::cube ? MOST_ACROSS_CUBES : MOST_ACROSS;
    const auto fits = [most](int size) { return size >= 1 && size <= most; };
    if (!fits(pixels.width) || !fits(pixels.height)) {
        throw std::invalid_argument(
            "expected 1 to 16384 texels each way of a texture, 8192 of a cube");
    }
    if (kind == TextureKind::cube && pixels.width != pixels.height) {
        throw std::invalid_argument("expected square faces of a cube, got others");
    }
    if (pixels.channels != 1 && pixels.channels != 3 && pixels.channels != 4) {
        throw std::invalid_argument("expected 1, 3 or 4 channels of a texture, got others");
    }
}

}  // namespace

Texture make_texture(TextureKind kind, const Pixels& pixels, bool linear, const Sampler& sampler) {
    check(kind, pixels);
    Texture texture;
    texture.kind = kind;
    texture.linear = linear;
    texture.opaque = pixels.channels < 4;
    texture.sampler = sampler;
    texture.width = pixels.width;
    texture.height = pixels.height;
    if (linear) {
        add_levels(texture, read<std::uint16_t>(kind, pixels));
    } else {
        add_levels(texture, read<std::uint8_t>(kind, pixels));
    }
    return texture;
}

}  // namespace heliograph
