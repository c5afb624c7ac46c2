// The loops of the native rasterizer, built once for each set of instructions.
#pragma once

#include "workspace.hpp"

namespace heliograph {

// Everything that one picture is made of.
struct Job {
    const Meshes& meshes;
    const Instances& instances;
    const std::vector<const Paint*>& paints;
    const View& view;
    const Picture& picture;
    Canvas& canvas;
    Backdrops& backdrops;
    Interrupt interrupt;
};

// One face of a shadow map: `camera` looks from the light; rows of the atlas count upwards.
struct ShadowJob {
    const Meshes& meshes;
    const Instances& instances;
    const std::vector<const Paint*>& paints;
    const Camera& camera;
    Plan& plan;
    Workspace& workspace;
    float* atlas;   // its lowest left texel of this face
    int stride;     // texels from one row to the next
    Interrupt interrupt;
};

struct RasterKernels {
    // Both return false where they were interrupted.
    bool (*draw)(Job& job);
    bool (*draw_shadow)(ShadowJob& job);
};

extern const RasterKernels portable_raster_kernels;  // with what all processors of a kind have
#if defined(HELIOGRAPH_WITH_PLAIN)
extern const RasterKernels plain_raster_kernels;     // without any processor's own instructions
#endif
#if defined(HELIOGRAPH_AVX2)
extern const RasterKernels avx2_raster_kernels;
#endif

}  // namespace heliograph
