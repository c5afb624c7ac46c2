// Which triangle, or which round thing, is seen at each pixel: transform, edges in fixed point with
// the top-left rule, and the nearest of all. Nearness is 1 / depth, of parallel cameras 1 at the
// farthest depth and 2 at the nearest: linear over the picture, larger is nearer.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "vec.hpp"
#include "workspace.hpp"

namespace heliograph {
namespace {

constexpr int SUBPIXELS = 256, HALF = SUBPIXELS / 2;
constexpr int SMALL = 30000;                     // subpixels: products of two fit into 31 bits
constexpr float FARTHEST_OUT = float(1 << 28);   // subpixels; vertices beyond it are clipped
constexpr double GUARD = double(1 << 19);        // pixels round the picture that clipping leaves

// Where samples are, subpixels from a pixel's middle, as GPUs have them.
constexpr int PLACES[MOST_SAMPLES][2] = {{-32, -96}, {96, -32}, {-96, 32}, {32, 96}};

struct Lens {
    float fx, fy, cx, cy, nearest;
    float scale, shift;  // nearness of parallel cameras = shift - scale * depth
    bool parallel;

    Float8 nearness(Float8 depth) const {
        return parallel ? all(shift) - depth * scale : 1.0f / depth;
    }
};

inline Lens lens_of(const Camera& camera, const Plan& plan) {
    Lens lens{};
    lens.fx = float(camera.fx), lens.fy = float(camera.fy);
    lens.cx = float(camera.cx), lens.cy = float(camera.cy);
    lens.nearest = float(camera.near_), lens.parallel = camera.orthographic;
    const double scale = 1 / (plan.last - plan.first);
    lens.scale = float(scale), lens.shift = float(1 + plan.last * scale);
    return lens;
}

inline float farthest_nearness(const Lens& lens, const Camera& camera) {
    return lens.parallel ? 1.0f : float(1 / camera.far_);
}

HELIOGRAPH_INLINE Rows rows_of(const float* from) {
    Rows rows;
    __builtin_memcpy(&rows, from, sizeof rows);
    return rows;
}

// Vertices in object axes; `of` gives eight numbers of a column. Triangles of round things are
// drawn wider, so that they contain them.
template <typename Column>
HELIOGRAPH_INLINE Vec3 object_vertex(const Meshes& meshes, Column of, Solver solver, float length) {
    Vec3 p{of(meshes.position[0]), of(meshes.position[1]), of(meshes.position[2])};
    if (solver == Solver::stretched) p.z += of(meshes.uv[0]) * length;
    if (is_round(solver)) {
        const Float8 wider = of(meshes.uv[1]);
        p.x *= wider, p.y *= wider;
        if (solver != Solver::tube) p.z *= wider;
        if (solver == Solver::capsule) p.z += of(meshes.uv[0]) * length;
    }
    return p;
}
// Eight vertices one after the other, from `at` on.
HELIOGRAPH_INLINE Vec3 object_vertex(const Meshes& meshes, std::size_t at, Solver solver,
                                     float length) {
    const auto of = [at](const std::vector<float>& column) { return load(&column[at]); };
    return object_vertex(meshes, of, solver, length);
}

// What is known of where a thing's triangles are, if it is their vertices' positions alone.
HELIOGRAPH_INLINE const Meshes::Joined* joined_of(const Drawn& drawn, Solver solver) {
    return solver == Solver::stretched || is_round(solver) ? nullptr : drawn.joined;
}

static void transform(const Meshes& meshes, const Drawn& drawn, Solver solver, const Lens& lens,
                      Vertices& out) {
    const Meshes::Joined* joined = joined_of(drawn, solver);
    const std::size_t count = std::size_t(joined ? joined->places : drawn.vertices);
    const std::size_t base = drawn.base;
    out.resize(count + PADDING);
    const Rows map = rows_of(drawn.from_object);
    const float fx = lens.fx * SUBPIXELS, fy = -lens.fy * SUBPIXELS;
    const float cx = lens.cx * SUBPIXELS, cy = lens.cy * SUBPIXELS;
    for (std::size_t i = 0; i < count; i += 8) {
        const std::vector<float>* column = joined ? joined->position : meshes.position;
        const Vec3 from =
            joined ? Vec3{load(&column[0][i]), load(&column[1][i]), load(&column[2][i])}
                   : object_vertex(meshes, base + i, solver, drawn.length);
        const Vec3 p = map.point(from);
        const Float8 depth = -p.z, over = lens.parallel ? all(1.0f) : 1.0f / depth;
        const Float8 x = clamp(p.x * over * fx + cx, -FARTHEST_OUT, FARTHEST_OUT);
        const Float8 y = clamp(p.y * over * fy + cy, -FARTHEST_OUT, FARTHEST_OUT);
        store_pairs(&out.xy[2 * i], rounded(x), rounded(y));
        store(&out.nearness[i], lens.parallel ? lens.nearness(depth) : over);
        if (drawn.clipped) store(&out.depth[i], depth);
    }
}

// Where a vertex is, camera axes: the numbers that `transform` has for it.
inline void find_place(const Meshes& meshes, const Drawn& drawn, Solver solver, std::int32_t vertex,
                       double* place) {
    const std::size_t at = drawn.base + std::size_t(vertex);
    const auto of = [at](const std::vector<float>& column) { return all(column[at]); };
    const Vec3 p = rows_of(drawn.from_object)
                       .point(object_vertex(meshes, of, solver, drawn.length));
    place[0] = p.x[0], place[1] = p.y[0], place[2] = p.z[0];
}

inline std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
    const std::int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;  // b > 0
}

// A corner of a triangle of any size, subpixels.
struct Corner {
    std::int64_t x, y;
    double nearness;
};

// One row of a sink's, of which it may know where it lies.
template <typename Sink>
struct RowOf {
    Sink& sink;
    int y;
    HELIOGRAPH_INLINE void operator()(int x, Mask inside, Float8 z, std::uint32_t number) const {
        sink(x, y, inside, z, number);
    }
};
template <typename Sink>
HELIOGRAPH_INLINE auto row_of(Sink& sink, int y) {
    if constexpr (requires { sink.row(y); }) {
        return sink.row(y);
    } else {
        return RowOf<Sink>{sink, y};
    }
}

// Which rows of pixels are drawn: [first, end).
struct Band {
    int first, end;
};

// Draws what is left of a triangle or polygon that is large, or was clipped: exact in 64 bits.
template <typename Sink>
static void fill_large(const Corner& a, Corner b, Corner c, int width, Band band,
                       std::uint32_t number, Sink& sink) {
    // Rows count downwards, so that corners in counter-clockwise order have a negative area.
    std::swap(b, c);
    const std::int64_t area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
    if (area <= 0) return;
    const std::int64_t low = std::min(a.y, std::min(b.y, c.y));
    const std::int64_t high = std::max(a.y, std::max(b.y, c.y));
    const std::int64_t first = std::max<std::int64_t>((low + HALF - 1) >> 8, band.first);
    const std::int64_t last = std::min<std::int64_t>((high - HALF) >> 8, band.end - 1);
    const double over = 1.0 / double(area);
    const double by_x = ((b.nearness - a.nearness) * double(c.y - a.y) -
                         (c.nearness - a.nearness) * double(b.y - a.y)) * over;
    const double by_y = ((c.nearness - a.nearness) * double(b.x - a.x) -
                         (b.nearness - a.nearness) * double(c.x - a.x)) * over;
    if constexpr (requires { sink.slope(0.0f, 0.0f); })
        sink.slope(float(by_x * SUBPIXELS), float(by_y * SUBPIXELS));
    const Corner* corners[4] = {&a, &b, &c, &a};
    for (std::int64_t row = first; row <= last; ++row) {
        const std::int64_t y = row * SUBPIXELS + HALF;
        std::int64_t start = 0, end = width - 1;
        for (int e = 0; e < 3; ++e) {
            const Corner &p = *corners[e], &q = *corners[e + 1];
            const std::int64_t dx = q.x - p.x, dy = q.y - p.y;
            const bool owned = dy < 0 || (dy == 0 && dx > 0);  // the top-left rule
            const std::int64_t k = dx * (y - p.y) - (owned ? 0 : 1);
            if (dy == 0) {
                if (k < 0) end = -1;
            } else if (dy > 0) {
                end = std::min(end, floor_divided(p.x + floor_divided(k, dy) - HALF, SUBPIXELS));
            } else {
                const std::int64_t x = p.x - floor_divided(k, -dy);
                start = std::max(start, floor_divided(x - HALF + SUBPIXELS - 1, SUBPIXELS));
            }
        }
        if (start > end) continue;
        // The same numbers wherever a row begins, so that bands and tiles change nothing.
        const double nearness = a.nearness + by_y * double(y - a.y) + by_x * double(HALF - a.x);
        const Float8 step = to_float(lane_numbers()) * float(by_x * SUBPIXELS);
        const auto pixels = row_of(sink, int(row));
        for (std::int64_t x = start & ~std::int64_t(7); x <= end; x += 8) {
            const Int8 columns = lane_numbers() + all_int(int(x));
            const Mask inside = (columns >= all_int(int(start))) & (columns <= all_int(int(end)));
            const Float8 z = all(float(nearness + by_x * double(x * SUBPIXELS))) + step;
            pixels(int(x), inside, z, number);
        }
    }
}

// A corner in camera axes while its triangle is clipped.
struct Clipped {
    double at[3];
    bool kept;      // it is a vertex, whose place on the picture is known
    Corner corner;
};

// Cuts a convex polygon where a + b . at is less than 0; its new number of corners.
inline int cut(Clipped* polygon, int count, const double* b, double a) {
    Clipped result[9];
    double side[9];
    int made = 0;
    for (int i = 0; i < count; ++i) {
        const double* p = polygon[i].at;
        side[i] = a + b[0] * p[0] + b[1] * p[1] + b[2] * p[2];
    }
    for (int i = 0; i < count; ++i) {
        const int j = (i + 1) % count;
        if (side[i] >= 0) result[made++] = polygon[i];
        if ((side[i] >= 0) == (side[j] >= 0)) continue;
        // From the inner end to the outer one, so that two triangles cut an edge at one point.
        const int in = side[i] >= 0 ? i : j, out = side[i] >= 0 ? j : i;
        const double part = side[in] / (side[in] - side[out]);
        Clipped& point = result[made++];
        point.kept = false;
        for (int k = 0; k < 3; ++k)
            point.at[k] = polygon[in].at[k] + (polygon[out].at[k] - polygon[in].at[k]) * part;
    }
    std::copy_n(result, made, polygon);
    return made;
}

// Which pixels eight triangles may cover, and which are too large for 32 bits.
struct Boxes {
    Int8 left, right, top, bottom;
    Mask large;

