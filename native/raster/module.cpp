// What Python sees of the native rasterizer: plain arrays in, plain arrays out.
#include "module.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "../processor.hpp"
#include "kernels.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace heliograph {
namespace {

constexpr int MOST_THREADS = 64;

template <typename Number, typename... Shape>
using Array = nb::ndarray<Number, Shape..., nb::c_contig, nb::device::cpu>;
template <typename... Shape>
using Doubles = Array<const double, Shape...>;
template <typename... Shape>
using Floats = Array<const float, Shape...>;
using Bools = Array<const bool, nb::ndim<1>>;
using Bytes = Array<const std::uint8_t>;

void expect(bool fits, const char* what) {
    if (!fits) throw std::invalid_argument(what);
}

Texture texture_of(const Bytes& pixels, bool cube, bool linear, int wrap_u, int wrap_v,
                   bool nearest) {
    expect(wrap_u >= 0 && wrap_u < 3 && wrap_v >= 0 && wrap_v < 3, "wrap: expected 0 to 2");
    expect(pixels.ndim() == (cube ? 4 : 3),
           "pixels: expected (H, W, C), or (6, N, N, C) of a cube");
    const std::size_t first = cube ? 1 : 0;
    expect(!cube || (pixels.shape(0) == 6 && pixels.shape(1) == pixels.shape(2)),
           "pixels: expected six squares");
    const Pixels given{pixels.data(), int(pixels.shape(first + 1)), int(pixels.shape(first)),
                       int(pixels.shape(first + 2))};
    return make_texture(cube ? TextureKind::cube : TextureKind::flat, given, linear,
                        Sampler{Wrap(wrap_u), Wrap(wrap_v), nearest});
}

void make_paint(Paint* self, const Bytes& pixels, bool cube, bool linear, int wrap_u, int wrap_v,
                bool nearest) {
    new (self) Paint{};
    self->image = texture_of(pixels, cube, linear, wrap_u, wrap_v, nearest);
}

void set_layer(Paint& self, int use, const Bytes& pixels, bool linear, int wrap_u, int wrap_v,
               bool nearest) {
    expect(use >= 0 && use < 4, "use: expected 0 to 3");
    self.layers[use] = texture_of(pixels, false, linear, wrap_u, wrap_v, nearest);
}

void set_maps(Paint& self, const Floats<nb::shape<5, 2, 3>>& maps,
              const Floats<nb::shape<3>>& strengths) {
    std::copy_n(maps.data(), 30, &self.maps[0][0][0]);
    std::copy_n(strengths.data(), 3, self.strengths);
    self.layered = true;
}

// Light from all around, with its numbers.
struct RadianceTables : Radiance {
    std::vector<float> level_numbers, seen_numbers;

