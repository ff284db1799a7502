#include "core/backend/cuda/launch_plan.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/status_macros.h"

namespace riesz::cuda {

LaunchPlan::Group& LaunchPlan::OpenGroup(double seconds) {
  const bool open = !groups_.empty() && groups_.back().tiles == 0 && !groups_.back().on_host &&
                    groups_.back().seconds + seconds <= kChunkSeconds;
  if (!open) {
    groups_.emplace_back();
    ++chunks_planned_;
  }
  groups_.back().seconds += seconds;
  return groups_.back();
}

void LaunchPlan::Add(double seconds, Step enqueue) {
  OpenGroup(seconds).steps.push_back(std::move(enqueue));
}

void LaunchPlan::AddTiles(int64_t tiles, double tile_seconds, Tile enqueue) {
  if (tiles == 0) return;
  const double fitting = std::min(kChunkSeconds / tile_seconds, static_cast<double>(tiles));
  Group group;
  group.tiles = tiles;
  group.tiles_per_chunk = std::max<int64_t>(1, static_cast<int64_t>(fitting));
  group.tile = std::move(enqueue);
  chunks_planned_ += CeilDiv(tiles, group.tiles_per_chunk);
  groups_.push_back(std::move(group));
}

void LaunchPlan::AddOnHost(std::function<void()> body) { OpenGroup(0).on_host = std::move(body); }

absl::StatusOr<RunResult> LaunchPlan::Run(Budget& budget, const std::stop_token& stop) {
  while (!done()) {
    if (stop.stop_requested()) return RunResult::kStopped;
    RIESZ_RETURN_IF_ERROR(RunChunk());
    if (budget.SpendChunk() && !done()) return RunResult::kYield;
  }
  return RunResult::kDone;
}

void LaunchPlan::Restart() {
  group_ = 0;
  tile_ = 0;
  chunks_done_ = 0;
}

absl::Status LaunchPlan::EnqueueChunk(const Group& group) {
  for (const Step& step : group.steps) RIESZ_RETURN_IF_ERROR(step());
  const int64_t end = std::min(group.tiles, tile_ + group.tiles_per_chunk);
  for (int64_t tile = tile_; tile < end; ++tile) RIESZ_RETURN_IF_ERROR(group.tile(tile));
  return absl::OkStatus();
}

absl::Status LaunchPlan::RunChunk() {
  const Group& group = groups_[group_];
  {
    const std::lock_guard lock(device_.compute_queue());
    const absl::Status queued = EnqueueChunk(group);
    // Even after an error: nothing may be left in the queue when memory is given back.
    const absl::Status finished = device_.Synchronize();
    RIESZ_RETURN_IF_ERROR(queued);
    RIESZ_RETURN_IF_ERROR(finished);
  }
  if (group.on_host) group.on_host();
  ++chunks_done_;
  tile_ += group.tiles_per_chunk;
  if (tile_ >= group.tiles) {
    ++group_;
    tile_ = 0;
  }
  return absl::OkStatus();
}

}  // namespace riesz::cuda
