// Culling, levels of detail and order: raster/plan.py for one camera, in double precision.
#include <algorithm>
#include <cmath>
#include <limits>

#include "scene.hpp"

namespace heliograph {
namespace {

constexpr int BOX_LEVEL = 10;  // `shapes.BOX_LEVEL`
constexpr std::int64_t BOXED = std::int64_t(1) << 37;  // `sort_keys.BOXED`
constexpr double REFLECTED = 3.0;  // times larger an error may be that is only seen in a mirror
constexpr double ROOM = 3.5;       // how much farther than what is in it a turned box reaches
constexpr double ROUNDING = 4e-6;  // of a vertex's numbers, as a part of the largest

// Six planes; what is inside is before all of them.
struct Frustum {
    double normal[6][3], offset[6];
};

Frustum frustum_of(const Camera& camera) {
    const double left = -camera.cx / camera.fx, right = (camera.width - camera.cx) / camera.fx;
    const double top = camera.cy / camera.fy, bottom = (camera.cy - camera.height) / camera.fy;
    const bool parallel = camera.orthographic;
    const double rows[6][4] = {
        {1, 0, parallel ? 0 : left, parallel ? -left : 0},
        {-1, 0, parallel ? 0 : -right, parallel ? right : 0},
        {0, -1, parallel ? 0 : -top, parallel ? top : 0},
        {0, 1, parallel ? 0 : bottom, parallel ? -bottom : 0},
        {0, 0, -1, -camera.near_},
        {0, 0, 1, camera.far_},
    };
    Frustum planes;
    for (int i = 0; i < 6; ++i) {
        const double* row = rows[i];
        const double size = std::sqrt(row[0] * row[0] + row[1] * row[1] + row[2] * row[2]);
        for (int k = 0; k < 3; ++k) planes.normal[i][k] = row[k] / size;
        planes.offset[i] = row[3] / size;
    }
    return planes;
}

bool is_outside(const Frustum& planes, const double* middle, double radius) {
    for (int i = 0; i < 6; ++i) {
        const double* n = planes.normal[i];
        const double inside = middle[0] * n[0] + middle[1] * n[1] + middle[2] * n[2];
        if (!(inside + planes.offset[i] > -radius)) return true;
    }
    return false;
}

// Whether a one-sided plane may show its front.
bool is_facing(const Camera& camera, const double* pose, double determinant) {
    double ahead[3];
    for (int k = 0; k < 3; ++k)
        ahead[k] = camera.orthographic ? camera.ahead[k] : camera.eye[k] - pose[4 * k + 3];
    const double a = pose[0], b = pose[1], d = pose[4], e = pose[5], g = pose[8], h = pose[9];
    const double side = ahead[0] * (d * h - g * e) + ahead[1] * (g * b - a * h) +
                        ahead[2] * (a * e - d * b);
    return side * determinant > 0;
}

// camera_from_object, three rows of four.
void multiply(const double* view, const double* pose, double* map) {
    for (int r = 0; r < 3; ++r) {
        const double *v = view + 4 * r, *p = pose;
        for (int c = 0; c < 4; ++c)
            map[4 * r + c] = v[0] * p[c] + v[1] * p[4 + c] + v[2] * p[8 + c];
        map[4 * r + 3] += v[3];
    }
}

void invert(const double* map, double* inverse) {
    const double a = map[0], b = map[1], c = map[2], d = map[4], e = map[5], f = map[6],
                 g = map[8], h = map[9], i = map[10];
    const double columns[3][3] = {{e * i - f * h, c * h - b * i, b * f - c * e},
                                  {f * g - d * i, a * i - c * g, c * d - a * f},
                                  {d * h - e * g, b * g - a * h, a * e - b * d}};
    const double determinant = a * columns[0][0] + b * columns[1][0] + c * columns[2][0];
    for (int r = 0; r < 3; ++r) {
        double shift = 0;
        for (int k = 0; k < 3; ++k) {
            inverse[4 * r + k] = columns[r][k] / determinant;
            shift -= inverse[4 * r + k] * map[4 * k + 3];
        }
        inverse[4 * r + 3] = shift;
    }
}

struct Planner {
    Meshes& meshes;
    const Instances& instances;
    const Placed& placed;
    const Camera& camera;
    Policy policy;