    RadianceTables(const Floats<nb::shape<-1, -1, -1, 3>>& given,
                   const Floats<nb::shape<-1, -1, 3>>& background)
        : level_numbers(given.data(), given.data() + given.size()),
          seen_numbers(background.data(), background.data() + background.size()) {
        expect(given.size() > 0 && background.size() > 0, "radiance: expected texels");
        static std::atomic<std::uint64_t> made{0};
        number = ++made;
        levels = {level_numbers.data(), int(given.shape(2)), int(given.shape(1))};
        seen = {seen_numbers.data(), int(background.shape(1)), int(background.shape(0))};
    }
    RadianceTables(const RadianceTables&) = delete;
};

template <std::size_t width, typename Number>
void copy_rows(std::vector<std::array<Number, width>>& to, const Number* from, std::size_t count) {
    to.resize(count);
    if (count > 0) std::copy_n(from, count * width, to[0].data());
}

void make_instances(Instances* self, const Array<const std::int32_t, nb::ndim<1>>& geometry,
                    const Array<const std::uint32_t, nb::shape<-1, LOD_LEVELS, 5>>& commands,
                    const Array<const std::int64_t, nb::ndim<1>>& keys,
                    const Array<const std::int64_t, nb::ndim<1>>& order,
                    const Floats<nb::shape<-1, MATERIAL_NUMBERS>>& records,
                    const Doubles<nb::shape<3, -1, LOD_LEVELS>>& pixel,
                    const Doubles<nb::shape<-1, LOD_LEVELS>>& distance,
                    const Array<const bool, nb::shape<4, -1>>& flags,
                    const Doubles<nb::shape<2, -1>>& scales) {
    const std::size_t count = geometry.size();
    expect(commands.shape(0) == count && keys.size() == count && order.size() == count &&
               records.shape(0) == count && pixel.shape(1) == count && distance.shape(0) == count &&
               flags.shape(1) == count && scales.shape(1) == count,
           "instances: expected as many rows in every column");
    new (self) Instances{};
    Instances& made = *self;
    made.geometry.assign(geometry.data(), geometry.data() + count);
    made.order.assign(order.data(), order.data() + count);
    made.kind.resize(count), made.levels.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        made.kind[i] = Kind::of(keys.data()[i]);
        const Kind& kind = made.kind[i];
        expect(kind.solver <= Solver::stretched && kind.shading <= Shading::depth &&
                   kind.side <= Side::back,
               "instances: expected a shading, a side and a solver that there are");
        for (std::size_t k = 0; k < LOD_LEVELS; ++k) {
            const std::uint32_t* command = commands.data() + (i * LOD_LEVELS + k) * 5;
            made.levels[i][k] = {command[0], command[2], command[3]};
        }
    }
    copy_rows(made.records, records.data(), count);
    copy_rows(made.distance, distance.data(), count);
    for (std::size_t k = 0; k < 3; ++k)
        copy_rows(made.pixel[k], pixel.data() + k * count * LOD_LEVELS, count);
    std::vector<std::uint8_t>* columns[] = {&made.shown, &made.transparent, &made.flat, &made.cast};
    for (std::size_t k = 0; k < 4; ++k)
        columns[k]->assign(flags.data() + k * count, flags.data() + (k + 1) * count);
    made.largest.assign(scales.data(), scales.data() + count);
    made.determinant.assign(scales.data() + count, scales.data() + 2 * count);
}

// Looks for signals (Ctrl-C) a few times a second.
struct SignalCheck {
    std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
    bool raised = false;

    static bool ask(void* context) {
        SignalCheck& self = *static_cast<SignalCheck*>(context);
        const auto now = std::chrono::steady_clock::now();
        if (self.raised || now - self.last < std::chrono::milliseconds(100)) return self.raised;
        self.last = now;
        const nb::gil_scoped_acquire held;
        self.raised = PyErr_CheckSignals() != 0;
        return self.raised;
    }
};

const RasterKernels& kernels_of(int level) {
#if defined(HELIOGRAPH_AVX2)
    if (level >= 2 && has_avx2()) return avx2_raster_kernels;
#endif
#if defined(HELIOGRAPH_WITH_PLAIN)
    if (level == 0) return plain_raster_kernels;
#endif
    return portable_raster_kernels;
}

Camera camera_of(const Doubles<nb::shape<24>>& numbers, int width, int height, bool orthographic) {
    expect(width > 0 && height > 0 && width <= 65536 && height <= 65536,
           "size: expected 1 to 65536 pixels");
    const double* from = numbers.data();
    Camera camera{};
    std::copy_n(from, 12, camera.view);
    std::copy_n(from + 12, 3, camera.eye);
    std::copy_n(from + 15, 3, camera.ahead);
    camera.fx = from[18], camera.fy = from[19], camera.cx = from[20], camera.cy = from[21];
    camera.near_ = from[22], camera.far_ = from[23];
    camera.width = width, camera.height = height, camera.orthographic = orthographic;
    return camera;
}

