// An operation's work as a list of steps that queue launches, run chunk by chunk.
//
// A chunk is as many steps as make kChunkSeconds by the cost model, at least one; after it the
// plan waits for the device, once, and asks the stop token and the budget. Chunks follow from the
// plan alone, so that where it yields changes nothing.
//
// Thread safety: none; a plan belongs to its operation. A chunk holds the device's compute queue.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/budget.h"
#include "core/backend/cuda/device.h"

namespace riesz::cuda {

// A tenth of the 20 ms that a chunk may take: the model behind it was not measured, and may be
// wrong by ten. Waiting for the device costs some 10 us, 0.5 % of it.
inline constexpr double kChunkSeconds = 0.002;

class LaunchPlan {
 public:
  using Step = std::function<absl::Status()>;
  using Tile = std::function<absl::Status(int64_t tile)>;

  explicit LaunchPlan(Device& device) : device_(device) {}

  // Adds a step that queues about `seconds` of work; small steps share a chunk.
  void Add(double seconds, Step enqueue);
  // Adds `tiles` alike, of `tile_seconds` each, in chunks of their own.
  void AddTiles(int64_t tiles, double tile_seconds, Tile enqueue);
  // Ends a chunk: `body` runs on the host once all work so far is done. It must not queue any.
  void AddOnHost(std::function<void()> body);

  // After an error Run would go on from the chunk that failed.
  absl::StatusOr<RunResult> Run(Budget& budget, const std::stop_token& stop);
  // Back to the first step, for flows: the plan is the same every step.
  void Restart();

  bool done() const { return group_ == groups_.size(); }
  int64_t chunks_done() const { return chunks_done_; }
  int64_t chunks_planned() const { return chunks_planned_; }

 private:
  // Either a chunk of different steps, or chunks of tiles.
  struct Group {
    double seconds = 0;
    std::vector<Step> steps;
    std::function<void()> on_host;
    int64_t tiles = 0;
    int64_t tiles_per_chunk = 0;
    Tile tile;
  };
  Group& OpenGroup(double seconds);
  absl::Status EnqueueChunk(const Group& group);
  absl::Status RunChunk();

  Device& device_;
  std::vector<Group> groups_;
  size_t group_ = 0;
  int64_t tile_ = 0;  // first of the group that is not done
  int64_t chunks_done_ = 0;
  int64_t chunks_planned_ = 0;
};

}  // namespace riesz::cuda
