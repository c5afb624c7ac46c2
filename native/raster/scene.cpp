#include "scene.hpp"

#include <algorithm>
#include <iterator>

namespace heliograph {

void Meshes::put(std::vector<float>* columns, int count, std::size_t first, std::size_t rows,
                 const float* from) {
    for (int column = 0; column < count; ++column) {
        std::vector<float>& to = columns[column];
        if (to.size() < first + rows + PADDING)
            to.resize(std::max(first + rows + PADDING, to.size() * 2));
        for (std::size_t row = 0; row < rows; ++row)
            to[first + row] = from[row * std::size_t(count) + std::size_t(column)];
    }
    if (columns != position && columns != normal) return;
    if (packed.size() < 8 * columns[0].size()) packed.resize(8 * columns[0].size());
    float* to = packed.data() + 8 * first + (columns == normal ? 4 : 0);
    for (std::size_t row = 0; row < rows; ++row, to += 8) std::copy_n(from + 3 * row, 3, to);
}

void Meshes::put_triangles(std::size_t first, std::size_t rows, const std::uint32_t* from) {
    const std::size_t start = first / 3, count = rows / 3;
    std::uint32_t most = 0;
    for (int k = 0; k < 3; ++k) {
        std::vector<std::int32_t>& to = corner[k];
        if (to.size() < start + count + PADDING)
            to.resize(std::max(start + count + PADDING, to.size() * 2));
        for (std::size_t t = 0; t < count; ++t) {
            const std::uint32_t vertex = from[3 * t + std::size_t(k)];
            to[start + t] = std::int32_t(vertex);
            most = std::max(most, vertex);
        }
    }
    // What lay here before was removed.
    if (count == 0) return;
    const std::uint32_t begin = std::uint32_t(first), end = std::uint32_t(first + rows);
    auto old = firsts.lower_bound(begin);
    if (old != firsts.begin() && std::prev(old)->second > begin) --old;
    while (old != firsts.end() && old->first < end) {
        runs.erase(old->first);
        old = firsts.erase(old);
    }
    firsts[begin] = end;
    runs[begin] = {end - begin, std::int32_t(most) + 1};
}

std::int32_t Meshes::vertices_of(std::uint32_t first, std::uint32_t count, std::uint32_t base, bool tinted) const {
    const auto found = runs.find(first);
    if (found == runs.end() || found->second.indices != count) return 0;
    const std::size_t end = std::size_t(base) + std::size_t(found->second.vertices) + PADDING;
    const bool there = end <= position[0].size() && end <= normal[0].size() && end <= uv[0].size() &&
                       (!tinted || end <= colour[0].size());
    return there ? found->second.vertices : 0;
}

Kind Kind::of(std::int64_t key) {
    const auto bit = [key](int place) { return bool(key >> place & 1); };
    Kind kind{};
    kind.texture = std::int32_t(key & 0xFFFFF) - 1;
    kind.mirrored = bit(21), kind.own_uv = bit(22), kind.reflective = bit(23);
    kind.shading = Shading(key >> 24 & 15);
    kind.solver = Solver(key >> 28 & 15);
    kind.line = std::int32_t(key >> 32 & 31);
    kind.cutout = bit(39), kind.emissive = bit(40);
    kind.side = Side(key >> 50 & 3);
    kind.three_js = bit(52), kind.tinted = bit(53);
    return kind;
}

}  // namespace heliograph