// Places of the numbers that say how a picture is drawn; `CpuRasterizer._shot` writes them.
enum Flag {
    WIDTH, HEIGHT, ORTHOGRAPHIC, LINEAR, VERTEX_LIT, REFLECTED, HAZE, TONE_MAPPING, SAMPLES,
    RADIANCE_SHOWN, SKY, FLAGS
};

template <typename Number>
using Out = std::optional<Array<Number>>;

template <typename Number>
Number* place_for(const Out<Number>& array, const Camera& camera, std::size_t channels) {
    if (!array) return nullptr;
    const bool plain = channels == 1;
    expect(array->ndim() == (plain ? 2 : 3) && array->shape(0) == std::size_t(camera.height) &&
               array->shape(1) == std::size_t(camera.width) &&
               (plain || array->shape(2) == channels),
           "out: expected arrays of the picture's size");
    return array->data();
}

// One picture of a scene to be drawn: how, and where it goes. It keeps alive what it points to.
class Shot {
public:
    Shot(const Doubles<nb::shape<24>>& camera,
         const Array<const std::int32_t, nb::shape<FLAGS>>& flags,
         const Floats<nb::shape<FRAME_NUMBERS>>& block,
         const Array<const std::int32_t, nb::ndim<1>>& kinds,
         const Floats<nb::shape<3>>& background, const RadianceTables* radiance,
         std::optional<Floats<nb::ndim<2>>> atlas, const Shot* mirror, std::optional<Bools> mask,
         Out<std::uint8_t> rgb, Out<std::uint8_t> alpha, Out<float> depth, Out<float> distance,
         Out<float> normals, Out<std::int32_t> ids)
        : mirror_(mirror),
          block_(block.data(), block.data() + FRAME_NUMBERS),
          kinds_(kinds.data(), kinds.data() + kinds.size()),
          atlas_(std::move(atlas)),
          mask_(std::move(mask)),
          bytes_{std::move(rgb), std::move(alpha)},
          floats_{std::move(depth), std::move(distance), std::move(normals)},
          ids_(std::move(ids)) {
        const std::int32_t* flag = flags.data();
        view_.camera = camera_of(camera, flag[WIDTH], flag[HEIGHT], flag[ORTHOGRAPHIC]);
        view_.linear = flag[LINEAR], view_.vertex_lit = flag[VERTEX_LIT];
        view_.reflected = flag[REFLECTED], view_.haze = flag[HAZE];
        view_.tone_mapping = flag[TONE_MAPPING], view_.samples = flag[SAMPLES];
        expect(view_.samples == 1 || view_.samples == MOST_SAMPLES, "samples: expected 1 or 4");
        std::copy_n(background.data(), 3, view_.background);
        view_.radiance = radiance;
        view_.radiance_shown = radiance != nullptr && flag[RADIANCE_SHOWN];
        view_.block = block_.data(), view_.kinds = kinds_.data();
        sky_ = flag[SKY];
        expect(kinds_.size() >= std::size_t(block_[52]), "kinds: expected one for each light");
        expect(block_[53] == 0 || atlas_, "atlas: expected one for lights with shadows");
        if (atlas_) view_.atlas = {atlas_->data(), int(atlas_->shape(1)), int(atlas_->shape(0))};
        picture_ = {place_for(bytes_[0], view_.camera, 3),  place_for(bytes_[1], view_.camera, 1),
                    place_for(floats_[0], view_.camera, 1), place_for(floats_[1], view_.camera, 1),
                    place_for(floats_[2], view_.camera, 3), place_for(ids_, view_.camera, 1)};
        if (mirror != nullptr) {
            const Camera &here = view_.camera, &there = mirror->view_.camera;
            expect(here.width == there.width && here.height == there.height,
                   "mirror: expected another size");
            expect(mirror->picture_.rgb != nullptr && mirror->mirror_ == nullptr,
                   "mirror: expected colours, and no mirror in it");
            view_.mirror = mirror->picture_.rgb;
        }
    }
    Shot(const Shot&) = delete;

