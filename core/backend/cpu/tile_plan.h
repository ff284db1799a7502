// An operation's work as a list of phases of independent tiles, run chunk by chunk.
//
// A phase begins when all tiles of the one before are done. A chunk is a fixed number of tiles of
// one phase, about kChunkSeconds on the clock by the cost model when every thread has its
// processor; between chunks the plan asks the stop token and the budget. Tiles are the same
// whatever the threads and wherever the plan yields: so are the results.
//
// Thread safety: none; a plan belongs to its operation.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "core/backend/budget.h"
#include "core/backend/cpu/thread_pool.h"

namespace riesz::cpu {

// What one thread computes in a second, for cutting work into chunks: rough, conservative.
inline constexpr double kChunkSeconds = 0.016;
inline constexpr double kFlopsPerSecond = 80e9;  // in products
inline constexpr double kBytesPerSecond = 4e9;   // in copies and packing
inline constexpr double kSecondsPerSortedPoint = 7e-9;
inline constexpr double kSecondsPerPowerPoint = 60e-9;  // likewise where r != 1

// Seconds of one thread to read and write so many floats once.
inline double CopySeconds(int64_t floats) {
  return static_cast<double>(floats) * 8 / kBytesPerSecond;
}
// Seconds of one thread for a (rows, depth) by (depth, columns) product.
inline double ProductSeconds(int64_t rows, int64_t columns, int64_t depth) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(columns) *
         static_cast<double>(depth) / kFlopsPerSecond;
}

class TilePlan {
 public:
  explicit TilePlan(ThreadPool& pool) : pool_(pool) {}

  // Adds a phase of `tiles` calls body(tile, worker), each of about `tile_seconds`.
  void AddPhase(int64_t tiles, double tile_seconds, ThreadPool::Body body);
  // Adds a phase of one call body() on the calling thread, which may use the pool itself.
  void AddSerial(std::function<void()> body);

  RunResult Run(Budget& budget, const std::stop_token& stop);
  // Back to the first phase, for flows: the plan is the same every step.
  void Restart();

  bool done() const { return phase_ == phases_.size(); }
  int64_t chunks_done() const { return chunks_done_; }
  int64_t chunks_planned() const { return chunks_planned_; }

 private:
  struct Phase {
    int64_t tiles = 0;
    int64_t tiles_per_chunk = 0;
    ThreadPool::Body body;
    std::function<void()> serial;
  };
  void RunChunk();

  ThreadPool& pool_;
  std::vector<Phase> phases_;
  size_t phase_ = 0;
  int64_t tile_ = 0;  // first tile of the phase that is not done
  int64_t chunks_done_ = 0;
  int64_t chunks_planned_ = 0;
};

}  // namespace riesz::cpu
