// A picture in three steps, each shared by all threads, so that no bit depends on how many:
//
//     project   chunks of gaussians -> splats of those that the camera sees, at the chunk's place
//     sort      their depths -> the order in which all tiles see them (one thread)
//     blend     rows of tiles: the splats that touch the row -> a list for each tile -> pixels
//
// A thread takes the next chunk or row when it is done with one. The lists of a row are made for a
// part of the splats at a time, so that memory is bounded however many tiles each splat covers.
#include "splats.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "processor.hpp"
#include "radix_sort.hpp"
#include "share.hpp"

namespace heliograph {
namespace {

constexpr std::size_t CHUNK = 512;           // blocks that a thread projects at a time
constexpr std::size_t MOST_PAIRS = 1 << 18;  // of a splat and a tile, listed at a time
constexpr std::size_t SCAN = 1 << 12;        // splats looked at between two looks at that number
constexpr float OPAQUE = 0.5f;               // where depth has a value

struct TileRange {
    std::uint16_t first_row, last_row, first_column, last_column;
};

// Interleaves the bits of three numbers of ten bits: near in space is near in memory.
std::uint32_t morton(const float* mean, const float* low, const float* step) {
    std::uint32_t code = 0;
    for (int axis = 0; axis < 3; ++axis) {
        std::uint32_t bits =
            std::uint32_t(std::clamp((mean[axis] - low[axis]) * step[axis], 0.0f, 1023.0f));
        bits = (bits | (bits << 16)) & 0x030000FF;
        bits = (bits | (bits << 8)) & 0x0300F00F;
        bits = (bits | (bits << 4)) & 0x030C30C3;
        bits = (bits | (bits << 2)) & 0x09249249;
        code |= bits << axis;
    }
    return code;
}

std::vector<std::uint32_t> order_in_space(std::size_t count, const float* means) {
    float low[3], high[3], step[3];
    std::fill_n(low, 3, std::numeric_limits<float>::infinity());
    std::fill_n(high, 3, -std::numeric_limits<float>::infinity());
    for (std::size_t i = 0; i < 3 * count; ++i) {
        low[i % 3] = std::min(low[i % 3], means[i]);
        high[i % 3] = std::max(high[i % 3], means[i]);
    }
    for (int axis = 0; axis < 3; ++axis)
        step[axis] = high[axis] > low[axis] ? 1023.0f / (high[axis] - low[axis]) : 0.0f;
    std::vector<std::uint64_t> items(count), spare;
    for (std::size_t i = 0; i < count; ++i)
        items[i] = std::uint64_t(morton(means + 3 * i, low, step)) << 32 | i;
    radix_sort(items, spare);
    std::vector<std::uint32_t> order(count);
    std::transform(items.begin(), items.end(), order.begin(),
                   [](std::uint64_t item) { return std::uint32_t(item); });
    return order;
}

// The axes of a gaussian, each times its standard deviation: columns of the rotation matrix.
void fill_axes(GaussianBlock& block, std::size_t lane, const float* scale, const float* rotation) {
    const double w = rotation[0], x = rotation[1], y = rotation[2], z = rotation[3];
    const double columns[3][3] = {
        {1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)},
        {2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)},
        {2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)},
    };
    for (int axis = 0; axis < 3; ++axis)
        for (int i = 0; i < 3; ++i)
            block.axes[axis][i][lane] = float(columns[axis][i] * scale[axis]);
}

}  // namespace

// What one picture needs besides the scene; kept for the next one.
struct SplatScene::Scratch {
    std::vector<Splat> splats;              // as many as gaussians, those of a chunk at its place
    std::vector<std::uint32_t> chunk_sizes;
    std::vector<std::uint64_t> items, spare;  // depth and number, sorted
    std::vector<TileRange> ranges;            // in the order of items
    struct Row {
        std::vector<Tile> tiles;
        std::vector<std::uint32_t> touching, starts, lists;
    };
    std::vector<Row> rows;  // one for each thread
};

namespace {

class Picture {
  public:
    Picture(const SplatCamera& camera, const SplatPicture& arrays, const SplatKernels& kernels)
        : camera_(camera), arrays_(arrays), kernels_(kernels) {}

    int tile_rows() const { return (camera_.height + TILE - 1) / TILE; }
    int tile_columns() const { return (camera_.width + TILE - 1) / TILE; }

    void begin_row(int row, std::vector<Tile>& tiles) const {
        tiles.resize(std::size_t(tile_columns()));
        for (std::size_t column = 0; column < tiles.size(); ++column) {
            Tile& tile = tiles[column];
            std::fill_n(tile.light, TILE * TILE, 1.0f);
            for (float* sums : {tile.red, tile.green, tile.blue, tile.depth})
                std::fill_n(sums, TILE * TILE, 0.0f);
            std::fill_n(tile.median_depth, TILE * TILE, std::numeric_limits<float>::infinity());
            std::fill_n(tile.gaussian, TILE * TILE, -1);
            tile.saturated = false;
            if (arrays_.behind) read_behind(tile, row, int(column));
        }
    }

