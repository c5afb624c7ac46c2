// One picture: opaque things into the planes, light once per pixel, what is behind everything, and
// then transparent things, blended back to front.
#pragma once

#include "shade.hpp"

namespace heliograph {
namespace {

constexpr float INFINITE = __builtin_inff();

// Keeps what is nearer than what was there: strictly, or also what is as near.
template <bool ties>
struct Nearest {
    Planes& planes;
    int sample;

    struct Row {
        float* nearness;
        std::int32_t* primitives;

        HELIOGRAPH_INLINE void operator()(int x, Mask inside, Float8 z,
                                          std::uint32_t number) const {
            const Float8 old = load(nearness + x);
            const Mask m = inside & (ties ? z >= old : z > old);
            store(nearness + x, select(m, z, old));
            store(primitives + x, select(m, all_int(std::int32_t(number)), load(primitives + x)));
        }
    };

    HELIOGRAPH_INLINE Row row(int y) const {
        const std::size_t at = planes.at(0, y);
        return {planes.nearness[sample].data() + at,
                reinterpret_cast<std::int32_t*>(planes.primitive[sample].data() + at)};
    }
    HELIOGRAPH_INLINE void operator()(int x, int y, Mask inside, Float8 z,
                                      std::uint32_t number) const {
        row(y)(x, inside, z, number);
    }
    HELIOGRAPH_INLINE void pixel(int x, int y, float z, std::uint32_t number) const {
        const std::size_t at = planes.at(x, y);
        float& old = planes.nearness[sample][at];
        if (!(ties ? z >= old : z > old)) return;
        old = z;
        planes.primitive[sample][at] = number;
    }
};

HELIOGRAPH_INLINE Rays rays_at(const Scene& scene, int x, int y, int sample) {
    const bool many = scene.view.samples > 1;
    return Rays(*scene.frame.block, x, y, scene.view.camera.orthographic,
                many ? float(PLACES[sample][0]) / SUBPIXELS : 0.0f,
                many ? float(PLACES[sample][1]) / SUBPIXELS : 0.0f);
}

// Lets through what rays meet of a round thing, and what is no hole of a texture.
template <typename Next>
struct Tested {
    const Scene& scene;
    Shader& shader;
    const Drawn& drawn;
    int sample;
    bool round, holes;
    Next& next;

    void slope(float dx, float dy) const
        requires requires(Next& sink) { sink.slope(0.0f, 0.0f); }
    {
        next.slope(dx, dy);
    }