    Mask whole() const { return (left <= right) & (top <= bottom); }
};

// Eight small triangles that are ready to be drawn: edges in fixed point, negative outside.
struct alignas(32) Ready {
    std::int32_t left[8], right[8], top[8], bottom[8];
    std::int32_t edge[3][8];            // at the first pixel
    std::int32_t ahead[3][8], down[3][8];  // by how much they grow, a subpixel and a pixel further
    float nearness[8], by_1[8], by_2[8], slope_x[8], slope_y[8];
};

// Triangles are tested by eights; those few that may show are kept back until they are eight, too.
template <typename Sink>
struct TriangleDrawer {
    const Meshes& meshes;
    const Drawn& drawn;
    const Camera& camera;
    const Lens& lens;
    const Vertices& vertices;
    Solver solver;
    Side side;
    bool turned;     // whether fronts are clockwise
    int shift_x, shift_y;  // of the sample, subpixels
    Band band;
    Sink& sink;
    alignas(32) std::int32_t waiting[16] = {};
    int count = 0;  // of those that wait

    void draw() {
        for (std::uint32_t t = 0; t < drawn.count; t += 8) test_eight(t);
        if (count > 0) draw_waiting();
    }

private:
    const std::int32_t* corner(int k) const {
        const Meshes::Joined* joined = joined_of(drawn, solver);
        return joined ? joined->corner[k].data() : &meshes.corner[k][drawn.first];
    }

