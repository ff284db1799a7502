#include "core/backend/cuda/direction_source.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/backend/cuda/kernels/iid_directions.h"
#include "core/backend/cuda/launch_plan.h"
#include "core/status_macros.h"

namespace riesz::cuda {

namespace {

// Floats of a block that threads pay for.
constexpr int64_t kWorthThreads = int64_t{1} << 16;

constexpr int64_t kMaxTeam = 16;  // starting more would take longer than what they do

// ParallelFor with threads that live as long as the call. Starting one takes some 15 us, a call
// within a QR of 500 rows a millisecond: a team that waits between calls would save little.
void SpawnFor(int threads, int64_t tasks, const std::function<void(int64_t)>& body) {
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    for (int64_t task = next++; task < tasks; task = next++) body(task);
  };
  std::vector<std::jthread> team;
  try {
    const int64_t size = std::min({int64_t{threads}, tasks, kMaxTeam});
    for (int64_t t = 1; t < size; ++t) team.emplace_back(work);
  } catch (const std::system_error&) {
    // No more threads: those that there are do all the work.
  }
  work();
}

}  // namespace

DirectionSource::DirectionSource(Device& device, int threads, const DirectionSpec& spec,
                                 int64_t dim, const SliceLayout& layout, bool repeats)
    : device_(device),
      threads_(threads),
      spec_(spec),
      dim_(dim),
      layout_(layout),
      repeats_(repeats),
      scratch_(spec, dim) {}

absl::StatusOr<std::unique_ptr<DirectionSource>> DirectionSource::Make(Device& device, int threads,
                                                                       const DirectionSpec& spec,
                                                                       int64_t dim,
                                                                       const SliceLayout& layout,
                                                                       bool repeats) {
  std::unique_ptr<DirectionSource> source(
      new DirectionSource(device, threads, spec, dim, layout, repeats));
  const int64_t size = layout.direction_rows * dim;
  RIESZ_ASSIGN_OR_RETURN(source->directions_,
                         DeviceArray<float>::Make(device, size, "directions of slices"));
  if (source->OnHost()) {
    for (PinnedArray<float>& made : source->made_) {
      RIESZ_ASSIGN_OR_RETURN(made, PinnedArray<float>::Make(device, size, "directions of slices"));
    }
  }
  return source;
}

DirectionSource::~DirectionSource() {
  if (making_.valid()) making_.wait();
}

int64_t DirectionSource::Bytes(const DirectionSpec& spec, int64_t dim, const SliceLayout& layout) {
  const int64_t bytes = DeviceArray<float>::Bytes(layout.direction_rows * dim);
  const bool on_host = spec.kind != DirectionKind::kIid || dim == 1;
  return bytes * (on_host ? 3 : 1) + DirectionScratch::Bytes(spec, dim);
}

bool DirectionSource::OnHost() const { return spec_.kind != DirectionKind::kIid || dim_ == 1; }

// A later piece of a block that an earlier chunk has brought.
bool DirectionSource::IsPiece(int64_t index) const {
  return layout_.chunks[static_cast<size_t>(index)].skipped > 0;
}

DirectionSource::Place DirectionSource::After(Place place) const {
  const auto chunks = static_cast<int64_t>(layout_.chunks.size());
  do {
    ++place.index;
  } while (place.index < chunks && IsPiece(place.index));
  return place.index < chunks ? place : Place{place.step + 1, 0};
}

void DirectionSource::MakeOnHost(Place place) {
  const SliceChunk& chunk = layout_.chunks[static_cast<size_t>(place.index)];
  const ParallelFor parallel = [this](int64_t tasks, const std::function<void(int64_t)>& body) {
    SpawnFor(threads_, tasks, body);
  };
  for (int64_t b = chunk.first_block; b < chunk.end_block; ++b) {
    const DirectionBlock block = DirectionBlockAt(spec_, dim_, b);
    GenerateDirectionBlock(spec_, dim_, static_cast<uint64_t>(place.step), b,
                           made_[filling_].data() + (block.first - chunk.first) * dim_, scratch_,
                           block.count * dim_ >= kWorthThreads ? parallel : SerialFor);
  }
}

void DirectionSource::MakeAhead(Place place) {
  try {
    making_ = std::async(std::launch::async, [this, place] { MakeOnHost(place); });
    ahead_ = place;
  } catch (const std::system_error&) {
    // No thread for it: the next Enqueue makes them itself.
  }
}

double DirectionSource::PlanSeconds() const {
  return OnHost() ? kChunkSeconds : CopySeconds(device_.facts().speed, layout_.max_count * dim_);
}

absl::Status DirectionSource::Enqueue(int64_t step, int64_t index) {
  const SliceChunk& chunk = layout_.chunks[static_cast<size_t>(index)];
  skipped_ = chunk.skipped;
  if (!OnHost()) {
    skipped_ = 0;
    return DrawIidDirections(device_, spec_, dim_, static_cast<uint64_t>(step), chunk.first,
                             chunk.count, directions_.data());
  }
  if (IsPiece(index)) return absl::OkStatus();  // the block is still there
  const Place wanted{step, index};
  if (making_.valid()) making_.get();
  // A flow that was restored wants another step than was expected.
  if (ahead_ != wanted) MakeOnHost(wanted);
  const float* made = made_[filling_].data();
  filling_ = 1 - filling_;
  ahead_.reset();
  const DirectionBlock last = DirectionBlockAt(spec_, dim_, chunk.end_block - 1);
  const int64_t rows = last.first + last.count - chunk.first;
  RIESZ_RETURN_IF_ERROR(device_.EnqueueToDevice(directions_.data(), made, rows * dim_ * 4));
  const Place next = After(wanted);
  if (next.step == step || repeats_) MakeAhead(next);
  return absl::OkStatus();
}

}  // namespace riesz::cuda