    void operator()(int x, int y, Mask inside, Float8 z, std::uint32_t number) const {
        if (round) {
            inside = shader.met(rays_at(scene, x, y, sample), inside, drawn, number, z);
            if (!any(inside)) return;
        }
        if (holes)
            inside = shader.solid(Rays(*scene.frame.block, x, y, scene.view.camera.orthographic),
                                  inside, drawn, number);
        if (any(inside)) next(x, y, inside, z, number);
    }
};

HELIOGRAPH_INLINE Int8 byte_of(Float8 a) { return rounded(clamp(a, 0.0f, 1.0f) * 255.0f); }
HELIOGRAPH_INLINE Int8 packed(Vec3 rgb) {
    return byte_of(rgb.x) | byte_of(rgb.y) << 8 | byte_of(rgb.z) << 16;
}
HELIOGRAPH_INLINE Int8 packed(Vec3 rgb, Float8 alpha) { return packed(rgb) | byte_of(alpha) << 24; }
HELIOGRAPH_INLINE Float8 channel(Int8 colour, int shift) {
    return to_float((colour >> shift) & all_int(255)) * (1.0f / 255.0f);
}

// What is behind everything at eight pixels; opaque nowhere.
static Int8 background(const Scene& scene, const Rays& rays) {
    const View& view = scene.view;
    Vec3 rgb = vec3(view.background);
    if (view.radiance_shown) {
        rgb = sky_radiance(scene.frame, rays.pixel);
    } else if (view.sky != nullptr) {
        const float* unproject = scene.frame.block->unproject;
        const bool parallel = view.camera.orthographic;
        const auto turned = [&](Vec3 a) {
            const Vec3 way = world_way(scene.frame, a);
            return Vec3{way.x, way.z, -way.y};  // cube maps have y up, our world has z
        };
        const Vec3 way = turned(rays.way);
        const Vec3 dx = turned(vec3(parallel ? 0 : unproject[0], 0, 0));
        const Vec3 dy = turned(vec3(0, parallel ? 0 : unproject[1], 0));
        const Vec4 texel = sample_cube(*view.sky, way, dx, dy, all_int(-1));
        rgb = {texel.x, texel.y, texel.z};
    }
    if (view.haze) rgb = sky_hazed(scene.frame, rgb, rays.pixel);
    return packed(clamp(rgb, 0.0f, 1.0f), all(0.0f));
}

class Painter {
public:
    Painter(const Scene& scene, const VertexLight& light, Workspace& work, const Backdrop* backdrop,
            Band band, const Interrupt& interrupt)
        : scene_(scene),
          work_(work),
          backdrop_(backdrop),
          band_(band),
          interrupt_(interrupt),
          shader_(scene, light, work),
          direct_(scene.plan.transparent.empty()),
          plain_(!scene.coloured() ||
                 (scene.view.sky == nullptr && !scene.view.radiance_shown && !scene.view.haze)),
          behind_(scene.coloured()
                      ? packed(clamp(vec3(scene.view.background), 0.0f, 1.0f), all(0.0f))
                      : all_int(0)) {}

    // False where it was interrupted.
    bool paint() {
        const View& view = scene_.view;
        const Camera& camera = view.camera;
        work_.planes.begin(camera.width, view.samples, farthest_nearness(scene_.lens, camera),
                           band_.first, band_.end);
        if (scene_.blended() && !direct_)
            for (int s = 0; s < view.samples; ++s)
                work_.colours[s].resize(std::max(work_.colours[s].size(), work_.planes.size()));
        for (const Drawn& drawn : scene_.plan.opaque) {
            if (interrupt_.asked()) return false;
            for (int s = 0; s < view.samples; ++s) {
                Nearest<false> sink{work_.planes, s};
                rasterize(drawn, scene_.kind(drawn).side, s, sink);
            }
        }
        find_spans(scene_.plan.opaque, work_.spans);
        find_spans(scene_.plan.transparent, work_.blended);
        for (int y = band_.first; y < band_.end; ++y) {
            if (interrupt_.asked()) return false;
            shade_row(y);
        }
        if (!scene_.plan.transparent.empty() && !paint_transparent()) return false;
        if (scene_.blended() && !direct_)
            for (int y = band_.first; y < band_.end; ++y) write_colours(y);
        return true;
    }

private:
    template <typename Sink>
    void rasterize(const Drawn& drawn, Side side, int sample, Sink& sink) {
        const Kind& kind = scene_.kind(drawn);
        const bool holes = kind.cutout, round = kind.round();
        if (drawn.bottom < band_.first || drawn.top >= band_.end) return;
        if (holes || round) {
            Tested<Sink> tested{scene_, shader_, drawn, sample, round, holes, sink};
            if (drawn.boxed) {
                cast(drawn, side, tested);
            } else {
                triangles(drawn, kind, side, sample, tested);
            }
        } else {
            triangles(drawn, kind, side, sample, sink);
        }
    }

    template <typename Sink>
    void triangles(const Drawn& drawn, const Kind& kind, Side side, int sample, Sink& sink) {
        const Camera& camera = scene_.view.camera;
        const bool many = scene_.view.samples > 1;
        const int x = many ? PLACES[sample][0] : 0, y = many ? PLACES[sample][1] : 0;
        if (kind.line > 0) {
            draw_line(scene_.meshes, drawn, camera, scene_.lens, kind.line, x, y, band_, sink);
            return;
        }
        if (transformed_ != &drawn) {
            transform(scene_.meshes, drawn, kind.solver, scene_.lens, work_.vertices);
            transformed_ = &drawn;
        }
        TriangleDrawer<Sink> drawer{scene_.meshes, drawn, camera, scene_.lens, work_.vertices,
                                    kind.solver, side, scene_.turned(kind), x, y, band_, sink};
        drawer.draw();
    }