    HELIOGRAPH_INLINE void gather_corners(const std::int32_t* const* index, Int8* x,
                                          Int8* y) const {
        for (int k = 0; k < 3; ++k) {
            const Pairs at = gather_pairs<2>(vertices.xy.data(), index[k]);
            x[k] = at.first, y[k] = at.second;
        }
    }

    HELIOGRAPH_INLINE Boxes boxes_of(const Int8* x, const Int8* y) const {
        const Int8 low_x = least(x[0], least(x[1], x[2])), high_x = most(x[0], most(x[1], x[2]));
        const Int8 low_y = least(y[0], least(y[1], y[2])), high_y = most(y[0], most(y[1], y[2]));
        return {most((low_x + (HALF - 1 - shift_x)) >> 8, all_int(0)),
                least((high_x - (HALF + shift_x)) >> 8, all_int(camera.width - 1)),
                most((low_y + (HALF - 1 - shift_y)) >> 8, all_int(band.first)),
                least((high_y - (HALF + shift_y)) >> 8, all_int(band.end - 1)),
                most(high_x - low_x, high_y - low_y) > all_int(SMALL)};
    }

    // Twice the area of each, and which are turned round. Counter-clockwise is negative on the
    // picture; what faces away is turned round, or its area stays negative.
    HELIOGRAPH_INLINE Int8 area_of(const Int8* x, const Int8* y, Mask& turn) const {
        const Int8 area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
        turn = side == Side::both ? area >> 31 : all_int((side == Side::back) == turned ? -1 : 0);
        return (area ^ turn) - turn;
    }

