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

// Sorts keys together with where they came from: keys ascending, values[indices[k]] has keys[k].
// Equal keys come in an order of their own that depends on the values alone. `work` (count) is
// overwritten. Requires count < 2^32.
//
// Up to 2^14 values are sorted as 32-bit words: a cell number (the value's place on a grid over the
// range) above the index. That takes half of what 64-bit words do; the few neighbours that one cell
// leaves in the wrong order are put right by insertion. Values that crowd into few cells, and more
// values, are sorted as (key, index) in 64 bits.
void SortKeysWithIndex(const float* values, int64_t count, uint64_t* work, uint32_t* keys,
                       uint32_t* indices);

// The float of a key.
float ValueOfKey(uint32_t key);

}  // namespace riesz::cpu