    // Casts rays into all of the rectangle that a round thing may cover.
    template <typename Sink>
    void cast(const Drawn& drawn, Side side, Sink& sink) {
        const int first = std::max(drawn.top, band_.first);
        const int last = std::min(drawn.bottom, band_.end - 1);
        const std::uint32_t start = side == Side::back ? drawn.count - 1 : 0;
        const std::uint32_t end = side == Side::front ? 1 : drawn.count;
        for (std::uint32_t part = start; part < end; ++part)
            for (int y = first; y <= last; ++y)
                for (int x = drawn.left & ~7; x <= drawn.right; x += 8) {
                    const Mask inside = lane_numbers() < all_int(scene_.view.camera.width - x);
                    sink(x, y, inside, all(0.0f), drawn.number + part);
                }
    }

    // Which of the plan's things a primitive is of.
    const Drawn& drawn_of(std::uint32_t number) {
        if (found_ != nullptr && number - found_->number < found_->count) return *found_;
        const Plan& plan = scene_.plan;
        const bool clear = !plan.transparent.empty() && number >= plan.transparent.front().number;
        const std::vector<Drawn>& list = clear ? plan.transparent : plan.opaque;
        const auto after =
            std::upper_bound(list.begin(), list.end(), number,
                             [](std::uint32_t n, const Drawn& d) { return n < d.number; });
        found_ = &*(after - 1);
        return *found_;
    }

    // At which of eight pixels primitives of a thing are.
    static HELIOGRAPH_INLINE Mask lanes_of(const Drawn& drawn, Int8 primitives) {
        const Int8 after = primitives - all_int(std::int32_t(drawn.number));
        return (after >= 0) & (after < all_int(std::int32_t(drawn.count)));
    }

    // Takes in the primitives of eight pixels; false where some are more than triangles.
    HELIOGRAPH_INLINE bool take_simple(Int8 primitives, Mask wanted) {
        const std::int32_t before = std::int32_t(simple_.number);
        if (before != 0 && bits(wanted & (primitives != all_int(before))) == 0) return true;
        alignas(32) std::int32_t numbers[8];
        store(numbers, primitives);
        const int all_wanted = bits(wanted);
        const std::uint32_t first = std::uint32_t(numbers[__builtin_ctz(unsigned(all_wanted))]);
        if (bits(wanted & (primitives != all_int(std::int32_t(first)))) != 0)
            return take_several(primitives, numbers, all_wanted);
        const Drawn& drawn = drawn_of(first);
        if (!is_simple_mesh(drawn)) return false;
        simple_.number = first;
        return shader_.template take<true>(simple_, wanted, drawn, first);
    }
    bool is_simple_mesh(const Drawn& drawn) const {
        return drawn.simple && !scene_.kind(drawn).is_body();
    }
    bool take_several(Int8 primitives, const std::int32_t* numbers, int wanted) {
        const auto at = [&](int left) {
            return std::uint32_t(numbers[__builtin_ctz(unsigned(left))]);
        };
        for (int left = wanted; left != 0;) {
            const Drawn& drawn = drawn_of(at(left));
            if (!is_simple_mesh(drawn)) return false;
            left &= ~bits(lanes_of(drawn, primitives));
        }
        want_light(primitives, numbers, wanted);
        simple_.number = 0;
        bool kept = true;
        for (int left = wanted; left != 0 && kept;) {
            const std::uint32_t number = at(left);
            const Mask m = primitives == all_int(std::int32_t(number));
            const Drawn& drawn = drawn_of(number);
            kept = left == wanted ? shader_.template take<true>(simple_, m, drawn, number)
                                  : shader_.template take<false>(simple_, m, drawn, number);
            left &= ~bits(m);
        }
        return kept;
    }

