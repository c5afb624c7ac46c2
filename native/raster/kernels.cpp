// Built several times: for all processors of a kind, for those with AVX2 (HELIOGRAPH_BUILD_AVX2),
// and without intrinsics (HELIOGRAPH_PLAIN). All give the same bits.
#include "kernels.hpp"

#include "picture.hpp"
#include "shadow_map.hpp"

namespace heliograph {
namespace {

// Samples; of larger pictures bands are drawn in turn.
constexpr std::int64_t MOST_AT_ONCE = 1 << 22;

Frame frame_of(const View& view) {
    Frame frame{};
    frame.block = reinterpret_cast<const FrameBlock*>(view.block);
    frame.kinds = view.kinds;
    frame.tone_mapping = ToneMapping(view.tone_mapping);
    frame.atlas = view.atlas, frame.albedo = view.albedo, frame.lobes = view.lobes;
    if (view.radiance != nullptr) {
        frame.radiance = view.radiance->levels, frame.seen = view.radiance->seen;
    }
    return frame;
}

// All that what is behind everything depends on.
std::vector<float> backdrop_key(const View& view) {
    const float* block = view.block;
    std::vector<float> key(block + 16, block + 52);
    key.insert(key.end(), block + 116, block + 118);
    const auto add = [&](auto number) {
        float parts[2] = {};
        __builtin_memcpy(parts, &number, sizeof number);
        key.push_back(parts[0]), key.push_back(parts[1]);
    };
    add(view.sky), add(view.radiance == nullptr ? 0 : view.radiance->number);
    add(std::int64_t(view.camera.width) << 32 | view.camera.height);
    add(view.radiance_shown * 2 + view.haze), add(view.tone_mapping);
    return key;
}

// The kept picture of what is behind everything, if it is worth one; null where pixels look it up.
std::shared_ptr<const Backdrop> backdrop_for(const Scene& scene, Backdrops& kept) {
    const View& view = scene.view;
    const int width = view.camera.width, height = view.camera.height;
    if (std::int64_t(width) * height > MOST_AT_ONCE) return nullptr;
    if (scene.picture.rgb == nullptr || (view.sky == nullptr && !view.radiance_shown))
        return nullptr;
    return kept.find(backdrop_key(view), [&] {
        const std::size_t stride = std::size_t(width + 7) & ~std::size_t(7);
        std::vector<std::int32_t> colours(std::size_t(height) * stride);
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; x += 8)
                store(colours.data() + std::size_t(y) * stride + std::size_t(x),
                      background(scene,
                                 Rays(*scene.frame.block, x, y, view.camera.orthographic)));
        std::vector<std::uint8_t> bytes(colours.size() * 3);
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] = std::uint8_t(std::uint32_t(colours[i / 3]) >> 8 * (i % 3));
        return Backdrop{std::move(colours), std::move(bytes), stride};
    });
}

// Light at vertices of what covers many more pixels than it has vertices; of others as it is
// needed: most of them are on the other side, behind other things or beside the picture.
void light_vertices_of(const Scene& scene, Plan& plan, VertexLight& light) {
    std::size_t count = 0;
    light.lazy = 0;
    for (auto* list : {&plan.opaque, &plan.transparent})
        for (Drawn& drawn : *list) {
            if (!scene.vertex_lit(scene.kind(drawn), drawn)) continue;
            const std::int64_t area =
                std::int64_t(drawn.right - drawn.left + 1) * (drawn.bottom - drawn.top + 1);
            drawn.lit_whole = std::int64_t(drawn.vertices) * 16 < area;
            std::size_t& next = drawn.lit_whole ? count : light.lazy;
            drawn.light = next;
            next += (std::size_t(drawn.vertices) + 7) & ~std::size_t(7);
        }
    light.stride = count + PADDING;
    const std::size_t numbers = 3 + 3 * std::size_t(scene.frame.block->shadow_count);
    if (light.numbers.size() < numbers * light.stride) light.numbers.resize(numbers * light.stride);
    for (auto* list : {&plan.opaque, &plan.transparent})
        for (Drawn& drawn : *list)
            if (drawn.lit_whole) light_whole(scene, drawn, light);
}

bool draw(Job& job) {
    const View& view = job.view;
    Canvas& canvas = job.canvas;
    const Frame frame = frame_of(view);
    const Scene scene{job.meshes, job.instances, job.paints, view,
                      job.picture, frame, canvas.plan, lens_of(view.camera, canvas.plan)};
    for (Drawn& drawn : canvas.plan.opaque) drawn.simple = scene.simple(drawn);
    if (view.vertex_lit && scene.coloured()) light_vertices_of(scene, canvas.plan, canvas.light);
    const std::shared_ptr<const Backdrop> backdrop = backdrop_for(scene, job.backdrops);
    const int height = view.camera.height;
    const int parts = std::clamp(int(canvas.workspaces.size()), 1, height);
    const std::int64_t in_a_row = std::int64_t(view.camera.width) * view.samples;
    const int rows = int(std::max<std::int64_t>(MOST_AT_ONCE / in_a_row, 1));
    const Piece paint = [&](int part, int thread, const Interrupt& interrupt) {
        const int end = int(std::int64_t(height) * (part + 1) / parts);
        for (int row = int(std::int64_t(height) * part / parts); row < end; row += rows) {
            const Band band{row, std::min(row + rows, end)};
            Workspace& work = canvas.workspaces[std::size_t(thread)];
            if (!Painter(scene, canvas.light, work, backdrop.get(), band, interrupt).paint())
                return false;
        }
        return true;
    };
    return share(parts, parts, job.interrupt, paint);
}

}  // namespace

#if defined(HELIOGRAPH_PLAIN)
const RasterKernels plain_raster_kernels = {draw, draw_shadow};
#elif defined(HELIOGRAPH_BUILD_AVX2)
const RasterKernels avx2_raster_kernels = {draw, draw_shadow};
#else
const RasterKernels portable_raster_kernels = {draw, draw_shadow};
#endif

}  // namespace heliograph