    HELIOGRAPH_INLINE void test_eight(std::uint32_t t) {
        const std::int32_t* index[3] = {corner(0) + t, corner(1) + t, corner(2) + t};
        Mask valid = all_int(-1);
        alignas(32) std::int32_t last[3][8];
        if (drawn.count - t < 8) {  // behind the last one there are other meshes'
            valid = lane_numbers() < all_int(int(drawn.count - t));
            for (int k = 0; k < 3; ++k) store(last[k], load(index[k]) & valid), index[k] = last[k];
        }
        Int8 x[3], y[3];
        gather_corners(index, x, y);
        int slow = 0;
        if (drawn.clipped) {
            Mask before = all_int(0);
            for (int k = 0; k < 3; ++k) {
                before |= ~(gather(vertices.depth.data(), load(index[k])) >= lens.nearest);
            }
            slow = bits(before & valid);
        }
        const Boxes boxes = boxes_of(x, y);
        Mask turn;
        const Mask facing = area_of(x, y, turn) > 0;
        const Mask live = boxes.whole() & (facing | boxes.large) & valid;
        int alive = bits(live) & ~slow;
        if ((alive | slow) == 0) return;
        slow |= bits(boxes.large) & alive;
        const Int8 numbers = lane_numbers() + all_int(std::int32_t(t));
        if (slow != 0) {  // all in order, so that what is as near, or blended, is as GPUs have it
            alive &= ~slow;
            for (int rest = slow; rest != 0; rest &= rest - 1) {
                const int one = __builtin_ctz(unsigned(rest)), before = alive & ((1 << one) - 1);
                count += store_some(waiting + count, numbers, before);
                alive &= ~before;
                while (count > 0) draw_waiting();
                draw_large(t + std::uint32_t(one));
            }
        }
        count += store_some(waiting + count, numbers, alive);
        if (count >= 8) draw_waiting();
    }