    // What is seen in its mirror, to be drawn before it; or null.
    const Shot* mirror() const { return mirror_; }
    // Which of `count` instances are drawn; null for all.
    const std::uint8_t* mask(std::size_t count) const {
        expect(!mask_ || mask_->size() == count, "mask: expected a row for each instance");
        return mask_ ? reinterpret_cast<const std::uint8_t*>(mask_->data()) : nullptr;
    }
    const View& view() const { return view_; }
    const Picture& picture() const { return picture_; }
    std::int32_t sky() const { return sky_; }

private:
    const Shot* mirror_;
    std::vector<float> block_;
    std::vector<std::int32_t> kinds_;
    std::optional<Floats<nb::ndim<2>>> atlas_;
    std::optional<Bools> mask_;
    Out<std::uint8_t> bytes_[2];
    Out<float> floats_[3];
    Out<std::int32_t> ids_;
    View view_{};
    Picture picture_{};
    std::int32_t sky_ = -1;
};

// All that is drawn, and memory that is used again.
class RasterScene {
public:
    RasterScene() {
        canvases_.resize(1);
    }

    void put(const std::string& stream, std::size_t first, const Floats<nb::ndim<2>>& rows) {
        std::vector<float>* columns = stream == "in_position" ? meshes_.position
                                      : stream == "in_normal" ? meshes_.normal
                                      : stream == "in_uv"     ? meshes_.uv
                                      : stream == "in_colour" ? meshes_.colour
                                                              : nullptr;
        expect(columns != nullptr, "stream: expected in_position, in_normal, in_uv or in_colour");
        const int width = columns == meshes_.uv ? 2 : columns == meshes_.colour ? 4 : 3;
        expect(rows.shape(1) == std::size_t(width), "rows: expected another number of columns");
        meshes_.put(columns, width, first, rows.shape(0), rows.data());
    }

    void put_triangles(std::size_t first, const Array<const std::uint32_t, nb::ndim<1>>& indices) {
        expect(first % 3 == 0 && indices.size() % 3 == 0, "triangles: expected three indices each");
        meshes_.put_triangles(first, indices.size(), indices.data());
    }

    void trim(std::size_t vertices, std::size_t indices) { meshes_.trim(vertices, indices); }

    // Of vertices and triangles.
    std::size_t nbytes() const { return meshes_.nbytes(); }

    void set_paint(std::size_t handle, const Paint* paint) {
        if (paints_.size() <= handle) paints_.resize(handle + 1);
        paints_[handle] = paint;
        // They know skies by where these lie in memory, which may be another's from now on.
        backdrops_.forget();
    }

    void set_tables(const Floats<nb::shape<-1, -1, 2>>& albedo,
                    const Floats<nb::shape<-1, -1, 4>>& lobes) {
        albedo_.assign(albedo.data(), albedo.data() + albedo.size());
        lobes_.assign(lobes.data(), lobes.data() + lobes.size());
        albedo_size_[0] = int(albedo.shape(1)), albedo_size_[1] = int(albedo.shape(0));
        lobes_size_[0] = int(lobes.shape(1)), lobes_size_[1] = int(lobes.shape(0));
    }

