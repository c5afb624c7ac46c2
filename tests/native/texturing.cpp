// Lets tests look textures and texture coordinates up, on arrays whose rows are (channels, N), N a
// multiple of 8. Built by tests/native_texturing.py, once for each way the package is built.
#include "raster/sampling.hpp"
#include "raster/shape_uv.hpp"

using namespace heliograph;

namespace {

struct Columns {
    const float* from;
    int count, lane;
    Vec2 pair(int row) const { return {number(row), number(row + 1)}; }
    Vec3 triple(int row) const { return {number(row), number(row + 1), number(row + 2)}; }
    Float8 number(int row) const { return load(from + std::size_t(count) * row + lane); }
};

void put(float* to, int count, std::initializer_list<Float8> numbers) {
    for (const Float8& each : numbers) {
        store(to, each);
        to += count;
    }
}

const Mask EVERY = Mask{} == 0;

}  // namespace

extern "C" {

void* new_texture(int cube, const std::uint8_t* pixels, int width, int height, int channels,
                  int linear, int wrap_u, int wrap_v, int nearest) {
    const Sampler sampler{Wrap(wrap_u), Wrap(wrap_v), nearest != 0};
    return new Texture(
        make_texture(TextureKind(cube), {pixels, width, height, channels}, linear, sampler));
}

void delete_texture(void* texture) { delete static_cast<Texture*>(texture); }

// Of rows: two or three of where, as many of dx and of dy.
void look_up(const void* given, int count, const float* where, float* made) {
    const Texture& texture = *static_cast<const Texture*>(given);
    for (int i = 0; i < count; i += 8) {
        const Columns at{where, count, i};
        const Vec4 found =
            texture.kind == TextureKind::cube
                ? sample_cube(texture, at.triple(0), at.triple(3), at.triple(6), EVERY)
                : sample(texture, at.pair(0), at.pair(2), at.pair(4), EVERY);
        put(made + i, count, {found.x, found.y, found.z, found.w});
    }
}

// Of rows: point and normal.
void coordinates(int solver, int three_js, float length, int count, const float* where, float* made) {
    for (int i = 0; i < count; i += 8) {
        const Vec3 p = Columns{where, count, i}.triple(0), normal = Columns{where, count, i}.triple(3);
        const ShapeUv at = three_js ? three_js_uv(Solver(solver), p, normal, length)
                                    : shape_uv(Solver(solver), p, normal, length);
        put(made + i, count, {at.uv.x, at.uv.y, at.along_u.x, at.along_u.y, at.along_u.z, at.along_v.x,
                              at.along_v.y, at.along_v.z});
    }
}

}  // extern "C"