    template <typename Depth>
    HELIOGRAPH_INLINE Int8 colour_simple(const OnTriangles& on, const Depth& depth,
                                         const Rays& rays, Mask there, int x, int y) const {
        if (!scene_.coloured()) return all_int(0xFF << 24);
        return packed(shader_.shaded(on, depth, rays, there, x, y)) | all_int(0xFF << 24);
    }

    // Eight pixels of what was taken in, `there`, and of what is behind everything.
    void shade_simple(const Rays& rays, Mask there, int x, int y) {
        const OnTriangles on(simple_, rays.where);
        write_simple(on, [&] { return on.depth(); }, [&] { return on.normal(); }, simple_.id, rays,
                     there, x, y);
    }
    // The same of one body alone; false where there is something else too, or more to it.
    bool shade_body(const Rays& rays, Int8 primitives, Mask there, int x, int y) {
        alignas(32) std::int32_t numbers[8];
        store(numbers, primitives);
        const int wanted = bits(there);
        const Drawn& drawn = drawn_of(std::uint32_t(numbers[__builtin_ctz(unsigned(wanted))]));
        const Kind& kind = scene_.kind(drawn);
        if (!drawn.simple || !kind.is_body() || any(there & ~lanes_of(drawn, primitives)))
            return false;
        want_light(primitives, numbers, wanted);
        const OnTriangles on(shader_.light_body(drawn, there, primitives), rays.where);
        const Crossing met = shader_.meet(rays, drawn);
        write_simple(on, [&] { return met.depth; }, [&] { return normalize(met.normal); },
                     all_int(Shader::id_of(scene_.record(drawn))), rays, there, x, y);
        return true;
    }
    template <typename Depth, typename Normal>
    HELIOGRAPH_INLINE void write_simple(const OnTriangles& on, const Depth& depth_of,
                                        const Normal& normal_of, Int8 id, const Rays& rays,
                                        Mask there, int x, int y) {
        const Picture& out = scene_.picture;
        if (scene_.blended()) {
            const Int8 colours = colour_simple(on, depth_of, rays, there, x, y);
            keep(bits(there) == 255 ? colours : select(there, colours, behind(x, y)), x, y);
        }
        const std::size_t at = place(x, y);
        const int count = std::min(8, scene_.view.camera.width - x);
        if (out.depth != nullptr || out.distance != nullptr) {
            const Float8 depth = select(there, depth_of(), all(INFINITE));
            put(out.depth, at, count, depth);
            if (out.distance != nullptr) put(out.distance, at, count, depth * length(rays.way));
        }
        put(out.ids, at, count, id & there);
        if (out.normals != nullptr)
            put_normals(out.normals + 3 * at, count, select(there, normal_of(), vec3(0, 0, 0)));
    }

    // Has light at the corners of all primitives computed, as many at once as can be.
    void want_light(Int8 primitives, const std::int32_t* numbers, int wanted) {
        if (!scene_.coloured() || !scene_.view.vertex_lit) return;
        for (int left = wanted; left != 0;) {
            const std::int32_t number = numbers[__builtin_ctz(unsigned(left))];
            const Drawn& drawn = drawn_of(std::uint32_t(number));
            if (drawn.lit_whole || !scene_.vertex_lit(scene_.kind(drawn), drawn)) {
                left &= ~bits(lanes_of(drawn, primitives));
            } else {
                left &= ~bits(primitives == all_int(number));
                shader_.want_light(drawn, std::uint32_t(number));
            }
        }
        shader_.light_waiting();
    }

