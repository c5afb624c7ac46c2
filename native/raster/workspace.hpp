// Memory that is used again from picture to picture.
#pragma once

#include <algorithm>

#include "scene.hpp"

namespace heliograph {

// Rows of the picture while they are made: planes of nearness and primitives, one per sample.
struct Planes {
    int stride = 0, first = 0, end = 0;
    std::vector<float> nearness[MOST_SAMPLES];
    std::vector<std::uint32_t> primitive[MOST_SAMPLES];

    void begin(int width, int samples, float farthest, int first_row, int end_row) {
        first = first_row, end = end_row;
        stride = ((width + 7) & ~7) + PADDING;
        const std::size_t last = at(0, end_row);
        for (int s = 0; s < samples; ++s) {
            nearness[s].resize(std::max(nearness[s].size(), size()));
            primitive[s].resize(std::max(primitive[s].size(), size()));
            std::fill_n(nearness[s].data(), last, farthest);
            std::fill_n(primitive[s].data(), last, 0u);
        }
    }
    std::size_t size() const { return at(0, end) + PADDING; }
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
    std::size_t lazy = 0;    // vertices of things that are not lit at once

    const float* at(int number) const { return numbers.data() + std::size_t(number) * stride; }
};

// Light at those vertices that pixels have asked for, all numbers of a vertex together.
struct LazyLight {
    std::vector<float> numbers;
    std::vector<std::uint32_t> picture;  // in which a vertex was lit last
    std::uint32_t now = 0;

    void begin(std::size_t vertices, std::size_t width) {
        if (picture.size() < vertices) picture.resize(vertices);
        if (numbers.size() < vertices * width) numbers.resize(vertices * width);
        if (++now == 0) std::fill(picture.begin(), picture.end(), 0u), now = 1;
    }
};

// What is behind everything, as a camera that stands still sees it again and again.
struct Backdrop {
    std::vector<float> key;
    std::vector<std::int32_t> colours;
    std::vector<std::uint8_t> bytes;  // red, green and blue of each of them
    std::size_t stride = 0;
    std::uint64_t used = 0;
    bool whole = false;

    const std::int32_t* at(int x, int y) const {
        return colours.data() + place(x, y);
    }
    std::size_t place(int x, int y) const {
        return std::size_t(y) * stride + std::size_t(x);
    }
};

// Of light at a vertex: of lights without shadows, and of each of MAX_SHADOWS with one.
constexpr int LIGHT_NUMBERS = 3 + 3 * 8;

// A triangle as seen from the camera: numbers that are linear over the picture, in (where, 1).
struct Triangle {
    bool lit = false;
    std::size_t corner[3];
    float over[3], first[3], second[3], depth[3];  // what all are divided by; barycentric; depth
    float uv[2][3];      // texture coordinates, of what has a texture laid on it
    // At the first corner, and from there to the others: normals along each of the camera's axes
    // (of planes one, of unit length), and light, where `lit`.
    float normal[3][3];
    float light[LIGHT_NUMBERS][3];
    float nearest, farthest;
    bool front;
};

// Rows of a picture come to the same triangles again and again.
constexpr std::uint32_t KEPT_TRIANGLES = 1024;

// Memory that is used again for every picture; one for each thread.
struct Workspace {
    std::vector<Triangle> triangles;    // KEPT_TRIANGLES of them
    std::vector<std::uint32_t> numbers;  // their primitives; 0: none yet
    LazyLight light;
    Planes planes;
    std::vector<std::int32_t> colours[MOST_SAMPLES];
    Vertices vertices;
};

}  // namespace heliograph
