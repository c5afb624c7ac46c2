// Sorts (key, number) pairs by their keys, equal ones as they came: least significant digit first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace heliograph {

// The key is the upper half of each item. `spare` is overwritten.
inline void radix_sort(std::vector<std::uint64_t>& items, std::vector<std::uint64_t>& spare) {
    constexpr int BITS = 11, PASSES = 3;
    constexpr std::size_t BUCKETS = std::size_t{1} << BITS;
    std::array<std::array<std::uint32_t, BUCKETS>, PASSES> starts{};
    for (const std::uint64_t item : items)
        for (int pass = 0; pass < PASSES; ++pass)
            ++starts[pass][(item >> (32 + pass * BITS)) & (BUCKETS - 1)];
    spare.resize(items.size());
    for (int pass = 0; pass < PASSES; ++pass) {
        std::uint32_t next = 0;
        bool all_equal = false;
        for (std::uint32_t& start : starts[pass]) {
            all_equal |= start == items.size();
            next += std::exchange(start, next);
        }
        if (all_equal) continue;
        for (const std::uint64_t item : items)
            spare[starts[pass][(item >> (32 + pass * BITS)) & (BUCKETS - 1)]++] = item;
        items.swap(spare);
    }
}

}  // namespace heliograph
