// Built several times: for all processors of a kind, for those with AVX2 (HELIOGRAPH_BUILD_AVX2) or
// AVX-512 (HELIOGRAPH_BUILD_AVX512), and without intrinsics (HELIOGRAPH_PLAIN). All give the same
// bits.
#include "kernels.hpp"

#include <atomic>
#include <exception>
#include <thread>

#include "picture.hpp"
#include "shadow_map.hpp"

namespace heliograph {
namespace {

constexpr std::size_t MOST_BACKDROPS = 8;
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
// It is made where the same one is asked for a second time.
const Backdrop* backdrop_for(const Scene& scene, std::vector<Backdrop>& kept) {
    const View& view = scene.view;
    const int width = view.camera.width, height = view.camera.height;
    if (std::int64_t(width) * height > MOST_AT_ONCE) return nullptr;
    if (scene.picture.rgb == nullptr || (view.sky == nullptr && !view.radiance_shown))
        return nullptr;
    std::vector<float> key = backdrop_key(view);
    std::uint64_t latest = 0;
    for (const Backdrop& each : kept) latest = std::max(latest, each.used);
    const auto same = [&](const Backdrop& each) {
        return each.key.size() == key.size() &&
               __builtin_memcmp(each.key.data(), key.data(), key.size() * sizeof(float)) == 0;
    };
    auto found = std::find_if(kept.begin(), kept.end(), same);
    if (found == kept.end()) {
        if (kept.size() < MOST_BACKDROPS) kept.emplace_back();
        found =
            std::min_element(kept.begin(), kept.end(),
                             [](const Backdrop& a, const Backdrop& b) { return a.used < b.used; });
        found->key = std::move(key), found->whole = false, found->used = latest + 1;
        return nullptr;
    }
    found->used = latest + 1;
    if (!found->whole) {
        found->stride = std::size_t(width + 7) & ~std::size_t(7);
        found->colours.resize(std::size_t(height) * found->stride);
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; x += 8)
                store(found->colours.data() + std::size_t(y) * found->stride + std::size_t(x),
                      Painter::background(
                          scene, Rays(*scene.frame.block, x, y, view.camera.orthographic)));
        found->bytes.resize(found->colours.size() * 3);
        for (std::size_t i = 0; i < found->bytes.size(); ++i)
            found->bytes[i] = std::uint8_t(std::uint32_t(found->colours[i / 3]) >> 8 * (i % 3));
        found->whole = true;
    }
    return &*found;
}

// Light at vertices of what covers many more pixels than it has vertices; of others as it is needed:
// most of them are on the other side, behind other things or beside the picture.
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
    const Frame frame = frame_of(view);
    const Scene scene{job.meshes, job.instances, job.paints, view,
                      job.picture, frame, job.plan, lens_of(view.camera, job.plan)};
    for (Drawn& drawn : job.plan.opaque) drawn.simple = scene.simple(drawn);
    if (view.vertex_lit && scene.coloured()) light_vertices_of(scene, job.plan, job.light);
    const Backdrop* backdrop = backdrop_for(scene, job.backdrops);
    const int height = view.camera.height;
    const int threads = std::clamp(int(job.workspaces.size()), 1, height);
    const std::int64_t in_a_row = std::int64_t(view.camera.width) * view.samples;
    const int rows = int(std::max<std::int64_t>(MOST_AT_ONCE / in_a_row, 1));
    const auto paint = [&](int i, const Interrupt& interrupt) {
        const int end = int(std::int64_t(height) * (i + 1) / threads);
        for (int row = int(std::int64_t(height) * i / threads); row < end; row += rows) {
            const Band band{row, std::min(row + rows, end)};
            Workspace& work = job.workspaces[std::size_t(i)];
            if (!Painter(scene, job.light, work, backdrop, band, interrupt).paint()) return false;
        }
        return true;
    };
    std::atomic<bool> stopped = false;
    const Interrupt with_the_first{
        [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load(); }, &stopped};
    std::vector<std::thread> others;
    std::vector<std::exception_ptr> failures(std::size_t(threads), nullptr);
    const auto kept = [&](int i, const Interrupt& interrupt) {
        try {
            return paint(i, interrupt);
        } catch (...) {
            failures[std::size_t(i)] = std::current_exception();
            stopped = true;
            return false;
        }
    };
    int begun = 1;
    try {
        others.reserve(std::size_t(threads));
        for (; begun < threads; ++begun) others.emplace_back([&, begun] { kept(begun, with_the_first); });
    } catch (const std::exception&) {
        // The system gives no more threads: this one draws what is left.
    }
    bool done = kept(0, job.interrupt);
    for (int i = begun; i < threads && done; ++i) done = kept(i, job.interrupt);
    if (!done) stopped = true;
    for (std::thread& each : others) each.join();
    for (const std::exception_ptr& each : failures)
        if (each) std::rethrow_exception(each);
    return done;
}

}  // namespace

#if defined(HELIOGRAPH_PLAIN)
const RasterKernels plain_raster_kernels = {draw, draw_shadow};
#elif defined(HELIOGRAPH_BUILD_AVX512)
const RasterKernels avx512_raster_kernels = {draw, draw_shadow};
#elif defined(HELIOGRAPH_BUILD_AVX2)
const RasterKernels avx2_raster_kernels = {draw, draw_shadow};
#else
const RasterKernels portable_raster_kernels = {draw, draw_shadow};
#endif

}  // namespace heliograph
