// Sorting of one slice's projections by vectorised quicksort (Highway's vqsort; Blacher et al.,
// arXiv 2205.05982), on keys whose integer order is the floats' order.
//
// Thread safety: pure functions on the caller's memory.
#pragma once

#include <cstdint>

namespace riesz::cpu {

// Order-preserving keys: a < b as floats exactly if key(a) < key(b); -0 and +0 share a key, so that
// they tie. Finite input.
void SortKeys(const float* values, int64_t count, uint32_t* keys);

// Sorted (key << 32 | index): unique, so the outcome does not depend on how the sort chose pivots.
// Requires count <= 2^32.
void SortKeysWithIndex(const float* values, int64_t count, uint64_t* keys);

// The float of a key.
float ValueOfKey(uint32_t key);

}  // namespace riesz::cpu
