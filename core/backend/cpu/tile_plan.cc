#include "core/backend/cpu/tile_plan.h"

#include <algorithm>
#include <utility>

namespace riesz::cpu {

void TilePlan::AddPhase(int64_t tiles, double tile_seconds, ThreadPool::Body body) {
  if (tiles == 0) return;
  const double fitting = kChunkSeconds / std::max(tile_seconds, 1e-9);
  const int64_t per_thread = fitting < 1 ? 1 : static_cast<int64_t>(fitting);
  const int64_t per_chunk = std::min(tiles, per_thread * pool_.threads());
  chunks_planned_ += (tiles + per_chunk - 1) / per_chunk;
  phases_.push_back({tiles, per_chunk, std::move(body), nullptr});
}

void TilePlan::AddSerial(std::function<void()> body) {
  ++chunks_planned_;
  phases_.push_back({1, 1, nullptr, std::move(body)});
}

RunResult TilePlan::Run(Budget& budget, const std::stop_token& stop) {
  while (!done()) {
    if (stop.stop_requested()) return RunResult::kStopped;
    RunChunk();
    if (budget.SpendChunk() && !done()) return RunResult::kYield;
  }
  return RunResult::kDone;
}

void TilePlan::RunChunk() {
  const Phase& phase = phases_[phase_];
  const int64_t tiles = std::min(phase.tiles_per_chunk, phase.tiles - tile_);
  if (phase.serial) {
    phase.serial();
  } else {
    pool_.For(tiles, [&](int64_t tile, int worker) { phase.body(tile_ + tile, worker); });
  }
  tile_ += tiles;
  ++chunks_done_;
  if (tile_ == phase.tiles) {
    ++phase_;
    tile_ = 0;
  }
}

void TilePlan::Restart() {
  phase_ = 0;
  tile_ = 0;
  chunks_done_ = 0;
}

}  // namespace riesz::cpu
