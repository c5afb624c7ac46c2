// Lets tests call what shades eight pixels at once, on arrays whose rows are (channels, N), N a
// multiple of 8. Built by tests/native_shading.py, once for each way the package is built.
#include "raster/classic.hpp"
#include "raster/haze.hpp"
#include "raster/standard.hpp"

using namespace heliograph;

namespace {

struct Columns {
    const float* from;
    int count, lane, row = 0;
    Float8 number() { return load(from + std::size_t(count) * row++ + lane); }
    Vec2 pair() { return {number(), number()}; }
    Vec3 triple() { return {number(), number(), number()}; }
    Vec4 quadruple() { return {number(), number(), number(), number()}; }
};

void put(float* to, int count, int lane, Vec3 colour, int place = 0) {
    to += std::size_t(count) * 3 * place + lane;
    store(to, colour.x);
    store(to + count, colour.y);
    store(to + 2 * count, colour.z);
}

Mask wanted = Mask{} == 0;  // lanes

StandardSurface surface(const float* given, int count, int lane, bool has_occlusion) {
    Columns columns{given, count, lane};
    StandardSurface s;
    s.rgb = columns.triple();
    s.material = columns.quadruple();
    s.point = columns.triple();
    s.flat_normal = columns.triple();
    s.normal = columns.triple();
    s.view = columns.triple();
    s.turning = columns.number();
    s.open = columns.number();
    s.pixel = columns.pair();
    s.has_occlusion = has_occlusion;
    return s;
}

ClassicSurface classic(const float* given, int count, int lane) {
    const StandardSurface s = surface(given, count, lane, false);
    return {s.rgb, s.material.x, s.material.y, s.material.z, s.point, s.normal, s.view};
}

}  // namespace

extern "C" {

// Which of eight lanes are shaded from now on: those whose bits are set.
void want(int lanes) { wanted = (all_int(lanes) >> lane_numbers() & 1) != 0; }

void standard(const Frame* frame, int model, int has_occlusion, int count, const float* given,
              float* made) {
    for (int i = 0; i < count; i += 8) {
        const StandardSurface s = surface(given, count, i, has_occlusion != 0);
        put(made, count, i, standard_light(*frame, Model(model), s, wanted));
    }
}

void classic_pixels(const Frame* frame, int count, const float* given, float* made) {
    for (int i = 0; i < count; i += 8) {
        put(made, count, i, classic_light(*frame, classic(given, count, i), wanted));
    }
}

// Lit at vertices, and then summed as pixels do.
void classic_vertices(const Frame* frame, int count, const float* given, float* made) {
    for (int i = 0; i < count; i += 8) {
        Vec3 direct[MAX_SHADOWS];
        const ClassicSurface s = classic(given, count, i);
        Vec3 sum = classic_vertex_light(*frame, s, wanted, direct);
        for (int j = 0; j < int(frame->block->shadow_count); ++j) {
            sum += direct[j] * lit_part(*frame, j, s.point, wanted);
        }
        put(made, count, i, sum);
    }
}

void shown_colours(const Frame* frame, int count, const float* given, float* made) {
    for (int i = 0; i < count; i += 8) {
        put(made, count, i, shown(*frame, Columns{given, count, i}.triple()));
    }
}

void decoded_colours(const Frame*, int count, const float* given, float* made) {
    for (int i = 0; i < count; i += 8) {
        put(made, count, i, decoded(Columns{given, count, i}.triple()));
    }
}

void hazed_colours(const Frame* frame, int count, const float* given, float* made) {
    for (int i = 0; i < count; i += 8) {
        const StandardSurface s = surface(given, count, i, false);
        put(made, count, i, hazed(*frame, s.rgb, s.point));
    }
}

void sky_colours(const Frame* frame, int count, const float* given, float* made) {
    for (int i = 0; i < count; i += 8) {
        const StandardSurface s = surface(given, count, i, false);
        put(made, count, i, sky_hazed(*frame, sky_radiance(*frame, s.pixel), s.pixel));
    }
}

#define HELIOGRAPH_TRY(name)                                             \
    void try_##name(int count, const float* x, const float*, float* y) { \
        for (int i = 0; i < count; i += 8) store(y + i, name(load(x + i))); \
    }
HELIOGRAPH_TRY(log2)
HELIOGRAPH_TRY(exp2)
HELIOGRAPH_TRY(sine)
HELIOGRAPH_TRY(cosine)
HELIOGRAPH_TRY(arc_cosine)
#undef HELIOGRAPH_TRY

void try_power(int count, const float* x, const float* y, float* made) {
    for (int i = 0; i < count; i += 8) store(made + i, power(load(x + i), load(y + i)));
}

void try_arc_tangent(int count, const float* y, const float* x, float* made) {
    for (int i = 0; i < count; i += 8) store(made + i, arc_tangent(load(y + i), load(x + i)));
}

}  // extern "C"