    void blend(const Splat* splats, const std::uint32_t* numbers, std::size_t count, int column,
               int row, Tile& tile) const {
        const bool with_depth = arrays_.depth || arrays_.median_depth || arrays_.gaussian;
        kernels_.blend(splats, numbers, count, column * TILE, row * TILE, with_depth,
                       arrays_.behind != nullptr, tile);
    }

    void end_row(int row, const std::vector<Tile>& tiles) const {
        for (std::size_t column = 0; column < tiles.size(); ++column)
            for (int y = row * TILE; y < std::min((row + 1) * TILE, camera_.height); ++y)
                write(tiles[column], (y % TILE) * TILE, int(column) * TILE, y);
    }

  private:
    int columns_of_tile(int x) const { return std::min(TILE, camera_.width - x); }

    void read_behind(Tile& tile, int row, int column) const {
        std::fill_n(tile.behind, TILE * TILE, std::numeric_limits<float>::infinity());
        const int x = column * TILE;
        for (int y = row * TILE; y < std::min((row + 1) * TILE, camera_.height); ++y)
            std::copy_n(arrays_.behind + std::size_t(y) * camera_.width + x, columns_of_tile(x),
                        tile.behind + (y % TILE) * TILE);
    }

    void write(const Tile& tile, int from, int x, int y) const {
        const std::size_t at = std::size_t(y) * camera_.width + x;
        const int count = columns_of_tile(x);
        for (int i = 0; i < count; ++i) {
            const float alpha = 1.0f - tile.light[from + i];
            const bool opaque = alpha >= OPAQUE;
            if (arrays_.colour) {
                float* const colour = arrays_.colour + 3 * (at + i);
                colour[0] = tile.red[from + i];
                colour[1] = tile.green[from + i];
                colour[2] = tile.blue[from + i];
            }
            if (arrays_.alpha) arrays_.alpha[at + i] = alpha;
            if (arrays_.depth)
                arrays_.depth[at + i] = opaque ? tile.depth[from + i] / alpha
                                               : std::numeric_limits<float>::infinity();
        }
        if (arrays_.median_depth)
            std::copy_n(tile.median_depth + from, count, arrays_.median_depth + at);
        if (arrays_.gaussian) std::copy_n(tile.gaussian + from, count, arrays_.gaussian + at);
    }

    const SplatCamera& camera_;
    const SplatPicture& arrays_;
    const SplatKernels& kernels_;
};

TileRange tiles_of(const Splat& splat) {
    return {std::uint16_t(splat.first_row / TILE), std::uint16_t(splat.last_row / TILE),
            std::uint16_t(splat.first_column / TILE), std::uint16_t(splat.last_column / TILE)};
}

// Runs `work` on this thread and on up to `threads` - 1 others.
template <typename Work>
void on_threads(int threads, const Work& work) {
    share(threads, threads, {}, [&](int, int thread, const Interrupt&) {
        work(thread);
        return true;
    });
}

}  // namespace

SplatScene::SplatScene(std::size_t count, int coefficients, const float* means,
                       const float* scales, const float* rotations, const float* opacities,
                       const float* harmonics)
    : count_(count), coefficients_(coefficients), gaussians_(order_in_space(count, means)) {
    const std::size_t blocks = (count + LANES - 1) / LANES, width = 3 * std::size_t(coefficients);
    blocks_.resize(blocks, GaussianBlock{});
    harmonics_.resize(blocks * width * LANES);
    for (std::size_t at = 0; at < count; ++at) {
        const std::size_t from = gaussians_[at], lane = at % LANES;
        GaussianBlock& block = blocks_[at / LANES];
        for (int axis = 0; axis < 3; ++axis) block.mean[axis][lane] = means[3 * from + axis];
        fill_axes(block, lane, scales + 3 * from, rotations + 4 * from);
        block.log2_opacity[lane] = float(std::log2(double(opacities[from])));
        float* const to = harmonics_.data() + at / LANES * width * LANES + lane;
        for (std::size_t k = 0; k < width; ++k) to[k * LANES] = harmonics[width * from + k];
    }
    for (std::size_t at = count; at < blocks * LANES; ++at)
        blocks_.back().log2_opacity[at % LANES] = -std::numeric_limits<float>::infinity();
    gaussians_.resize(blocks * LANES);
}

SplatScene::~SplatScene() = default;

std::size_t SplatScene::bytes() const {
    return blocks_.size() * sizeof(GaussianBlock) + harmonics_.size() * sizeof(float) +
           gaussians_.size() * sizeof(std::uint32_t);
}

std::unique_ptr<SplatScene::Scratch> SplatScene::take_scratch() const {
    const std::lock_guard lock(mutex_);
    if (spare_.empty()) return std::make_unique<Scratch>();
    std::unique_ptr<Scratch> scratch = std::move(spare_.back());
    spare_.pop_back();
    return scratch;
}

