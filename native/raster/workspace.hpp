// Memory that is used again from picture to picture.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>

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
    std::vector<std::int32_t> xy;  // subpixels, pairs
    std::vector<float> nearness;
    std::vector<float> depth;  // of what may be clipped

    void resize(std::size_t count) {
        if (nearness.size() >= count) return;
        xy.resize(2 * count), nearness.resize(count), depth.resize(count);
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
    std::vector<std::int32_t> colours;
    std::vector<std::uint8_t> bytes;  // red, green and blue of each of them
    std::size_t stride;

    const std::int32_t* at(int x, int y) const {
        return colours.data() + place(x, y);
    }
    std::size_t place(int x, int y) const {
        return std::size_t(y) * stride + std::size_t(x);
    }
    std::size_t nbytes() const { return 4 * colours.size() + bytes.size(); }
};

// The latest backdrops, for all threads: of all cameras of most views, and of their mirrors. One is
// made where it is asked for a second time.
class Backdrops {
public:
    using Key = std::vector<float>;  // all that it depends on

    // Null where it is asked for the first time; `make` makes it.
    template <typename Make>
    std::shared_ptr<const Backdrop> find(Key key, const Make& make) {
        const std::lock_guard held(*mutex_);
        const auto same = [&](const Kept& each) {
            return each.key.size() == key.size() &&
                   __builtin_memcmp(each.key.data(), key.data(), key.size() * sizeof(float)) == 0;
        };
        const auto found = std::find_if(kept_.begin(), kept_.end(), same);
        if (found == kept_.end()) {
            if (kept_.size() == MOST) kept_.pop_back();
            kept_.insert(kept_.begin(), {std::move(key), nullptr});
            return nullptr;
        }
        std::rotate(kept_.begin(), found, found + 1);  // the latest one first
        if (!kept_.front().backdrop) {
            kept_.front().backdrop = std::make_shared<const Backdrop>(make());
            make_room();
        }
        return kept_.front().backdrop;
    }
    // These two where no other thread is in here.
    void forget() { kept_.clear(); }
    void renew_lock() { mutex_.emplace(); }

private:
    static constexpr std::size_t MOST = 64, MOST_BYTES = std::size_t(1) << 26;
    struct Kept {
        Key key;
        std::shared_ptr<const Backdrop> backdrop;
    };

    // Forgets the oldest where they are too large together; the latest one stays.
    void make_room() {
        std::size_t bytes = 0, count = 0;
        for (const Kept& each : kept_) {
            if (each.backdrop) bytes += each.backdrop->nbytes();
            if (bytes > MOST_BYTES && count > 0) break;
            ++count;
        }
        kept_.resize(count);
    }

    std::optional<std::mutex> mutex_{std::in_place};
    std::vector<Kept> kept_;
};

// Of light at a vertex: of lights without shadows, and of each of MAX_SHADOWS with one.
constexpr int LIGHT_NUMBERS = 3 + 3 * MAX_SHADOWS;

// A triangle as seen from the camera: numbers that are linear over the picture, in (where, 1).
struct Triangle {
    std::uint64_t key = 0;  // of the picture and of the primitive in it
    bool lit = false, front;
    std::size_t corner[3];
    float over[4], first[4], second[4];  // what all are divided by; barycentric; and 0
    float depth[3], nearest, farthest;
    float uv[2][3];      // texture coordinates, of what has a texture laid on it
    // At the first corner, and from there to the others: normals along each of the camera's axes
    // (of planes one, of unit length), and light, where `lit`.
    float normal[3][3];
    float light[LIGHT_NUMBERS][3];
};

// Rows of a picture come to the same triangles again and again.
constexpr std::uint32_t KEPT_TRIANGLES = 1024;

// Columns that things may cover: [left, right].
struct Span {
    int left, right;
};
constexpr int SPAN_ROWS = 8;  // of the picture, which have one span

// Memory that is used again; one for each thread.
struct Workspace {
    std::vector<Span> spans, blended;
    std::uint64_t pictures = 0;
    std::vector<Triangle> triangles;  // KEPT_TRIANGLES of them
    LazyLight light;
    Planes planes;
    std::vector<std::int32_t> colours[MOST_SAMPLES];
    Vertices vertices;
};

// All that one picture is made with; used again for the next.
struct Canvas {
    Plan plan;
    VertexLight light;
    std::vector<Workspace> workspaces;  // one for each thread that draws a part of its rows
};

}  // namespace heliograph
