#include "scene.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>

namespace heliograph {

void Meshes::put(std::vector<float>* columns, int count, std::size_t first, std::size_t rows,
                 const float* from) {
    for (int column = 0; column < count; ++column) {
        std::vector<float>& to = columns[column];
        if (to.size() < first + rows + PADDING)
            to.resize(std::max(first + rows + PADDING, to.size() * 2));
    }
    if (columns == position || columns == normal) {
        put_vectors(columns, first, rows, from);
        return;
    }
    for (int column = 0; column < count; ++column)
        for (std::size_t row = 0; row < rows; ++row)
            columns[column][first + row] = from[row * std::size_t(count) + std::size_t(column)];
}

void Meshes::put_vectors(std::vector<float>* columns, std::size_t first, std::size_t rows,
                         const float* from) {
    if (columns == position) ++states[std::uint32_t(first)];
    if (packed.size() < 8 * columns[0].size()) packed.resize(8 * columns[0].size());
    float *x = &columns[0][first], *y = &columns[1][first], *z = &columns[2][first];
    float* to = &packed[8 * first + (columns == normal ? 4 : 0)];
    for (std::size_t row = 0; row < rows; ++row, from += 3, to += 8) {
        to[0] = x[row] = from[0];
        to[1] = y[row] = from[1];
        to[2] = z[row] = from[2];
    }
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
    forget(begin, end);
    firsts[begin] = end;
    runs[begin] = Run{end - begin, std::int32_t(most) + 1};
}

void Meshes::trim(std::size_t vertices, std::size_t indices) {
    const auto cut = [](auto& columns, std::size_t rows) {
        for (auto& column : columns)
            if (column.size() > 4 * (rows + PADDING)) {
                column.resize(rows + PADDING);
                column.shrink_to_fit();
            }
    };
    cut(position, vertices), cut(normal, vertices), cut(uv, vertices), cut(colour, vertices);
    cut(corner, indices / 3);
    if (packed.size() > 4 * 8 * (vertices + PADDING)) {
        packed.resize(8 * (vertices + PADDING));
        packed.shrink_to_fit();
    }
    std::erase_if(states, [&](const auto& each) { return each.first >= vertices; });
    forget(std::uint32_t(indices), std::numeric_limits<std::uint32_t>::max());
}

void Meshes::forget(std::uint32_t begin, std::uint32_t end) {
    auto old = firsts.lower_bound(begin);
    if (old != firsts.begin() && std::prev(old)->second > begin) --old;
    while (old != firsts.end() && old->first < end) {
        runs.erase(old->first);
        old = firsts.erase(old);
    }
}

std::size_t Meshes::nbytes() const {
    std::size_t numbers = 0;
    const auto count = [&](const auto& columns) {
        for (const auto& column : columns) numbers += column.capacity();
    };
    count(position), count(normal), count(uv), count(colour), count(corner);
    return 4 * (numbers + packed.capacity());
}

Meshes::Run* Meshes::run_of(std::uint32_t first, std::uint32_t count, std::uint32_t base,
                            bool tinted) {
    const auto found = runs.find(first);
    if (found == runs.end() || found->second.indices != count) return nullptr;
    const std::size_t end = std::size_t(base) + std::size_t(found->second.vertices) + PADDING;
    const bool there = end <= position[0].size() && end <= normal[0].size() &&
                       end <= uv[0].size() && (!tinted || end <= colour[0].size());
    return there ? &found->second : nullptr;
}

const Meshes::Joined* Meshes::joined(Run& run, std::uint32_t first, std::uint32_t base) {
    constexpr std::uint32_t FEW = 3;
    constexpr std::int32_t MANY = 64;
    if (run.vertices < MANY) return nullptr;
    const std::lock_guard held(*joining_);
    if (run.uses == 0) run.base = base;
    if (run.base != base) return nullptr;
    const std::uint32_t state = states[base];
    if (run.state != state) run.state = state, run.uses = 0, run.joined = {};
    if (run.uses < FEW && ++run.uses == FEW) join(run, first / 3, base);
    return run.joined.places > 0 ? &run.joined : nullptr;
}

void Meshes::join(Run& run, std::size_t first, std::size_t base) const {
    const std::size_t triangles = run.indices / 3, vertices = std::size_t(run.vertices);
    const std::size_t slots = std::bit_ceil(2 * vertices);
    std::vector<std::int32_t> place_of(vertices, -1), table(slots, -1);
    Joined made;
    const auto find = [&](std::size_t vertex) {
        std::uint32_t bits[3], hash = 0;
        for (int k = 0; k < 3; ++k) {
            bits[k] = std::bit_cast<std::uint32_t>(position[k][base + vertex]);
            hash = (hash ^ bits[k]) * 0x9E3779B1u, hash ^= hash >> 15;
        }
        for (std::size_t slot = hash & (slots - 1);; slot = (slot + 1) & (slots - 1)) {
            std::int32_t& place = table[slot];
            if (place < 0) {
                place = made.places++;
                for (int k = 0; k < 3; ++k)
                    made.position[k].push_back(std::bit_cast<float>(bits[k]));
                return place;
            }
            bool same = true;
            for (int k = 0; k < 3; ++k) {
                const float there = made.position[k][std::size_t(place)];
                same &= std::bit_cast<std::uint32_t>(there) == bits[k];
            }
            if (same) return place;
        }
    };
    for (int k = 0; k < 3; ++k) made.corner[k].resize(triangles + PADDING);
    for (std::size_t t = 0; t < triangles; ++t)
        for (int k = 0; k < 3; ++k) {
            const std::size_t vertex = std::size_t(corner[k][first + t]);
            std::int32_t& place = place_of[vertex];
            if (place < 0) place = find(vertex);
            made.corner[k][t] = place;
        }
    if (4 * std::size_t(made.places) > 3 * vertices) return;
    for (auto& column : made.position) column.resize(column.size() + PADDING);
    run.joined = std::move(made);
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