    int level_of(std::size_t i, const double* map, double depth) const {
        const auto& half = placed.half[i];
        const double pixel = 1 / std::max(camera.fx, camera.fy);
        double size = pixel;
        if (!camera.orthographic) {
            const double reach = std::abs(map[8]) * half[0] + std::abs(map[9]) * half[1] +
                                 std::abs(map[10]) * half[2];
            size *= std::max(depth - std::min(reach, placed.radius[i]), camera.near_);
        }
        // Light at the vertices of what is round differs from level to level; near and far planes
        // must not cut boxes.
        if (policy.vertex_lit && !policy.plain && instances.cast[i]) {
            const double middle = (camera.near_ + camera.far_) / 2;
            const double room = (camera.far_ - camera.near_) / 2;
            if (std::abs(depth - middle) + ROOM * placed.radius[i] >= room) size = 0;
        }
        const auto& needed = instances.pixel[policy.plain ? 2 : policy.vertex_lit][i];
        const auto& distance = instances.distance[i];
        const double away = std::max(depth, camera.near_);
        int level = -1;
        for (int k = 0; k < LOD_LEVELS; ++k) {
            const bool good = policy.reflected ? needed[k] <= REFLECTED * size
                                               : needed[k] <= size && distance[k] <= away;
            level += k == 0 || good;
        }
        return level;
    }

    // Which pixels it may cover, and whether the near plane may cut it.
    void find_rectangle(const double* map, const double* middle, std::size_t i,
                        Drawn& drawn) const {
        const auto& half = placed.half[i];
        const double margin = instances.kind[i].line;
        double low[2] = {std::numeric_limits<double>::infinity(),
                         std::numeric_limits<double>::infinity()};
        double high[2] = {-low[0], -low[1]};
        drawn.clipped = false;
        for (int corner = 0; corner < 8; ++corner) {
            double at[3];
            for (int r = 0; r < 3; ++r) {
                at[r] = middle[r];
                for (int k = 0; k < 3; ++k)
                    at[r] += map[4 * r + k] * (corner >> k & 1 ? half[k] : -half[k]);
            }
            // Roundings of float32 may bring vertices a little out of their box.
            const double size = std::abs(at[0]) + std::abs(at[1]) + std::abs(at[2]);
            if (!(-at[2] - ROUNDING * (size + placed.radius[i]) > camera.near_))
                drawn.clipped = true;
            const double scale = camera.orthographic ? 1 : -1 / at[2];
            const double x = camera.cx + camera.fx * at[0] * scale;
            const double y = camera.cy - camera.fy * at[1] * scale;
            const double error = ROUNDING * (size + placed.radius[i]) * std::abs(scale);
            const double wide = camera.fx * error * (1 + std::abs(at[0] * scale));
            const double tall = camera.fy * error * (1 + std::abs(at[1] * scale));
            low[0] = std::min(low[0], x - wide), high[0] = std::max(high[0], x + wide);
            low[1] = std::min(low[1], y - tall), high[1] = std::max(high[1], y + tall);
        }
        const int last[2] = {camera.width - 1, camera.height - 1};
        int ends[2][2];
        for (int k = 0; k < 2; ++k) {
            const bool whole = drawn.clipped && !camera.orthographic;
            const double first = whole ? 0 : std::floor(low[k] - margin) - 1;
            const double end = whole ? last[k] : std::ceil(high[k] + margin) + 1;
            ends[k][0] = int(std::clamp(first, 0.0, double(last[k]) + 1));
            ends[k][1] = int(std::clamp(end, -1.0, double(last[k])));
        }
        drawn.left = ends[0][0], drawn.right = ends[0][1];
        drawn.top = ends[1][0], drawn.bottom = ends[1][1];
    }

