// What the native rasterizer draws, as plain arrays: meshes, instances, one camera's view of them,
// and the picture that is made. Python's side of it is heliograph/raster/cpu.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "../share.hpp"
#include "textures.hpp"

namespace heliograph {

constexpr int LOD_LEVELS = 12;
constexpr int PADDING = 8;  // entries behind the last one, so that eight can always be read
constexpr int MATERIAL_NUMBERS = 19;
constexpr std::size_t FRAME_NUMBERS = 2712;  // of a picture's block: frame.hpp
constexpr int MOST_SAMPLES = 4;
constexpr int MAX_SHADOWS = 8;  // lights with a shadow

// Vertices and triangles of all geometries. A geometry's triangles count from its first vertex.
struct Meshes {
    std::vector<float> position[3], normal[3], uv[2];
    std::vector<float> packed;            // eight for each vertex: position, 0, normal, 0
    std::vector<float> colour[4];         // of few geometries; may be shorter than the others
    std::vector<std::int32_t> corner[3];  // of triangles
    // Triangles of a level whose corners count places, of which there are fewer than vertices where
    // normals differ at one place: what is enough to know where they are.
    struct Joined {
        std::vector<float> position[3];
        std::vector<std::int32_t> corner[3];
        std::int32_t places = 0;  // 0: not worth it
    };
    struct Run {
        std::uint32_t indices;
        std::int32_t vertices;
        std::uint32_t base = 0, state = 0;  // the positions that `joined` is of
        std::uint32_t uses = 0;             // since they were there
        Joined joined = {};
    };
    std::unordered_map<std::uint32_t, Run> runs;   // levels of detail by their first index
    std::unordered_map<std::uint32_t, std::uint32_t> states;  // of positions, by their first vertex
    // Their first indices in order, and one past their last.
    std::map<std::uint32_t, std::uint32_t> firsts;

    std::size_t nbytes() const;  // of vertices and triangles
    // Forgets what comes after so many vertices and indices; gives memory back where most was that.
    void trim(std::size_t vertices, std::size_t indices);
    void put(std::vector<float>* columns, int count, std::size_t first, std::size_t rows,
             const float* from);
    void put_triangles(std::size_t first, std::size_t rows, const std::uint32_t* from);
    // Forgets levels that have any of these indices.
    void forget(std::uint32_t begin, std::uint32_t end);
    // A level; null where there is none such any more, or some of its vertices are not there.
    Run* run_of(std::uint32_t first, std::uint32_t count, std::uint32_t base, bool tinted);
    // Its triangles joined at their corners, once it has been drawn a few times as it is; or null.
    // May be called from several threads.
    const Joined* joined(Run& run, std::uint32_t first, std::uint32_t base);
    // Where no other thread is in here.
    void renew_lock() { joining_.emplace(); }

private:
    void put_vectors(std::vector<float>* columns, std::size_t first, std::size_t rows,
                     const float* from);
    void join(Run& run, std::size_t first, std::size_t base) const;

    std::optional<std::mutex> joining_{std::in_place};
};

enum class Side : std::uint8_t { front, both, back };
enum class Shading : std::uint8_t { lit, unlit, hazy, phong, lambert, normal, depth };
// How the exact surface is found: `shapes.SOLVERS` in Python.
enum class Solver : std::uint8_t { mesh, face, ball, tube, capsule, slab, stretched };
// Whether rays decide its outline: its triangles only contain it.
constexpr bool is_round(Solver solver) {
    return solver == Solver::ball || solver == Solver::tube || solver == Solver::capsule;
}

// What program and state a GPU would need for an instance: the bits of `sort_keys.py`.
struct Kind {
    Solver solver;
    Shading shading;
    Side side;
    bool mirrored, own_uv, three_js, reflective, cutout, emissive, tinted;
    std::int32_t texture;  // -1: none
    std::int32_t line;     // width in pixels, 0 for what is no line