    // Draws up to eight of those that wait.
    __attribute__((noinline)) void draw_waiting() {
        const Int8 t = load(waiting);
        Int8 index[3], x[3], y[3];
        alignas(32) std::int32_t corners[3][8];
        for (int k = 0; k < 3; ++k) {
            index[k] = gather(corner(k), t);
            store(corners[k], index[k]);
        }
        const std::int32_t* const from[3] = {corners[0], corners[1], corners[2]};
        gather_corners(from, x, y);
        const Boxes boxes = boxes_of(x, y);
        Mask turn;
        const Int8 area = area_of(x, y, turn);
        const auto turn_round = [turn](Int8* of) {
            const Int8 one = of[1];
            of[1] = select(turn, of[2], one), of[2] = select(turn, one, of[2]);
        };
        turn_round(index), turn_round(x), turn_round(y);
        const Int8 at_x = (boxes.left << 8) + (HALF + shift_x);
        const Int8 at_y = (boxes.top << 8) + (HALF + shift_y);
        Ready ready;
        Int8 edge[3], right[3], down[3];
        for (int e = 0; e < 3; ++e) {  // edge e is opposite to corner e
            const int p = (e + 1) % 3, q = (e + 2) % 3;
            const Int8 dx = x[q] - x[p], dy = y[q] - y[p];
            const Mask owned = (dy < 0) | ((dy == 0) & (dx > 0));  // the top-left rule
            edge[e] = dx * (at_y - y[p]) - dy * (at_x - x[p]) - 1 - owned;
            right[e] = -dy << 8, down[e] = dx << 8;
            store(ready.edge[e], edge[e]);
            store(ready.ahead[e], -dy);
            store(ready.down[e], down[e]);
        }
        Float8 z[3];
        for (int k = 0; k < 3; ++k) z[k] = gather(vertices.nearness.data(), index[k]);
        const Float8 over = 1.0f / to_float(area);
        const Float8 by_1 = (z[1] - z[0]) * over, by_2 = (z[2] - z[0]) * over;
        if constexpr (requires { sink.slope(0.0f, 0.0f); }) {
            const Float8 a = by_1 * float(SUBPIXELS), b = by_2 * float(SUBPIXELS);
            store(ready.slope_x, to_float(y[2] - y[0]) * a + to_float(y[0] - y[1]) * b);
            store(ready.slope_y, to_float(x[0] - x[2]) * a + to_float(x[1] - x[0]) * b);
        }
        store(ready.left, boxes.left), store(ready.right, boxes.right);
        store(ready.top, boxes.top), store(ready.bottom, boxes.bottom);
        store(ready.nearness, z[0]), store(ready.by_1, by_1), store(ready.by_2, by_2);
        int rest = count >= 8 ? 255 : (1 << count) - 1, tiny = 0;
        // Of those that cover no more than 2x2 pixels all is known at once.
        alignas(32) float values[4][8];
        int inside[4];
        if constexpr (requires { sink.pixel(0, 0, 0.0f, 0u); }) {
            const Int8 wide = boxes.right - boxes.left, high = boxes.bottom - boxes.top;
            tiny = bits((wide | high) < 2);
            int some = 0;
            for (int s = 0; s < 4; ++s) {
                Int8 e[3];
                for (int k = 0; k < 3; ++k)
                    e[k] = edge[k] + (s & 1 ? right[k] : all_int(0)) +
                           (s & 2 ? down[k] : all_int(0));
                const Mask there = ~(e[0] | e[1] | e[2]) & (s & 1 ? wide > 0 : all_int(-1)) &
                                   (s & 2 ? high > 0 : all_int(-1));
                inside[s] = bits(there);
                some |= inside[s];
                store(values[s], z[0] + to_float(e[1]) * by_1 + to_float(e[2]) * by_2);
            }
            rest &= some | ~tiny;
        }
        for (; rest != 0; rest &= rest - 1) {
            const int k = __builtin_ctz(unsigned(rest));
            const std::uint32_t number = drawn.number + std::uint32_t(waiting[k]);
            if constexpr (requires { sink.pixel(0, 0, 0.0f, 0u); }) {
                if (tiny >> k & 1) {
                    for (int s = 0; s < 4; ++s)
                        if (inside[s] >> k & 1)
                            sink.pixel(ready.left[k] + (s & 1), ready.top[k] + (s >> 1),
                                       values[s][k], number);
                    continue;
                }
            }
            draw_small(ready, k, number);
        }
        store(waiting, load(waiting + 8));
        count = std::max(count - 8, 0);
    }

