// The two inner loops of the splat renderer, built once for each set of instructions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heliograph {

constexpr int LANES = 8;
constexpr int TILE = 8;                          // pixels, across and down
constexpr float FAINTEST = 1.0f / 255;           // a splat does not count where it is fainter
constexpr float LOG2_FAINTEST = -7.99435344f;    // log2 of that
constexpr float MOST_OPAQUE = 0.99f;             // what one splat hides at most
constexpr float SATURATED = 1e-4f;               // less light than this from behind is none
constexpr float LOW_PASS = 0.3f;                 // pixels squared, added to every footprint
constexpr float LEAST_SPREAD = 0.03f;            // the same, for the slope of its depth

// Eight gaussians: means, their three axes (each as long as its standard deviation), log2 of
// opacities.
struct GaussianBlock {
    alignas(32) float mean[3][LANES];
    alignas(32) float axes[3][3][LANES];  // [axis][x, y, z]
    alignas(32) float log2_opacity[LANES];
};

// A camera in OpenCV's axes: x right, y down, z along the optical axis.
struct SplatCamera {
    float rotation[3][3];       // camera from world
    float eye[3], eye_rest[3];  // where it stands, as the sum of two floats
    float fx, fy, cx, cy, near_, far_;
    float slope_low[2], slope_high[2];  // of x and y over z, where the projection is made linear
    int width, height;
    bool orthographic;
};

// A gaussian as the camera sees it. With d the offset of a pixel's centre from (x, y), pixels:
//     log2 of its opacity there = log2_opacity + xx dx dx + xy dx dy + yy dy dy
//     depth there = depth + s / (1 - s per_depth) with s = depth_x dx + depth_y dy
// which is where the ray meets the plane of a flat one: the inverse of depth is linear on a plane.
struct alignas(64) Splat {
    float x, y, xx, xy, yy, log2_opacity;
    float red, green, blue;
    float depth, depth_x, depth_y;
    std::int16_t first_row, last_row, first_column, last_column;  // pixels it may touch
    std::uint32_t gaussian;
    float per_depth;  // 1 / depth, or 0 where the camera is orthographic
};
static_assert(sizeof(Splat) == 64);

// 8 x 8 pixels while splats are blended into them, nearest first.
struct alignas(32) Tile {
    float light[TILE * TILE];  // how much still comes through from behind, 1 at first
    float red[TILE * TILE], green[TILE * TILE], blue[TILE * TILE];
    float depth[TILE * TILE];         // the sum of depths by how much each is seen
    float median_depth[TILE * TILE];  // of the splat that brought the light down to one half
    std::int32_t gaussian[TILE * TILE];  // that splat's, -1 at first
    float behind[TILE * TILE];        // depth of the surface that hides what is farther
    bool saturated;
};

struct SplatKernels {
    // Writes the splats of those of a block's gaussians that the camera sees; returns how many.
    // `harmonics` holds [coefficient][red, green, blue][LANES]; `count` coefficients (1, 4, 9, 16).
    int (*project)(const GaussianBlock& block, const float* harmonics, int count,
                   const SplatCamera& camera, const std::uint32_t* gaussians, Splat* splats);

    // Blends splats, named by their numbers and sorted by depth, into the tile at (column, row).
    void (*blend)(const Splat* splats, const std::uint32_t* numbers, std::size_t count, int column,
                  int row, bool with_depth, bool with_behind, Tile& tile);
};

extern const SplatKernels portable_splat_kernels;
#if defined(HELIOGRAPH_AVX2)
extern const SplatKernels avx2_splat_kernels;
#endif

}  // namespace heliograph