    // Gathers all primitives of eight pixels that are wanted.
    void gather(Block& block, const Rays& rays, Int8 primitives, Mask wanted) {
        alignas(32) std::int32_t numbers[8];
        store(numbers, primitives);
        want_light(primitives, numbers, bits(wanted & (primitives != 0)));
        for (int left = bits(wanted & (primitives != 0)); left != 0;) {
            const std::uint32_t number = std::uint32_t(numbers[__builtin_ctz(unsigned(left))]);
            const Drawn& drawn = drawn_of(number);
            Mask m = primitives == all_int(std::int32_t(number));
            const Kind& kind = scene_.kind(drawn);
            if (Shader::alike(kind)) m = lanes_of(drawn, primitives);
            m &= wanted;
            left &= ~bits(m);
            shader_.gather(block, rays, m, drawn, number, primitives);
        }
    }

    // Which columns things may cover, in every few rows.
    void find_spans(const std::vector<Drawn>& things, std::vector<Span>& spans) const {
        const int count = (band_.end - band_.first + SPAN_ROWS - 1) / SPAN_ROWS;
        spans.assign(std::size_t(count), {scene_.view.camera.width, -1});
        for (const Drawn& drawn : things) {
            const int top = std::max(drawn.top, band_.first) - band_.first;
            const int bottom = std::min(drawn.bottom, band_.end - 1) - band_.first;
            for (int i = top / SPAN_ROWS; i <= bottom / SPAN_ROWS && top <= bottom; ++i) {
                Span& span = spans[std::size_t(i)];
                span.left = std::min(span.left, drawn.left & ~7);
                span.right = std::max(span.right, drawn.right);
            }
        }
    }
    const Span& span_of(const std::vector<Span>& spans, int y) const {
        return spans[std::size_t((y - band_.first) / SPAN_ROWS)];
    }
    bool is_direct(int x) const { return x < blended_.left || x > blended_.right; }

    void shade_row(int y) {
        const View& view = scene_.view;
        const int width = view.camera.width;
        blended_ = span_of(work_.blended, y);
        const Span& span = span_of(work_.spans, y);
        if (span.left > span.right) return shade_nothing(y, 0, width);
        shade_nothing(y, 0, span.left);
        shade_nothing(y, (span.right | 7) + 1, width);
        for (int x = span.left; x <= span.right; x += 8) {
            const std::size_t at = work_.planes.at(x, y);
            const Mask valid = lane_numbers() < all_int(width - x);
            if (view.samples == 1) {
                const Int8 primitives = load(primitive(0) + at) & valid;
                if (!any(primitives != 0)) {
                    const int end = end_of_nothing(x + 8, y, std::min(span.right + 1, width));
                    shade_nothing(y, x, std::min(end, width));
                    x = end - 8;
                    continue;
                }
                const Rays rays(*scene_.frame.block, x, y, view.camera.orthographic);
                const Mask there = primitives != 0;
                if (take_simple(primitives, there)) {
                    shade_simple(rays, there, x, y);
                    continue;
                }
                if (shade_body(rays, primitives, there, x, y)) continue;
                if (bits(primitives == primitives[0]) == 255) {
                    shade_whole(rays, std::uint32_t(primitives[0]), x, y);
                    continue;
                }
                Block block(view.linear);
                gather(block, rays, primitives, valid);
                if (scene_.blended()) {
                    keep(colour(block, rays, primitives, x, y), x, y);
                }
                write(block, rays, x, y);
            } else {
                shade_samples(x, y, at, valid);
            }
        }
    }

    // Eight pixels of one primitive: most of what is large. All is inlined, to stay in registers.
    void shade_whole(const Rays& rays, std::uint32_t number, int x, int y) {
        Block block(scene_.view.linear);
        shader_.template gather<true>(block, rays, all_int(-1), drawn_of(number), number,
                                      all_int(std::int32_t(number)));
        if (scene_.blended()) {
            const Vec3 rgb = scene_.coloured() ? shader_.shaded(block, rays, x, y) : vec3(0, 0, 0);
            keep(packed(rgb, all(1.0f)), x, y);
        }
        write(block, rays, x, y);
    }