    void place(const Instances& instances, const Doubles<nb::shape<-1, 3, 4>>& pose,
               const Bools& visible, const std::optional<Doubles<nb::ndim<1>>>& length,
               const Doubles<nb::shape<-1, 2, 3>>& box, const Doubles<nb::ndim<1>>& radius) {
        const std::size_t count = instances.count();
        expect(pose.shape(0) == count && visible.size() == count &&
                   (!length || length->size() == count) && box.shape(0) == radius.size(),
               "place: expected a row for each instance");
        copy_rows(placed_.pose, pose.data(), count);
        placed_.length.clear();
        if (length) placed_.length.assign(length->data(), length->data() + count);
        placed_.centre.resize(count), placed_.half.resize(count);
        placed_.radius.resize(count), placed_.show.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t g = std::size_t(instances.geometry[i]);
            expect(g < radius.size(), "place: a geometry that is not there");
            const double *b = box.data() + 6 * g, *p = placed_.pose[i].data(),
                         longer = length ? placed_.length[i] : 0;
            expect(longer >= 0 && std::isfinite(longer), "place: expected finite lengths from 0");
            for (std::size_t r = 0; r < 3; ++r) {
                placed_.centre[i][r] =
                    p[4 * r] * b[0] + p[4 * r + 1] * b[1] + p[4 * r + 2] * b[2] + p[4 * r + 3];
                placed_.half[i][r] = b[3 + r] + (r == 2 ? longer : 0);
            }
            placed_.radius[i] = (radius.data()[g] + longer) * instances.largest[i];
            placed_.show[i] = instances.shown[i] && visible.data()[i];
        }
    }

    // Draws all shots. Threads share the shots; those that are left over share the rows of each.
    void draw(const Instances& instances, const std::vector<const Shot*>& shots, int threads,
              int level) {
        begin(instances);
        std::vector<const Shot*> checked = shots;
        for (const Shot* shot : shots)
            if (shot->mirror() != nullptr) checked.push_back(shot->mirror());
        for (const Shot* shot : checked) {
            shot->mask(instances.count());
            sky_of(*shot);
            expect(!shot->view().linear || !albedo_.empty(), "tables: expected them first");
        }
        const int most = std::clamp(threads, 1, MOST_THREADS);
        const int count = int(shots.size()), at_once = std::clamp(count, 1, most);
        canvases_.resize(std::max(canvases_.size(), std::size_t(at_once)));
        for (int i = 0; i < at_once; ++i)
            canvases_[std::size_t(i)].workspaces.resize(std::size_t(most / at_once));
        SignalCheck signals;
        bool done = false;
        {
            const nb::gil_scoped_release released;
            const Piece piece = [&](int i, int thread, const Interrupt& interrupt) {
                const Shot& shot = *shots[std::size_t(i)];
                Canvas& canvas = canvases_[std::size_t(thread)];
                return (shot.mirror() == nullptr ||
                        paint(instances, *shot.mirror(), canvas, level, interrupt)) &&
                       paint(instances, shot, canvas, level, interrupt);
            };
            done = share(count, at_once, {SignalCheck::ask, &signals}, piece);
        }
        if (!done) throw nb::python_error();
    }

    // What would be drawn, in order: instance, first index, indices, whether rays are cast into a
    // box; and the nearest and farthest depth. `policy`: vertex_lit, reflected, plain.
    std::pair<std::vector<std::array<std::int64_t, 4>>, std::array<double, 2>> plan(
        const Instances& instances, const Doubles<nb::shape<24>>& camera, int width, int height,
        bool orthographic, std::array<bool, 3> policy, const std::optional<Bools>& mask) {
        begin(instances);
        expect(!mask || mask->size() == instances.count(),
               "mask: expected a row for each instance");
        Plan& plan = canvases_[0].plan;
        make_plan(meshes_, instances, placed_, camera_of(camera, width, height, orthographic),
                  {policy[0], policy[1], policy[2]},
                  mask ? reinterpret_cast<const std::uint8_t*>(mask->data()) : nullptr, plan);
        std::vector<std::array<std::int64_t, 4>> drawn;
        for (const auto* each : {&plan.opaque, &plan.transparent})
            for (const Drawn& d : *each)
                drawn.push_back({d.instance, 3 * std::int64_t(d.first),
                                 d.boxed ? 0 : 3 * std::int64_t(d.count), d.boxed});
        return {std::move(drawn), {plan.first, plan.last}};
    }

    // Draws one face of a shadow map into the atlas at (left, low), rows counting upwards.
    void draw_shadow(const Instances& instances, const Doubles<nb::shape<24>>& camera, int width,
                     int height, bool orthographic, const Bools& mask,
                     const Array<float, nb::ndim<2>>& atlas, int left, int low, int level) {
        begin(instances);
        expect(mask.size() == instances.count(), "mask: expected a row for each instance");
        const Camera seen = camera_of(camera, width, height, orthographic);
        expect(left >= 0 && low >= 0 && std::size_t(left + width) <= atlas.shape(1) &&
                   std::size_t(low + height) < atlas.shape(0) && atlas.shape(1) >= PADDING,
               "atlas: expected room for the map, and a row more");
        SignalCheck signals;
        {
            const nb::gil_scoped_release released;
            make_plan(meshes_, instances, placed_, seen, {false, false, true},
                      reinterpret_cast<const std::uint8_t*>(mask.data()), canvases_[0].plan);
            const int stride = int(atlas.shape(1));
            float* corner = atlas.data() + std::ptrdiff_t(low) * stride + left;
            ShadowJob job{meshes_, instances, paints_, seen, canvases_[0].plan, shadow_workspace_,
                          corner, stride, {SignalCheck::ask, &signals}};
            kernels_of(level).draw_shadow(job);
        }
        if (signals.raised) throw nb::python_error();
    }

