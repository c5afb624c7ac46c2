// Draws gaussian splats: what every camera shares, and one call for each picture.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "splat_kernels.hpp"

namespace heliograph {

// What a picture is written to, each (height, width) and row by row; null where it is not wanted.
struct SplatPicture {
    float* colour = nullptr;  // (height, width, 3), times alpha
    float* alpha = nullptr;
    float* depth = nullptr;
    float* median_depth = nullptr;
    std::int32_t* gaussian = nullptr;
    const float* behind = nullptr;  // depth of what hides splats that are farther
};

struct SplatOptions {
    int threads = 1;
    int level = 2;  // of the instructions that may be used: 1 those of every processor of its kind
};

// Gaussians in the layout that the kernels read. Pictures may be drawn from several threads at
// once.
class SplatScene {
  public:
    // (count, 3) means, (count, 3) standard deviations, (count, 4) unit quaternions wxyz, (count)
    // opacities, (count, coefficients, 3) spherical harmonics.
    SplatScene(std::size_t count, int coefficients, const float* means, const float* scales,
               const float* rotations, const float* opacities, const float* harmonics);
    ~SplatScene();

    // Leaves the picture unfinished where `cancelled` becomes true: looked at once a row of tiles.
    void draw(const SplatCamera& camera, const SplatPicture& picture, const SplatOptions& options,
              const std::atomic<bool>& cancelled) const;

    std::size_t count() const { return count_; }
    std::size_t bytes() const;

  private:
    struct Scratch;

    std::unique_ptr<Scratch> take_scratch() const;

    std::size_t count_;
    int coefficients_;
    std::vector<GaussianBlock> blocks_;
    std::vector<float> harmonics_;
    std::vector<std::uint32_t> gaussians_;  // numbers in the caller's arrays
    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Scratch>> spare_;
};

}  // namespace heliograph
