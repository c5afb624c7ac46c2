// The Python module heliograph._native: plain arrays in, plain arrays out.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <atomic>
#include <cmath>
#include <optional>

#include <nanobind/stl/optional.h>

#include "raster/module.hpp"
#include "processor.hpp"
#include "splats.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename Number, typename... Shape>
using Array = nb::ndarray<Number, Shape..., nb::c_contig, nb::device::cpu>;
using Floats = std::optional<Array<float, nb::ndim<2>>>;

struct CancelFlag {
    std::atomic<bool> cancelled = false;
};

// What Python hands over: [world to OpenCV camera rotation (9), eye (3), fx, fy, cx, cy, near,
// far].
heliograph::SplatCamera read_camera(const double* numbers, int width, int height,
                                    bool orthographic) {
    heliograph::SplatCamera camera{};
    for (int i = 0; i < 9; ++i) camera.rotation[i / 3][i % 3] = float(numbers[i]);
    for (int i = 0; i < 3; ++i) {
        camera.eye[i] = float(numbers[9 + i]);
        camera.eye_rest[i] = float(numbers[9 + i] - camera.eye[i]);
    }
    const double fx = numbers[12], fy = numbers[13], cx = numbers[14], cy = numbers[15];
    camera.fx = float(fx), camera.fy = float(fy), camera.cx = float(cx), camera.cy = float(cy);
    camera.near_ = float(numbers[16]), camera.far_ = float(numbers[17]);
    // Splats farther outside the picture are stretched as those at 15 % of its size outside.
    camera.slope_low[0] = float((-0.15 * width - cx) / fx);
    camera.slope_high[0] = float((1.15 * width - cx) / fx);
    camera.slope_low[1] = float((-0.15 * height - cy) / fy);
    camera.slope_high[1] = float((1.15 * height - cy) / fy);
    camera.width = width, camera.height = height;
    camera.orthographic = orthographic;
    return camera;
}

float* data(const Floats& array) { return array ? array->data() : nullptr; }

void draw(const heliograph::SplatScene& scene, const Array<const double, nb::shape<18>>& camera,
          int width, int height, bool orthographic,
          const std::optional<Array<float, nb::shape<-1, -1, 3>>>& colour, const Floats& alpha,
          const Floats& depth, const Floats& median_depth,
          const std::optional<Array<std::int32_t, nb::ndim<2>>>& index,
          const std::optional<Array<const float, nb::ndim<2>>>& behind, const CancelFlag& cancel,
          int threads, int level) {
    heliograph::SplatPicture picture;
    picture.colour = colour ? colour->data() : nullptr;
    picture.alpha = data(alpha);
    picture.depth = data(depth);
    picture.median_depth = data(median_depth);
    picture.gaussian = index ? index->data() : nullptr;
    picture.behind = behind ? behind->data() : nullptr;
    const auto seen = read_camera(camera.data(), width, height, orthographic);
    const nb::gil_scoped_release released;
    scene.draw(seen, picture, {threads, level}, cancel.cancelled);
}

void make_scene(heliograph::SplatScene* self, const Array<const float, nb::shape<-1, 3>>& positions,
                const Array<const float, nb::shape<-1, 3>>& scales,
                const Array<const float, nb::shape<-1, 4>>& rotations,
                const Array<const float, nb::ndim<1>>& opacities,
                const Array<const float, nb::shape<-1, -1, 3>>& sh) {
    const nb::gil_scoped_release released;
    new (self) heliograph::SplatScene(positions.shape(0), int(sh.shape(1)), positions.data(),
                                      scales.data(), rotations.data(), opacities.data(), sh.data());
}

}  // namespace

NB_MODULE(_native, module) {
    nb::set_leak_warnings(false);  // of what lives when Python ends, it would tell its users
    heliograph::add_raster(module);
    module.def("has_avx2", &heliograph::has_avx2);
    nb::class_<CancelFlag>(module, "CancelFlag")
        .def(nb::init<>())
        .def("set", [](CancelFlag& flag) { flag.cancelled = true; });
    nb::class_<heliograph::SplatScene>(module, "SplatScene")
        .def("__init__", &make_scene, "positions"_a, "scales"_a, "rotations"_a, "opacities"_a,
             "sh"_a)
        .def("__len__", &heliograph::SplatScene::count)
        .def_prop_ro("nbytes", &heliograph::SplatScene::bytes)
        .def("draw", &draw, nb::kw_only(), "camera"_a, "width"_a, "height"_a, "orthographic"_a,
             "colour"_a.none(), "alpha"_a.none(), "depth"_a.none(), "median_depth"_a.none(),
             "index"_a.none(), "behind"_a.none(), "cancel"_a, "threads"_a, "level"_a = 2);
}