    bool plan(std::size_t i, Drawn& drawn) const {
        const double* pose = placed.pose[i].data();
        double map[12], inverse[12], middle[3];
        multiply(camera.view, pose, map);
        for (int r = 0; r < 3; ++r) {
            const double *v = camera.view + 4 * r, *c = placed.centre[i].data();
            middle[r] = c[0] * v[0] + c[1] * v[1] + c[2] * v[2] + v[3];
        }
        const int level = level_of(i, map, -middle[2]);
        const Level& found = instances.levels[i][level];
        find_rectangle(map, middle, i, drawn);
        if (drawn.left > drawn.right || drawn.top > drawn.bottom) return false;
        invert(map, inverse);
        for (int k = 0; k < 12; ++k) {
            drawn.from_object[k] = float(map[k]);
            drawn.to_object[k] = float(inverse[k]);
        }
        for (int r = 0; r < 3; ++r)
            for (int k = 0; k < 3; ++k) drawn.normals[3 * r + k] = float(inverse[4 * k + r]);
        for (int k = 0; k < 4; ++k)
            for (int r = 0; r < 4; ++r) {
                drawn.columns[4 * k + r] = r < 3 ? drawn.from_object[4 * r + k] : 0;
                if (k < 3) drawn.normal_columns[4 * k + r] = r < 3 ? drawn.normals[3 * r + k] : 0;
            }
        drawn.instance = std::int32_t(i);
        drawn.first = found.first / 3, drawn.count = found.count / 3, drawn.base = found.base;
        drawn.boxed = !policy.plain && instances.cast[i] && level == BOX_LEVEL;
        Meshes::Run* run = meshes.run_of(found.first, found.count, found.base,
                                         instances.kind[i].tinted);
        if (run == nullptr || run->vertices == 0) return false;
        drawn.vertices = run->vertices;
        drawn.joined = drawn.boxed ? nullptr : meshes.joined(*run, found.first, found.base);
        // Where rays enter it, and, if that is seen, where they leave it.
        if (drawn.boxed) drawn.count = instances.kind[i].side == Side::both ? 2 : 1;
        drawn.length = placed.length.empty() ? 0.0f : float(placed.length[i]);
        drawn.depth = -middle[2];
        drawn.lit_whole = drawn.simple = false;
        return drawn.count > 0;
    }
};

void find_reach(const Planner& planner, const std::vector<Drawn>& drawn, double& first,
                double& last) {
    const Camera& camera = planner.camera;
    const Placed& placed = planner.placed;
    for (const Drawn& each : drawn) {
        const std::size_t i = std::size_t(each.instance);
        const double radius = placed.radius[i];
        const float* along = each.from_object + 8;
        double around = std::abs(along[0]) * placed.half[i][0] +
                        std::abs(along[1]) * placed.half[i][1] +
                        std::abs(along[2]) * placed.half[i][2];
        around = planner.instances.cast[i] ? ROOM * radius : std::min(around, radius);
        double aside = 0;
        for (int k = 0; k < 3; ++k)
            aside += std::abs(placed.centre[i][k] - placed.pose[i][4 * k + 3]);
        around += ROUNDING * (std::abs(along[3]) + aside + radius);
        const double nearest = std::max(each.depth - around, camera.near_);
        const double farthest = std::min(each.depth + around, camera.far_);
        if (nearest < farthest) first = std::min(first, nearest), last = std::max(last, farthest);
    }
}

}  // namespace

void make_plan(Meshes& meshes, const Instances& instances, const Placed& placed,
               const Camera& camera, Policy policy, const std::uint8_t* mask, Plan& plan) {
    const Planner planner{meshes, instances, placed, camera, policy};
    const Frustum frustum = frustum_of(camera);
    plan.opaque.clear(), plan.transparent.clear();
    for (std::size_t i = 0; i < instances.count(); ++i) {
        if (!placed.show[i] || (mask != nullptr && !mask[i])) continue;
        double middle[3];
        for (int r = 0; r < 3; ++r) {
            const double *v = camera.view + 4 * r, *c = placed.centre[i].data();
            middle[r] = c[0] * v[0] + c[1] * v[1] + c[2] * v[2] + v[3];
        }
        if (is_outside(frustum, middle, placed.radius[i])) continue;
        if (instances.flat[i] && !policy.plain &&
            !is_facing(camera, placed.pose[i].data(), instances.determinant[i]))
            continue;
        Drawn drawn;
        if (planner.plan(i, drawn))
            (instances.transparent[i] ? plan.transparent : plan.opaque).push_back(drawn);
    }
    // Later rows first, where the order is the same; what is a box comes after what is not.
    const auto when = [&](const Drawn& each) {
        return instances.order[std::size_t(each.instance)] | (each.boxed ? BOXED : 0);
    };
    std::reverse(plan.opaque.begin(), plan.opaque.end());
    std::stable_sort(plan.opaque.begin(), plan.opaque.end(),
                     [&](const Drawn& a, const Drawn& b) { return when(a) < when(b); });
    std::stable_sort(plan.transparent.begin(), plan.transparent.end(),
                     [](const Drawn& a, const Drawn& b) { return a.depth > b.depth; });
    plan.first = camera.near_, plan.last = camera.far_;
    if (camera.orthographic) {
        double first = std::numeric_limits<double>::infinity(), last = 0;
        find_reach(planner, plan.opaque, first, last);
        find_reach(planner, plan.transparent, first, last);
        if (first < last) plan.first = first, plan.last = last;
    }
    std::uint32_t number = 1;  // 0 is what is behind everything
    for (auto* drawn : {&plan.opaque, &plan.transparent})
        for (Drawn& each : *drawn) each.number = number, number += each.count;
}

}  // namespace heliograph
