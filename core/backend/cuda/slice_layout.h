// How the slices of a spec fall into chunks that one round of launches takes; a pure function of
// shape, spec and the device's model, never of free memory.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cuda/device_runtime.h"
#include "core/directions.h"

namespace riesz::cuda {

// Slices [first, first + count), from blocks [first_block, end_block) of directions; the first
// `skipped` slices of the first block belong to chunks before it.
struct SliceChunk {
  int64_t first = 0;
  int64_t count = 0;
  int64_t first_block = 0;
  int64_t end_block = 0;
  int64_t skipped = 0;
};

struct SliceLayout {
  std::vector<SliceChunk> chunks;
  int64_t slices = 0;
  int64_t max_count = 0;       // slices of the largest chunk
  int64_t direction_rows = 0;  // rows that hold all blocks of any chunk, whole
};

// Chunks are whole blocks of directions where several fit, else equal pieces of one.
SliceLayout LayOutSlices(const DeviceSpeed& speed, ProblemShape shape, const DirectionSpec& spec);

// Predicted seconds of one slice.
double ProjectSeconds(const DeviceSpeed& speed, ProblemShape shape);
double SortSeconds(const DeviceSpeed& speed, ProblemShape shape);
double ProjectBackSeconds(const DeviceSpeed& speed, ProblemShape shape);
// To read and write so many floats once.
double CopySeconds(const DeviceSpeed& speed, int64_t floats);

}  // namespace riesz::cuda