    // Where something may be again, from x on, in steps of eight.
    int end_of_nothing(int x, int y, int end) {
        const std::int32_t* primitives = primitive(0) + work_.planes.at(0, y);
        while (x + 8 <= end && !any(load(primitives + x) != 0)) x += 8;
        return x;
    }

    // Pixels [from, to) of a row, where nothing is.
    void shade_nothing(int y, int from, int to) {
        if (from >= to) return;
        const Picture& out = scene_.picture;
        const std::size_t at = place(from, y), count = std::size_t(to - from);
        const bool direct = to <= blended_.left || from > blended_.right;
        if (direct && plain_) {
            if (out.rgb != nullptr) fill_behind(out.rgb + 3 * at, 3 * count);
            if (out.alpha != nullptr) std::fill_n(out.alpha + at, count, std::uint8_t(0));
        } else if (direct && backdrop_ != nullptr && out.alpha == nullptr) {
            std::copy_n(&backdrop_->bytes[3 * backdrop_->place(from, y)], 3 * count,
                        out.rgb + 3 * at);
        } else if (scene_.blended()) {
            for (int x = from; x < to; x += 8) keep(behind(x, y), x, y);
        }
        if (out.depth != nullptr) std::fill_n(out.depth + at, count, INFINITE);
        if (out.distance != nullptr) std::fill_n(out.distance + at, count, INFINITE);
        if (out.ids != nullptr) std::fill_n(out.ids + at, count, 0);
        if (out.normals != nullptr) std::fill_n(out.normals + 3 * at, 3 * count, 0.0f);
    }

    // Colours of what is behind everything, where they are the same everywhere.
    void fill_behind(std::uint8_t* to, std::size_t bytes) const {
        constexpr std::size_t EIGHT = 24;
        std::uint8_t pixels[EIGHT];
        for (std::size_t i = 0; i < EIGHT; ++i)
            pixels[i] = std::uint8_t(behind_[0] >> 8 * (i % 3));
        for (; bytes >= EIGHT; bytes -= EIGHT, to += EIGHT)
            __builtin_memcpy(to, pixels, EIGHT);
        std::copy_n(pixels, bytes, to);
    }

    // Where a pixel is in the picture's arrays.
    std::size_t place(int x, int y) const {
        return std::size_t(y) * std::size_t(scene_.view.camera.width) + std::size_t(x);
    }

    // Eight colours of all samples, to be blended with later or not.
    void keep(Int8 colours, int x, int y) {
        if (is_direct(x)) return write_colours(colours, x, y);
        for (int s = 0; s < scene_.view.samples; ++s)
            store(work_.colours[s].data() + work_.planes.at(x, y), colours);
    }

    std::int32_t* primitive(int sample) {
        return reinterpret_cast<std::int32_t*>(work_.planes.primitive[sample].data());
    }

    // Colours of pixels of several samples: each primitive is lit once in each pixel.
    void shade_samples(int x, int y, std::size_t at, Mask valid) {
        const View& view = scene_.view;
        const Rays rays(*scene_.frame.block, x, y, view.camera.orthographic);
        Int8 primitives[MOST_SAMPLES], colours[MOST_SAMPLES];
        Mask covered = all_int(0);
        for (int s = 0; s < view.samples; ++s) {
            primitives[s] = load(primitive(s) + at) & valid;
            covered |= primitives[s];
        }
        if (!any(covered != 0))
            return shade_nothing(y, x, std::min(x + 8, view.camera.width));
        for (int s = 0; s < view.samples; ++s) {
            Mask todo = valid;
            colours[s] = all_int(0);
            for (int e = 0; e < s; ++e) {
                const Mask same = todo & (primitives[e] == primitives[s]);
                colours[s] = select(same, colours[e], colours[s]);
                todo &= ~same;
            }
            const Mask there = todo & (primitives[s] != 0);
            if (any(there) && take_simple(primitives[s], there)) {
                const OnTriangles on(simple_, rays.where);
                const Int8 here =
                    colour_simple(on, [&] { return on.depth(); }, rays, there, x, y);
                colours[s] = select(there, here, colours[s]);
                if (bits(there) != bits(todo))
                    colours[s] = select(todo & ~there, behind(x, y), colours[s]);
            } else if (any(todo)) {
                Block block(view.linear);
                gather(block, rays, primitives[s], todo);
                colours[s] = select(todo, colour(block, rays, primitives[s], x, y), colours[s]);
            }
        }
        if (is_direct(x)) {
            write_colours(mean_of([&](int s) { return colours[s]; }), x, y);
        } else {
            for (int s = 0; s < view.samples; ++s) store(work_.colours[s].data() + at, colours[s]);
        }
    }