private:
    // One call draws at a time, and where the process was forked as another thread drew, locks may
    // be left as that had them.
    void begin(const Instances& instances) {
        check(instances);
        meshes_.renew_lock();
        backdrops_.renew_lock();
    }

    // What instances name must be there.
    void check(const Instances& instances) const {
        expect(placed_.pose.size() == instances.count(),
               "draw: expected instances that were placed");
        for (std::size_t i = 0; i < instances.count(); ++i) {
            const std::int32_t texture = instances.kind[i].texture;
            expect(texture < std::int32_t(paints_.size()), "texture: expected one that is there");
            expect(texture < 0 || paints_[std::size_t(texture)] != nullptr || !placed_.show[i],
                   "texture: it was removed");
        }
    }

    const Texture* sky_of(const Shot& shot) const {
        if (shot.sky() < 0) return nullptr;
        const bool there = std::size_t(shot.sky()) < paints_.size();
        const Paint* paint = there ? paints_[std::size_t(shot.sky())] : nullptr;
        expect(paint != nullptr && paint->image.kind == TextureKind::cube,
               "sky: expected a cube map that is there");
        return &paint->image;
    }

    bool paint(const Instances& instances, const Shot& shot, Canvas& canvas, int level,
               const Interrupt& interrupt) {
        View view = shot.view();
        view.sky = sky_of(shot);
        view.albedo = {albedo_.data(), albedo_size_[0], albedo_size_[1]};
        view.lobes = {lobes_.data(), lobes_size_[0], lobes_size_[1]};
        make_plan(meshes_, instances, placed_, view.camera,
                  {view.vertex_lit, view.reflected, false}, shot.mask(instances.count()),
                  canvas.plan);
        const auto run = [&](const Picture& picture) {
            Job job{meshes_, instances, paints_, view, picture, canvas, backdrops_, interrupt};
            return kernels_of(level).draw(job);
        };
        const Picture& whole = shot.picture();
        if (view.samples == 1) return run(whole);
        // Colours have several samples, all else is seen at the middles of pixels.
        if ((whole.rgb || whole.alpha) &&
            !run({whole.rgb, whole.alpha, nullptr, nullptr, nullptr, nullptr}))
            return false;
        view.samples = 1;
        if (!whole.depth && !whole.distance && !whole.normals && !whole.ids) return true;
        return run({nullptr, nullptr, whole.depth, whole.distance, whole.normals, whole.ids});
    }

    Meshes meshes_;
    std::vector<const Paint*> paints_;
    Placed placed_;
    std::vector<Canvas> canvases_;  // one for each picture that is drawn at the same time
    Workspace shadow_workspace_;
    Backdrops backdrops_;
    std::vector<float> albedo_, lobes_;
    int albedo_size_[2] = {}, lobes_size_[2] = {};
};

}  // namespace

