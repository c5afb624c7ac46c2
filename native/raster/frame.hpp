// What one camera of one state needs: the block of float32 that frame_block.py writes and
// shaders/frame.glsl declares, and the tables and pictures that are looked up beside it.
#pragma once

#include <cstddef>

#include "tables.hpp"

namespace heliograph {
namespace {

const int MAX_LIGHTS = 100, RADIANCE_LEVELS = 5;

// What a light is, in the order of KINDS of light_layouts.py.
enum LightKind : std::int32_t { HEAD_LIGHT, PARALLEL_LIGHT, POINT_LIGHT, SPOT_LIGHT, AREA_LIGHT };
enum class ToneMapping : std::int32_t { NONE, NEUTRAL, ACES };

struct Light {
    float position[4];     // metres, and 1; of parallel light the way to where it comes from, and 0
    float direction[4];    // the way the light goes, and the cosine where a spot is dark
    float diffuse[4];      // rgb, and a spot's exponent
    float specular[4];     // rgb, and over how much of the cosine a spot's rim fades
    float attenuation[4];  // constant, linear, quadratic; of linear light 1 to add a power
    float ambient[4];
    // Of linear light `specular` begins with 1 / (the range where it ends)^2, and that power. Of
    // area lights `position[3]` is 2, and `direction` and `ambient` are half of their sides.
};

struct ShadowMap {
    float from_camera[16];  // to the atlas; of six faces to metres from the light, world axes
    float faces[4];  // of six: size on the atlas, and how far from its middle the next one begins
    float depth[4];  // of six: x - y / metres from the light, else 0; how large what shines is (z)
                     // in metres; a depth of infinity, or less than 0 what a depth of 1 is, metres
};

// Matrices have their columns one after the other.
struct FrameBlock {
    float clip_from_camera[16];
    float unproject[4];   // pixel * xy + zw = point one metre ahead (orthographic: metres)
    float ambient[4];     // rgb, and the near plane (metres)
    float haze[4];        // rgb, and where fading starts (metres)
    float haze_plane[4];  // world plane it lies on: normal, offset
    float haze_end;       // where fading is complete (metres)
    float orthographic;
    float unused[2];
    float world_from_camera[16];
    float light_count, shadow_count;
    float atlas_grid[2];   // columns and rows of cells
    float around[3][4];    // red, green, blue from all sides: along x, y, z, and mean
    float bent[3][16];     // the same of a picture: quadratic in (normal, 1)
    float levels[4];       // exposure, factor of that picture, far plane (metres)
    ShadowMap shadow_maps[MAX_SHADOWS];
    Light lights[MAX_LIGHTS];  // those with shadow maps first
};
#define HELIOGRAPH_AT(member, place) \
    static_assert(offsetof(FrameBlock, member) == place * sizeof(float))
HELIOGRAPH_AT(unproject, 16);
HELIOGRAPH_AT(haze_end, 32);
HELIOGRAPH_AT(world_from_camera, 36);
HELIOGRAPH_AT(light_count, 52);
HELIOGRAPH_AT(around, 56);
HELIOGRAPH_AT(bent, 68);
HELIOGRAPH_AT(levels, 116);
HELIOGRAPH_AT(shadow_maps, 120);
HELIOGRAPH_AT(lights, 312);
#undef HELIOGRAPH_AT
static_assert(sizeof(FrameBlock) == FRAME_NUMBERS * sizeof(float));

struct Frame {
    const FrameBlock* block;
    const std::int32_t* kinds;  // of each light in the block
    ToneMapping tone_mapping;
    Table atlas;     // the shadow maps' depths from 0 to 1, row 0 lowest, as in GL
    Table albedo;    // of two numbers: scale and bias of what is reflected head-on of even light
    Table lobes;     // of four numbers: what turns a rough surface's lobe into a matt one's
    Table radiance;  // of three: RADIANCE_LEVELS squares one after the other; none: no texels
    Table seen;      // of three: the picture of all around as it is seen behind everything
};

// A light's, a map's or a plane's three first numbers, for all lanes.
HELIOGRAPH_INLINE Float8 dot3(Vec3 a, const float* b) {
    return a.x * b[0] + a.y * b[1] + a.z * b[2];
}

HELIOGRAPH_INLINE Vec4 transformed(const float* columns, Vec3 a, float w) {
    const float* m = columns;
    return {a.x * m[0] + a.y * m[4] + a.z * m[8] + m[12] * w,
            a.x * m[1] + a.y * m[5] + a.z * m[9] + m[13] * w,
            a.x * m[2] + a.y * m[6] + a.z * m[10] + m[14] * w,
            a.x * m[3] + a.y * m[7] + a.z * m[11] + m[15] * w};
}

// A way in camera axes, turned to the world's.
HELIOGRAPH_INLINE Vec3 world_way(const Frame& frame, Vec3 a) {
    const float* m = frame.block->world_from_camera;
    return {a.x * m[0] + a.y * m[4] + a.z * m[8], a.x * m[1] + a.y * m[5] + a.z * m[9],
            a.x * m[2] + a.y * m[6] + a.z * m[10]};
}

}  // namespace
}  // namespace heliograph
