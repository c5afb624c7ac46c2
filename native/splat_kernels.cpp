// This work is based on: Kerbl, Kopanas, Leimkuehler, Drettakis. 3D Gaussian Splatting for
// Real-Time Radiance Field Rendering. 2023; Zwicker, Pfister, van Baar, Gross. EWA Splatting. 2002.
//
// Nothing here may instantiate a template or an inline function that another file has as well: the
// linker would keep one of both, maybe that with instructions the machine does not know.
#include "splat_kernels.hpp"

#include "simd.hpp"

namespace heliograph {
namespace {

constexpr float LOG2_E = 1.44269504f;

struct Vector8 {
    Float8 x, y, z;
};

HELIOGRAPH_INLINE Float8 dot(const Vector8& a, const Vector8& b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

HELIOGRAPH_INLINE Vector8 row(const SplatCamera& camera, int i) {
    return {all(camera.rotation[i][0]), all(camera.rotation[i][1]), all(camera.rotation[i][2])};
}

HELIOGRAPH_INLINE Vector8 combined(Float8 a, const Vector8& u, Float8 b, const Vector8& v) {
    return {a * u.x + b * v.x, a * u.y + b * v.y, a * u.z + b * v.z};
}

HELIOGRAPH_INLINE Vector8 cross(const Vector8& a, const Vector8& b) {
    return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

// How far each of the gaussians' axes reaches along v.
HELIOGRAPH_INLINE Vector8 along_axes(const GaussianBlock& block, const Vector8& v) {
    const auto reach = [&](int axis) __attribute__((always_inline)) {
        const Vector8 a = {load(block.axes[axis][0]), load(block.axes[axis][1]),
                           load(block.axes[axis][2])};
        return dot(a, v);
    };
    return {reach(0), reach(1), reach(2)};
}

// Real spherical harmonics of a unit direction, in the order and with the signs of 3DGS files.
HELIOGRAPH_INLINE void harmonics_of(const Vector8& d, int count, Float8* basis) {
    const Float8 x = d.x, y = d.y, z = d.z;
    basis[0] = all(0.28209479f);
    if (count < 4) return;
    basis[1] = -0.48860251f * y;
    basis[2] = 0.48860251f * z;
    basis[3] = -0.48860251f * x;
    if (count < 9) return;
    const Float8 xx = x * x, yy = y * y, zz = z * z;
    basis[4] = 1.09254843f * (x * y);
    basis[5] = -1.09254843f * (y * z);
    basis[6] = 0.31539157f * (2.0f * zz - xx - yy);
    basis[7] = -1.09254843f * (x * z);
    basis[8] = 0.54627422f * (xx - yy);
    if (count < 16) return;
    basis[9] = -0.59004359f * y * (3.0f * xx - yy);
    basis[10] = 2.89061144f * x * y * z;
    basis[11] = -0.45704580f * y * (4.0f * zz - xx - yy);
    basis[12] = 0.37317633f * z * (2.0f * zz - 3.0f * xx - 3.0f * yy);
    basis[13] = -0.45704580f * x * (4.0f * zz - xx - yy);
    basis[14] = 1.44530572f * z * (xx - yy);
    basis[15] = -0.59004359f * x * (xx - 3.0f * yy);
}

HELIOGRAPH_INLINE Vector8 colours(const float* harmonics, int count, const Vector8& direction) {
    Float8 basis[16];
    harmonics_of(direction, count, basis);
    Vector8 colour = {all(0.5f), all(0.5f), all(0.5f)};
    for (int k = 0; k < count; ++k, harmonics += 3 * LANES) {
        colour.x += basis[k] * load(harmonics);
        colour.y += basis[k] * load(harmonics + LANES);
        colour.z += basis[k] * load(harmonics + 2 * LANES);
    }
    const Float8 none = all(0.0f);
    return {larger(colour.x, none), larger(colour.y, none), larger(colour.z, none)};
}

// The first and the last pixel whose centre is at most `extent` from `at`, within 0 to `size` - 1.
HELIOGRAPH_INLINE Int8 pixel_range(Float8 at, Float8 extent, int size, Int8& first, Int8& last) {
    const Float8 magic = all(12582912.0f), end = all(float(size - 1));
    // Rounding the edges themselves is ceil(edge - 0.5) and floor(edge - 0.5), a tie aside.
    const Float8 low = larger(at - extent, all(0.0f)), high = smaller(at + extent - 1.0f, end);
    const Int8 inside =
        (at + extent > all(0.0f)) & (at - extent < all(float(size))) & (low <= high + 1.0f);
    const Float8 from = smaller(low, end), to = larger(high, all(0.0f));
    first = (Int8)(from + magic) - (Int8)magic;
    last = (Int8)(to + magic) - (Int8)magic;
    return inside & (first <= last);
}

int project(const GaussianBlock& block, const float* harmonics, int count,
            const SplatCamera& camera, const std::uint32_t* gaussians, Splat* splats) {
    const Vector8 right = row(camera, 0), down = row(camera, 1), ahead = row(camera, 2);
    const Vector8 offset = {load(block.mean[0]) - camera.eye[0] - camera.eye_rest[0],
                            load(block.mean[1]) - camera.eye[1] - camera.eye_rest[1],
                            load(block.mean[2]) - camera.eye[2] - camera.eye_rest[2]};
    const Float8 depth = dot(ahead, offset);
    const Float8 log2_opacity = load(block.log2_opacity);
    Int8 seen = (depth > all(camera.near_)) & (depth < all(camera.far_)) &
                (log2_opacity > all(LOG2_FAINTEST));
    if (!any(seen)) return 0;

    // The projection, made linear at the gaussian's mean: pixels = (u, v) . offset from the mean.
    const Float8 scale = camera.orthographic ? all(1.0f) : 1.0f / depth;
    const Float8 x = dot(right, offset) * scale, y = dot(down, offset) * scale;
    const Float8 px = camera.fx * x + camera.cx, py = camera.fy * y + camera.cy;
    const Float8 bent = camera.orthographic ? all(0.0f) : all(-1.0f);
    const Float8 sx = smaller(larger(x, all(camera.slope_low[0])), all(camera.slope_high[0]));
    const Float8 sy = smaller(larger(y, all(camera.slope_low[1])), all(camera.slope_high[1]));
    const Vector8 u = combined(camera.fx * scale, right, bent * camera.fx * scale * sx, ahead);
    const Vector8 v = combined(camera.fy * scale, down, bent * camera.fy * scale * sy, ahead);

    // Its covariance in pixels and depth: products of these.
    const Vector8 u_axes = along_axes(block, u), v_axes = along_axes(block, v);
    const Vector8 t_axes = along_axes(block, ahead);
    const Float8 uu = dot(u_axes, u_axes) + LOW_PASS, vv = dot(v_axes, v_axes) + LOW_PASS;

    const Float8 squared = (log2_opacity - LOG2_FAINTEST) * (2.0f / LOG2_E);  // distance, in sigmas
    Int8 first_column, last_column, first_row, last_row;
    seen &= pixel_range(px, root(squared * uu), camera.width, first_column, last_column);
    seen &= pixel_range(py, root(squared * vv), camera.height, first_row, last_row);
    if (!any(seen)) return 0;

    // The inverse of its covariance in pixels, and of it times the covariance with depth. What
    // would be a small difference of large numbers where a footprint is long and thin is written
    // as products of cross products: (a.c)(b.d) - (a.d)(b.c) = (a x b).(c x d).
    const Vector8 uxv = cross(u_axes, v_axes);
    const Float8 ut = dot(u_axes, t_axes), vt = dot(v_axes, t_axes);
    const Float8 over = 1.0f / (dot(uxv, uxv) + LOW_PASS * (uu + vv - LOW_PASS));
    // Its surface is not flattened by the low pass, but by just enough to have a slope on edge.
    const Float8 spread = uu + vv - 2 * LOW_PASS + LEAST_SPREAD;
    const Float8 steep = 1.0f / (dot(uxv, uxv) + LEAST_SPREAD * spread);
    const Float8 depth_x = (LEAST_SPREAD * ut - dot(uxv, cross(v_axes, t_axes))) * steep;
    const Float8 depth_y = (LEAST_SPREAD * vt + dot(uxv, cross(u_axes, t_axes))) * steep;
    const Float8 xx = vv * over * (-0.5f * LOG2_E), yy = uu * over * (-0.5f * LOG2_E);
    const Float8 xy = dot(u_axes, v_axes) * over * LOG2_E;

    Vector8 direction = ahead;
    if (!camera.orthographic) {
        const Float8 shorter = 1.0f / root(dot(offset, offset));
        direction = {offset.x * shorter, offset.y * shorter, offset.z * shorter};
    }
    const Vector8 colour = colours(harmonics, count, direction);

    Splat* next = splats;
    for (int left = bits(seen); left; left &= left - 1) {
        const int i = __builtin_ctz(left);
        *next++ = {px[i], py[i], xx[i], xy[i], yy[i], log2_opacity[i],
                   colour.x[i], colour.y[i], colour.z[i],
                   depth[i], depth_x[i], depth_y[i],
                   std::int16_t(first_row[i]), std::int16_t(last_row[i]),
                   std::int16_t(first_column[i]), std::int16_t(last_column[i]), gaussians[i],
                   camera.orthographic ? 0.0f : scale[i]};
    }
    return int(next - splats);
}

template <bool with_depth, bool with_behind>
HELIOGRAPH_INLINE void blend_one(const Splat& splat, int column, int row, Tile& tile) {
    const Float8 centres = {0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f, 7.5f};
    const Float8 dx = centres + (float(column) - splat.x);
    const Float8 across = dx * dx * splat.xx + splat.log2_opacity;
    const Float8 depth_across = dx * splat.depth_x;
    const int from = splat.first_row > row ? splat.first_row - row : 0;
    const int to = splat.last_row - row < TILE - 1 ? splat.last_row - row : TILE - 1;
    for (int y = from; y <= to; ++y) {
        const float dy = float(row + y) + 0.5f - splat.y;
        const Float8 log2_alpha = across + dx * (splat.xy * dy) + splat.yy * dy * dy;
        Int8 counts = log2_alpha >= all(LOG2_FAINTEST);
        if (!any(counts)) continue;
        const int at = y * TILE;
        const Float8 slope = depth_across + splat.depth_y * dy;
        const Float8 part = smaller(larger(slope * splat.per_depth, all(-1.0f)), all(0.5f));
        const Float8 depth = splat.depth + slope / (1.0f - part);
        if (with_behind) counts &= depth <= load(tile.behind + at);
        const Float8 raised = larger(log2_alpha, all(LOG2_FAINTEST));
        const Float8 alpha = smaller(power_of_two(raised), all(MOST_OPAQUE));
        const Float8 light = load(tile.light + at);
        const Float8 weight = (Float8)((Int8)(alpha * light) & counts);
        const Float8 rest = light - weight;
        store(tile.light + at, rest);
        store(tile.red + at, load(tile.red + at) + weight * splat.red);
        store(tile.green + at, load(tile.green + at) + weight * splat.green);
        store(tile.blue + at, load(tile.blue + at) + weight * splat.blue);
        if (!with_depth) continue;
        store(tile.depth + at, load(tile.depth + at) + weight * depth);
        const Int8 half = (light > all(0.5f)) & (rest <= all(0.5f));
        if (!any(half)) continue;
        store(tile.median_depth + at, select(half, depth, load(tile.median_depth + at)));
        for (int i = 0; i < LANES; ++i)
            if (half[i]) tile.gaussian[at + i] = std::int32_t(splat.gaussian);
    }
}

bool is_saturated(const Tile& tile) {
    Float8 most = load(tile.light);
    for (int at = TILE; at < TILE * TILE; at += TILE) most = larger(most, load(tile.light + at));
    return !any(most >= all(SATURATED));
}

template <bool with_depth, bool with_behind>
void blend_all(const Splat* splats, const std::uint32_t* numbers, std::size_t count, int column,
               int row, Tile& tile) {
    constexpr std::size_t ahead = 6;  // splats lie anywhere in memory
    for (std::size_t k = 0; k < count; ++k) {
        if (k + ahead < count) __builtin_prefetch(splats + numbers[k + ahead]);
        blend_one<with_depth, with_behind>(splats[numbers[k]], column, row, tile);
        if (k % 8 == 7 && is_saturated(tile)) break;
    }
    tile.saturated = is_saturated(tile);
}

void blend(const Splat* splats, const std::uint32_t* numbers, std::size_t count, int column,
           int row, bool with_depth, bool with_behind, Tile& tile) {
    const auto chosen = with_behind  ? blend_all<true, true>
                        : with_depth ? blend_all<true, false>
                                     : blend_all<false, false>;
    chosen(splats, numbers, count, column, row, tile);
}

}  // namespace

#if defined(HELIOGRAPH_BUILD_AVX2)
const SplatKernels avx2_splat_kernels = {project, blend};
#else
const SplatKernels portable_splat_kernels = {project, blend};
#endif

}  // namespace heliograph
