// Memory that is used again from picture to picture.
#pragma once

#include <algorithm>

#include "scene.hpp"

namespace heliograph {

// Some rows of the picture while it is made: `planes` of nearness, primitives and colours, one for each sample.
struct Planes {
    int width = 0, first = 0, stride = 0, samples = 0;
    std::vector<float> nearness[MOST_SAMPLES];
    std::vector<std::uint32_t> primitive[MOST_SAMPLES];

    // Rows [first_row, end_row) of a picture, with nothing in them.
    void begin(int w, int count, float farthest, int first_row, int end_row) {
        width = w, samples = count, first = first_row;
        stride = stride_for(w);
        const std::size_t size = std::size_t(stride) * std::size_t(end_row - first_row) + BESIDE;
        for (int s = 0; s < count; ++s) {
            nearness[s].resize(std::max(nearness[s].size(), size));
            primitive[s].resize(std::max(primitive[s].size(), size));
            std::fill_n(nearness[s].data(), size, farthest);
            std::fill_n(primitive[s].data(), size, 0u);
        }
    }
    static int stride_for(int width) { return ((width + 7) & ~7) + BESIDE; }
    std::size_t at(int x, int y) const {
        return std::size_t(y - first) * std::size_t(stride) + std::size_t(x);
    }
};

// Vertices of one instance on the picture.
struct Vertices {
    std::vector<std::int32_t> x, y;  // subpixels
    std::vector<float> nearness;
    std::vector<float> place[3];     // camera axes

    void resize(std::size_t count) {
        if (x.size() >= count) return;
        x.resize(count), y.resize(count), nearness.resize(count);
        for (auto& each : place) each.resize(count);
    }
};

// Light at vertices: a plane of numbers for each of `sum` and of what lights with shadows send.
struct VertexLight {
    std::vector<float> numbers;
    std::size_t stride = 0;  // from one number's plane to the next

    const float* at(int number) const { return numbers.data() + std::size_t(number) * stride; }
};

// What is behind everything, as a camera that stands still sees it again and again.
struct Backdrop {
    std::vector<float> key;
    std::vector<std::int32_t> colours;
    std::uint64_t used = 0;
    bool whole = false;
};

constexpr int LIGHT_NUMBERS = 3 + 3 * 8;  // at a vertex: of lights without shadows, and of those with

// A triangle as seen from the camera: numbers that are linear over the picture, in (where, 1).
struct Triangle {
    std::uint32_t number = 0;
    bool lit = false;
    std::size_t corner[3];
    float over[3], first[3], second[3], depth[3];  // what all are divided by; barycentric; depth
    float uv[2][3];      // texture coordinates, of what has a texture laid on it
    float normal[3][3];  // at its corners, camera axes; of planes one, of unit length
    float light[LIGHT_NUMBERS][3];  // at its corners, where `lit`
    float nearest, farthest;
    bool front;
};

// Rows of a picture come to the same triangles again and again.
constexpr std::uint32_t KEPT_TRIANGLES = 256;

// Memory that is used again for every picture; one for each thread.
struct Workspace {
    std::vector<Triangle> triangles;  // KEPT_TRIANGLES
    Planes planes;
    std::vector<std::int32_t> colours[MOST_SAMPLES];
    Vertices vertices;
};

}  // namespace heliograph