    Int8 colour(const Block& block, const Rays& rays, Int8 primitives, int x, int y) {
        const Mask empty = primitives == 0;
        Int8 result = all_int(0);
        if (bits(empty) != 255) {
            const Vec3 rgb = scene_.coloured() ? shader_.shaded(block, rays, x, y) : vec3(0, 0, 0);
            result = packed(rgb, all(1.0f));
        }
        return any(empty) ? select(empty, behind(x, y), result) : result;
    }

    // What is behind everything at eight pixels; opaque nowhere.
    Int8 behind(int x, int y) const {
        if (plain_) return behind_;
        if (backdrop_ != nullptr) return load(backdrop_->at(x, y));
        return background(scene_, Rays(*scene_.frame.block, x, y, scene_.view.camera.orthographic));
    }

    HELIOGRAPH_INLINE void write(const Block& block, const Rays& rays, int x, int y) const {
        const Picture& out = scene_.picture;
        const std::size_t at = place(x, y);
        const int count = std::min(8, scene_.view.camera.width - x);
        put(out.depth, at, count, block.depth);
        if (out.distance != nullptr) put(out.distance, at, count, block.depth * length(rays.way));
        put(out.ids, at, count, block.id);
        if (out.normals != nullptr) put_normals(out.normals + 3 * at, count, block.normal);
    }

    template <typename Number, typename Eight>
    static HELIOGRAPH_INLINE void put(Number* to, std::size_t at, int count, Eight value) {
        if (to == nullptr) return;
        if (count == 8) {
            store(to + at, value);
            return;
        }
        alignas(32) Number values[8];
        store(values, value);
        std::copy_n(values, count, to + at);
    }

    static void put_normals(float* to, int count, Vec3 n) {
        if (count == 8) {
            store_by_turns(to, n);
            return;
        }
        float rows[24];
        store_by_turns(rows, n);
        std::copy_n(rows, 3 * count, to);
    }

    // Blends each primitive of a transparent thing, in their order, over what is behind it.
    struct Blend {
        Painter& painter;
        const Drawn& drawn;
        int sample;

        void operator()(int x, int y, Mask inside, Float8 z, std::uint32_t number) const {
            const Scene& scene = painter.scene_;
            Planes& planes = painter.work_.planes;
            const std::size_t at = planes.at(x, y);
            const Mask m = inside & (z >= load(planes.nearness[sample].data() + at)) &
                           (lane_numbers() < all_int(scene.view.camera.width - x));
            if (!any(m)) return;
            const Rays rays(*scene.frame.block, x, y, scene.view.camera.orthographic);
            Block block(scene.view.linear);
            painter.shader_.gather(block, rays, m, drawn, number, all_int(std::int32_t(number)));
            const Vec3 rgb =
                scene.coloured() ? painter.shader_.shaded(block, rays, x, y) : vec3(0, 0, 0);
            const Float8 a = clamp(block.alpha, 0.0f, 1.0f);
            std::int32_t* to = painter.work_.colours[sample].data() + at;
            const Int8 old = load(to);
            const Vec3 under{channel(old, 0), channel(old, 8), channel(old, 16)};
            const Vec3 over = rgb * a + under * (1.0f - a);
            store(to, select(m, packed(over, a + channel(old, 24) * (1.0f - a)), old));
        }
    };