void add_raster(nb::module_& module) {
    nb::class_<Paint>(module, "Paint")
        .def("__init__", &make_paint, "pixels"_a, "cube"_a, "linear"_a, "wrap_u"_a, "wrap_v"_a,
             "nearest"_a)
        .def("set_layer", &set_layer, "use"_a, "pixels"_a, "linear"_a, "wrap_u"_a, "wrap_v"_a,
             "nearest"_a)
        .def("set_maps", &set_maps, "maps"_a, "strengths"_a);
    nb::class_<RadianceTables>(module, "RadianceTables")
        .def(nb::init<const Floats<nb::shape<-1, -1, -1, 3>>&,
                      const Floats<nb::shape<-1, -1, 3>>&>(),
             "levels"_a, "seen"_a);
    nb::class_<Instances>(module, "Instances")
        .def("__init__", &make_instances, "geometry"_a, "commands"_a, "keys"_a, "order"_a,
             "records"_a, "pixel"_a, "distance"_a, "flags"_a, "scales"_a);
    nb::class_<Shot>(module, "Shot")
        .def(nb::init<const Doubles<nb::shape<24>>&,
                      const Array<const std::int32_t, nb::shape<FLAGS>>&,
                      const Floats<nb::shape<FRAME_NUMBERS>>&,
                      const Array<const std::int32_t, nb::ndim<1>>&, const Floats<nb::shape<3>>&,
                      const RadianceTables*, std::optional<Floats<nb::ndim<2>>>, const Shot*,
                      std::optional<Bools>, Out<std::uint8_t>, Out<std::uint8_t>, Out<float>,
                      Out<float>, Out<float>, Out<std::int32_t>>(),
             "camera"_a, "flags"_a, "block"_a, "kinds"_a, "background"_a, "radiance"_a.none(),
             "atlas"_a.none(), "mirror"_a.none(), "mask"_a.none(), "rgb"_a.noconvert().none(),
             "alpha"_a.noconvert().none(), "depth"_a.noconvert().none(),
             "distance"_a.noconvert().none(), "normals"_a.noconvert().none(),
             "ids"_a.noconvert().none(), nb::keep_alive<1, 7>(), nb::keep_alive<1, 9>());
    nb::class_<RasterScene>(module, "RasterScene")
        .def(nb::init<>())
        .def("trim", &RasterScene::trim, "vertices"_a, "indices"_a)
        .def_prop_ro("nbytes", &RasterScene::nbytes)
        .def("put", &RasterScene::put, "stream"_a, "first"_a, "rows"_a)
        .def("put_triangles", &RasterScene::put_triangles, "first"_a, "indices"_a)
        .def("set_paint", &RasterScene::set_paint, "handle"_a, "paint"_a.none())
        .def("set_tables", &RasterScene::set_tables, "albedo"_a, "lobes"_a)
        .def("place", &RasterScene::place, "instances"_a, "pose"_a, "visible"_a, "length"_a.none(),
             "box"_a, "radius"_a)
        .def("draw", &RasterScene::draw, "instances"_a, "shots"_a, "threads"_a, "level"_a)
        .def("plan", &RasterScene::plan, "instances"_a, "camera"_a, "width"_a, "height"_a,
             "orthographic"_a, "policy"_a, "mask"_a.none())
        .def("draw_shadow", &RasterScene::draw_shadow, "instances"_a, "camera"_a, "width"_a,
             "height"_a, "orthographic"_a, "mask"_a, "atlas"_a.noconvert(), "left"_a, "low"_a,
             "level"_a);
}

}  // namespace heliograph