    HELIOGRAPH_INLINE void draw_small(const Ready& ready, int k, std::uint32_t number) {
        // Branches that are hard to foresee take longer than what they would leave out.
        constexpr bool cheap = requires { sink.pixel(0, 0, 0.0f, 0u); };
        Int8 edge[3], step[3], down[3];
        for (int e = 0; e < 3; ++e) {
            const Int8 ahead = all_int(ready.ahead[e][k]);
            edge[e] =
                all_int(ready.edge[e][k]) + multiply_small(lane_numbers() * SUBPIXELS, ahead);
            step[e] = ahead << 11;  // eight pixels
            down[e] = all_int(ready.down[e][k]);
        }
        const Float8 nearness = all(ready.nearness[k]);
        const Float8 by_1 = all(ready.by_1[k]), by_2 = all(ready.by_2[k]);
        if constexpr (requires { sink.slope(0.0f, 0.0f); })
            sink.slope(ready.slope_x[k], ready.slope_y[k]);
        for (int row = ready.top[k]; row <= ready.bottom[k]; ++row) {
            Int8 e0 = edge[0], e1 = edge[1], e2 = edge[2];
            const auto pixels = row_of(sink, row);
            for (int column = ready.left[k];; column += 8) {
                const Int8 outside = e0 | e1 | e2;  // negative
                if (cheap || bits(outside) != 255)
                    pixels(column, ~outside >> 31,
                           nearness + to_float(e1) * by_1 + to_float(e2) * by_2, number);
                if (column + 8 > ready.right[k]) break;
                e0 += step[0], e1 += step[1], e2 += step[2];
            }
            for (int e = 0; e < 3; ++e) edge[e] += down[e];
        }
    }