    bool paint_transparent() {
        const View& view = scene_.view;
        if (scene_.blended()) {
            for (const Drawn& drawn : scene_.plan.transparent) {
                const Side side = scene_.kind(drawn).side;
                for (int s = 0; s < view.samples; ++s) {
                    if (interrupt_.asked()) return false;
                    Blend sink{*this, drawn, s};
                    if (side != Side::both) {
                        rasterize(drawn, side, s, sink);
                    } else {
                        rasterize(drawn, Side::back, s, sink);
                        rasterize(drawn, Side::front, s, sink);
                    }
                }
            }
        }
        const Picture& out = scene_.picture;
        if (out.depth == nullptr && out.distance == nullptr && out.ids == nullptr &&
            out.normals == nullptr)
            return true;
        const std::uint32_t first = scene_.plan.transparent.front().number;
        for (const Drawn& drawn : scene_.plan.transparent) {
            if (interrupt_.asked()) return false;
            Nearest<true> sink{work_.planes, 0};
            rasterize(drawn, scene_.kind(drawn).side, 0, sink);
        }
        const int width = view.camera.width;
        for (int y = band_.first; y < band_.end; ++y) {
            const Span& span = span_of(work_.blended, y);
            for (int x = span.left; x <= span.right; x += 8) {
                const Mask valid = lane_numbers() < all_int(width - x);
                const Int8 primitives = load(primitive(0) + work_.planes.at(x, y)) & valid;
                if (!any(primitives >= all_int(std::int32_t(first)))) continue;
                const Rays rays(*scene_.frame.block, x, y, view.camera.orthographic);
                Block block(view.linear);
                gather(block, rays, primitives, valid);
                write(block, rays, x, y);
            }
        }
        return true;
    }

    // Eight colours into the picture.
    void write_colours(Int8 colours, int x, int y) const {
        const std::size_t at = place(x, y);
        const int count = std::min(8, scene_.view.camera.width - x);
        if (std::uint8_t* rgb = scene_.picture.rgb) {
            std::uint8_t bytes[24];
            store_rgb(count == 8 ? rgb + 3 * at : bytes, colours);
            if (count < 8) std::copy_n(bytes, 3 * count, rgb + 3 * at);
        }
        if (std::uint8_t* alpha = scene_.picture.alpha)
            for (int i = 0; i < count; ++i)
                alpha[at + std::size_t(i)] = std::uint8_t(std::uint32_t(colours[i]) >> 24);
    }

    void write_colours(int y) const {
        const std::size_t from = work_.planes.at(0, y);
        const Span& span = span_of(work_.blended, y);
        for (int x = span.left; x <= span.right; x += 8) {
            const auto sample = [&](int s) { return load(work_.colours[s].data() + from + x); };
            write_colours(scene_.view.samples == 1 ? sample(0) : mean_of(sample), x, y);
        }
    }

    // The mean of four colours, two channels of each word at a time.
    template <typename Sample>
    static HELIOGRAPH_INLINE Int8 mean_of(const Sample& sample) {
        const Int8 two = all_int(0xFF00FF);
        Int8 low = all_int(2 | 2 << 16), high = low;  // for rounding
        for (int s = 0; s < MOST_SAMPLES; ++s) {
            low += sample(s) & two;
            high += (sample(s) >> 8) & two;
        }
        return ((low >> 2) & two) | (((high >> 2) & two) << 8);
    }

    const Scene& scene_;
    Workspace& work_;
    const Backdrop* backdrop_;
    Band band_;
    const Interrupt& interrupt_;
    Shader shader_;
    const bool direct_;  // colours go where they belong at once, everywhere
    LitTriangles simple_;  // of the pixels at hand
    const bool plain_;   // what is behind everything is the same everywhere
    const Int8 behind_;
    Span blended_ = {};  // columns of this row whose colours are blended with later
    const Drawn* found_ = nullptr;
    const Drawn* transformed_ = nullptr;
};

}  // namespace
}  // namespace heliograph
