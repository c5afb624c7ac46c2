// Depth as a light sees it, in GL's numbers: 0 at the near plane, 1 at the far one, with the bias
// that keeps surfaces from shadowing themselves.
#pragma once

#include "picture.hpp"

namespace heliograph {
namespace {

struct ShadowSink {
    float* atlas;
    int stride, width, height;
    float start, by_nearness;  // depth = start + by_nearness * nearness
    float bias = 0;

    // How nearness grows from pixel to pixel of the next triangle.
    void slope(float dx, float dy) {
        const float steep = std::max(std::abs(dx), std::abs(dy)) * std::abs(by_nearness);
        bias = 2.0f * steep + 4.0f / 16777216.0f;
    }

    HELIOGRAPH_INLINE void operator()(int x, int y, Mask inside, Float8 z, std::uint32_t) const {
        const Mask m = inside & (lane_numbers() < all_int(width - x));
        const Float8 depth = clamp(start + z * by_nearness + bias, 0.0f, 1.0f);
        float* to = atlas + std::ptrdiff_t(y) * stride + x;
        const Float8 old = load(to);
        store(to, select(m & (depth < old), depth, old));
    }
};

static bool draw_shadow(ShadowJob& job) {
    const Camera& seen = job.camera;
    Camera camera = seen;  // whose rows count upwards
    camera.fy = -seen.fy, camera.cy = seen.height - seen.cy;
    job.plan.first = camera.near_, job.plan.last = camera.far_;
    const Lens lens = lens_of(camera, job.plan);
    const double range = camera.far_ - camera.near_;
    ShadowSink sink{job.atlas, job.stride, camera.width, camera.height,
                    camera.orthographic ? 2.0f : float(camera.far_ / range),
                    camera.orthographic ? -1.0f : float(-camera.far_ * camera.near_ / range)};
    FrameBlock block{};
    block.unproject[0] = float(1 / camera.fx), block.unproject[1] = float(-1 / camera.fy);
    block.unproject[2] = float(-camera.cx / camera.fx);
    block.unproject[3] = float(camera.cy / camera.fy);
    Frame frame{};
    frame.block = &block;
    View view{};
    view.camera = camera, view.samples = 1;
    const Picture nothing{};
    const Scene scene{job.meshes, job.instances, job.paints, view, nothing, frame, job.plan, lens};
    const VertexLight dark;
    Shader shader(scene, dark, job.workspace);
    for (const auto* list : {&job.plan.opaque, &job.plan.transparent})
        for (const Drawn& drawn : *list) {
            if (job.interrupt.asked()) return false;
            const Kind& kind = scene.kind(drawn);
            const Solver solver = kind.solver == Solver::capsule ? Solver::stretched : Solver::mesh;
            transform(job.meshes, drawn, solver, lens, job.workspace.vertices);
            const Band band{0, camera.height};
            const bool holes = kind.cutout && kind.own_uv && (kind.three_js || !kind.exact());
            const auto draw = [&](auto& into) {
                TriangleDrawer<std::remove_reference_t<decltype(into)>> drawer{
                    job.meshes, drawn, camera, lens, job.workspace.vertices, solver,
                    Side::both, false, 0, 0, band, into};
                drawer.draw();
            };
            if (holes) {
                Tested<ShadowSink> tested{scene, shader, drawn, 0, false, true, sink};
                draw(tested);
            } else {
                draw(sink);
            }
        }
    return true;
}

}  // namespace
}  // namespace heliograph