    __attribute__((noinline)) void draw_large(std::uint32_t t) {
        const std::uint32_t number = drawn.number + t;
        Clipped polygon[9];
        bool far_out = false;
        for (int k = 0; k < 3; ++k) {
            const std::size_t i = std::size_t(corner(k)[t]);
            find_place(meshes, drawn, solver, meshes.corner[k][drawn.first + t], polygon[k].at);
            polygon[k].kept = true;
            const std::int32_t* at = &vertices.xy[2 * i];
            polygon[k].corner = {at[0], at[1], vertices.nearness[i]};
            far_out |= std::abs(double(at[0])) >= FARTHEST_OUT ||
                       std::abs(double(at[1])) >= FARTHEST_OUT;
        }
        int count = 3;
        const double ahead[3] = {0, 0, -1};
        if (drawn.clipped) count = cut(polygon, count, ahead, -double(camera.near_));
        if (far_out || drawn.clipped) {
            const bool parallel = camera.orthographic;
            for (int way = 0; way < 4 && count > 0; ++way) {
                const bool low = way & 1, vertical = way & 2;
                const double focal = vertical ? -camera.fy : camera.fx;
                const double centre = vertical ? camera.cy : camera.cx;
                const double room = low ? centre + GUARD : GUARD - centre;
                double plane[3] = {0, 0, 0};
                plane[vertical] = low ? focal : -focal;
                if (!parallel) plane[2] = -room;
                count = cut(polygon, count, plane, parallel ? room : 0.0);
            }
        }
        for (int k = 0; k < count; ++k) {
            Clipped& each = polygon[k];
            if (!each.kept) {
                const double depth = -each.at[2], over = camera.orthographic ? 1 : 1 / depth;
                each.corner.x = std::int64_t(
                    __builtin_rint((each.at[0] * over * camera.fx + camera.cx) * SUBPIXELS));
                each.corner.y = std::int64_t(
                    __builtin_rint((camera.cy - each.at[1] * over * camera.fy) * SUBPIXELS));
                each.corner.nearness = camera.orthographic
                    ? double(lens.shift) - double(lens.scale) * depth : over;
            }
            each.corner.x -= shift_x, each.corner.y -= shift_y;
        }
        for (int k = 2; k < count; ++k) {
            const Corner &p = polygon[0].corner, &q = polygon[k - 1].corner, &r = polygon[k].corner;
            if (side == Side::both || (side == Side::front) != turned)
                fill_large(p, q, r, camera.width, band, number, sink);
            if (side == Side::both || (side == Side::front) == turned)
                fill_large(p, r, q, camera.width, band, number, sink);
        }
    }
};

// Draws a line of a width in pixels from the first to the second vertex, across its longer side.
template <typename Sink>
static void draw_line(const Meshes& meshes, const Drawn& drawn, const Camera& camera,
                      const Lens& lens, int width, int shift_x, int shift_y, Band band,
                      Sink& sink) {
    double ends[2][3];
    for (int k = 0; k < 2; ++k) find_place(meshes, drawn, Solver::mesh, k, ends[k]);
    const double depth[2] = {-ends[0][2], -ends[1][2]};
    if (depth[0] < camera.near_ && depth[1] < camera.near_) return;
    Corner corner[2];
    for (int k = 0; k < 2; ++k) {
        double at[3], part = 0;
        if (depth[k] < camera.near_)
            part = (camera.near_ - depth[k]) / (depth[1 - k] - depth[k]);
        for (int r = 0; r < 3; ++r)
            at[r] = ends[k][r] + (ends[1 - k][r] - ends[k][r]) * part;
        const double away = std::max(-at[2], double(camera.near_));
        const double over = camera.orthographic ? 1 : 1 / away;
        const double x = std::clamp(at[0] * over * camera.fx + camera.cx, -GUARD, GUARD);
        const double y = std::clamp(camera.cy - at[1] * over * camera.fy, -GUARD, GUARD);
        corner[k] = {std::int64_t(__builtin_rint(x * SUBPIXELS)) - shift_x,
                     std::int64_t(__builtin_rint(y * SUBPIXELS)) - shift_y,
                     camera.orthographic ? double(lens.shift) - double(lens.scale) * away : over};
    }
    const std::int64_t across = std::abs(corner[1].x - corner[0].x);
    const bool flat = across >= std::abs(corner[1].y - corner[0].y);
    const std::int64_t half = std::int64_t(width) * HALF;
    Corner quad[4] = {corner[0], corner[0], corner[1], corner[1]};
    for (int k = 0; k < 4; ++k) (flat ? quad[k].y : quad[k].x) += k == 1 || k == 2 ? half : -half;
    fill_large(quad[0], quad[1], quad[2], camera.width, band, drawn.number, sink);
    fill_large(quad[0], quad[2], quad[3], camera.width, band, drawn.number, sink);
    fill_large(quad[0], quad[2], quad[1], camera.width, band, drawn.number, sink);
    fill_large(quad[0], quad[3], quad[2], camera.width, band, drawn.number, sink);
}

}  // namespace
}  // namespace heliograph