void SplatScene::draw(const SplatCamera& camera, const SplatPicture& arrays,
                      const SplatOptions& options, const std::atomic<bool>& cancelled) const {
#if defined(HELIOGRAPH_AVX2)
    const SplatKernels& kernels =
        options.level >= 2 && has_avx2() ? avx2_splat_kernels : portable_splat_kernels;
#else
    const SplatKernels& kernels = portable_splat_kernels;
#endif
    const Picture picture(camera, arrays, kernels);
    const std::size_t chunks = (blocks_.size() + CHUNK - 1) / CHUNK;
    std::unique_ptr<Scratch> scratch = take_scratch();
    Scratch& s = *scratch;
    s.splats.resize(blocks_.size() * LANES);
    s.chunk_sizes.assign(chunks, 0);
    s.rows.resize(std::max(s.rows.size(), std::size_t(options.threads)));
    std::atomic<std::size_t> next_chunk = 0;
    std::atomic<int> next_row = 0;

    const auto project = [&](std::size_t chunk) {
        const std::size_t first = chunk * CHUNK, last = std::min(first + CHUNK, blocks_.size());
        Splat* const begin = s.splats.data() + first * LANES;
        Splat* next = begin;
        for (std::size_t block = first; block < last; ++block)
            next += kernels.project(
                blocks_[block], harmonics_.data() + block * 3 * coefficients_ * LANES,
                coefficients_, camera, gaussians_.data() + block * LANES, next);
        s.chunk_sizes[chunk] = std::uint32_t(next - begin);
    };

    const auto sort = [&] {
        s.items.clear();
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
            const std::size_t first = chunk * CHUNK * LANES;
            for (std::size_t i = first; i < first + s.chunk_sizes[chunk]; ++i)
                s.items.push_back(
                    std::uint64_t(std::bit_cast<std::uint32_t>(s.splats[i].depth)) << 32 | i);
        }
        radix_sort(s.items, s.spare);
        s.ranges.resize(s.items.size());
        for (std::size_t i = 0; i < s.items.size(); ++i)
            s.ranges[i] = tiles_of(s.splats[std::uint32_t(s.items[i])]);
    };

    // Lists the next splats that touch a row for each of its tiles; returns where it stopped.
    const auto list = [&](int row, std::size_t from, Scratch::Row& lists) {
        const std::size_t columns = lists.tiles.size();
        lists.touching.clear();
        lists.starts.assign(columns + 1, 0);
        std::size_t pairs = 0;
        while (from < s.ranges.size() && pairs < MOST_PAIRS) {
            const std::size_t end = std::min(from + SCAN, s.ranges.size());
            std::size_t count = lists.touching.size();
            const std::size_t first = count;
            lists.touching.resize(count + SCAN);
            for (; from < end; ++from) {  // without a branch, which nobody could foretell
                lists.touching[count] = std::uint32_t(from);
                count += int(row >= s.ranges[from].first_row) & int(row <= s.ranges[from].last_row);
            }
            lists.touching.resize(count);
            for (std::size_t i = first; i < count; ++i) {
                const TileRange& range = s.ranges[lists.touching[i]];
                pairs += range.last_column - range.first_column + 1u;
                for (int column = range.first_column; column <= range.last_column; ++column)
                    ++lists.starts[column];
            }
        }
        std::uint32_t end = 0;
        for (std::uint32_t& start : lists.starts) end += std::exchange(start, end);
        lists.lists.resize(pairs);
        for (const std::uint32_t i : lists.touching)
            for (int column = s.ranges[i].first_column; column <= s.ranges[i].last_column; ++column)
                lists.lists[lists.starts[column]++] = std::uint32_t(s.items[i]);
        return from;
    };

    const auto blend = [&](int row, Scratch::Row& lists) {
        picture.begin_row(row, lists.tiles);
        bool saturated = false;
        for (std::size_t from = 0; from < s.ranges.size() && !saturated && !cancelled.load();) {
            from = list(row, from, lists);
            saturated = true;
            std::uint32_t begin = 0;
            for (std::size_t column = 0; column < lists.tiles.size(); ++column) {
                Tile& tile = lists.tiles[column];
                const std::uint32_t end = lists.starts[column];  // where the next one began
                if (!tile.saturated)
                    picture.blend(s.splats.data(), lists.lists.data() + begin, end - begin,
                                  int(column), row, tile);
                saturated &= tile.saturated;
                begin = end;
            }
        }
        picture.end_row(row, lists.tiles);
    };

    on_threads(options.threads, [&](int) {
        for (std::size_t chunk; (chunk = next_chunk++) < chunks && !cancelled.load();)
            project(chunk);
    });
    if (!cancelled.load()) sort();
    on_threads(options.threads, [&](int thread) {
        for (int row; (row = next_row++) < picture.tile_rows() && !cancelled.load();)
            blend(row, s.rows[std::size_t(thread)]);
    });
    const std::lock_guard lock(mutex_);
    spare_.push_back(std::move(scratch));
}

}  // namespace heliograph