    static Kind of(std::int64_t key);
    bool exact() const { return solver != Solver::mesh && solver != Solver::stretched; }
    // Whether its surface is that of a body, not of its triangles.
    bool is_body() const { return round() || solver == Solver::slab; }
    bool round() const { return is_round(solver); }
};

// A texture and further ones of the same surface, in the order of `types.Use`.
struct Paint {
    Texture image;
    std::optional<Texture> layers[4];
    bool layered = false;              // whether it lies otherwise than the surface says
    float maps[5][2][3] = {};          // of the image and the layers: rows of (u, v, 1) -> (u, v)
    float strengths[3] = {1, 1, 1};    // of normals along u and v, and of the occlusion
};

// Triangles of one level of detail.
struct Level {
    std::uint32_t count, first, base;  // indices, and the first vertex
};

// What instances are, apart from where: `Prepared` and `Scaling` in Python. Row i is instance i.
struct Instances {
    std::vector<std::int32_t> geometry;
    std::vector<Kind> kind;
    std::vector<std::int64_t> order;
    std::vector<std::array<Level, LOD_LEVELS>> levels;
    // How large a pixel must be for a level: light per pixel, light per vertex, plain triangles.
    std::vector<std::array<double, LOD_LEVELS>> pixel[3];
    std::vector<std::array<double, LOD_LEVELS>> distance;
    std::vector<std::array<float, MATERIAL_NUMBERS>> records;
    std::vector<std::uint8_t> shown, transparent, flat, cast;
    std::vector<double> largest, determinant;

    std::size_t count() const { return geometry.size(); }
};

// Where they are in one state.
struct Placed {
    std::vector<std::array<double, 12>> pose;  // world_from_object, three rows of four
    std::vector<double> length;                // of capsules; empty for none
    std::vector<std::array<double, 3>> centre, half;
    std::vector<double> radius;
    std::vector<std::uint8_t> show;
};

struct Camera {
    double view[12];  // camera_from_world, three rows of four
    double eye[3], ahead[3];  // where it is, and its axis that points backwards, world
    double fx, fy, cx, cy, near_, far_;
    int width, height;
    bool orthographic;
};

// How levels of detail are chosen; `plain`: triangles are drawn as they are, as in shadow maps.
struct Policy {
    bool vertex_lit, reflected, plain;
};

// One instance as one camera sees it.
struct Drawn {
    std::int32_t instance;
    std::uint32_t first, count, base;  // triangles, and their first vertex
    std::int32_t vertices;             // how many of them they use
    const Meshes::Joined* joined;      // null: none
    std::uint32_t number;              // of its first primitive in the picture
    float from_object[12], to_object[12];  // camera axes; three rows of four
    float normals[9];                  // turns normals into camera axes; three rows
    float columns[16], normal_columns[12];  // of `from_object` and `normals`, four rows
    float length;                      // of a capsule
    double depth;                      // of its middle
    bool boxed;                        // rays are cast into a rectangle of the picture
    bool clipped;                      // parts of it may be before the near plane
    bool lit_whole;                    // light is computed at all of its vertices at once
    bool simple;                       // there is no more to it than lit_triangles.hpp knows
    std::size_t light;                 // where light at its vertices begins, in either case
    int left, right, top, bottom;      // pixels it may cover, all included
};

struct Plan {
    std::vector<Drawn> opaque, transparent;
    double first, last;  // nearest and farthest depth of an orthographic picture
};

// Numbers that are looked up between texels; tables.hpp says how.
struct Table {
    const float* texels = nullptr;  // (height, width, channels), one to four of them
    int width = 0, height = 0;
};

// Light from all around: squares for reflections, one after the other, and how it is seen.
struct Radiance {
    Table levels, seen;
    std::uint64_t number = 0;  // no other one has it, not even one that comes to lie where this was
};

struct View {
    Camera camera;
    const float* block;          // numbers of frame.hpp
    const std::int32_t* kinds;   // of lights, in the order of the block
    int tone_mapping;            // 0 none, 1 neutral, 2 aces
    bool linear, vertex_lit, reflected, haze;
    Table atlas;                 // shadow maps; no texels: none
    Table albedo, lobes;         // of linear light
    const std::uint8_t* mirror;  // what reflective planes show (H, W, 3), or null
    const Texture* sky;          // or null
    const Radiance* radiance;    // light from all around, or null
    bool radiance_shown;
    float background[3];
    int samples;                 // of a pixel: 1 or 4
};

// Where a picture goes: row 0 is the top; null for what is not wanted.
struct Picture {
    std::uint8_t *rgb, *alpha;
    float *depth, *distance, *normals;
    std::int32_t* ids;
};

// Which things to draw and how; the same rules as raster/plan.py. `mask` may be null.
void make_plan(Meshes& meshes, const Instances& instances, const Placed& placed,
               const Camera& camera, Policy policy, const std::uint8_t* mask, Plan& plan);

}  // namespace heliograph
