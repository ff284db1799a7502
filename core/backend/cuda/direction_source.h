// Brings the directions of each slice chunk onto the device.
//
// Iid directions are drawn there. Orthogonal ones come from core/directions on the host, through
// pinned memory, and threads of the source's own make those of the next chunk, or of the next
// step's first, while the device works: the QR of a block of 784 rows takes some 50 ms of a
// processor core, many times what the device does in a flow step. So large orthogonal blocks bound
// the speed of a flow on a GPU; iid directions do not.
//
// Thread safety: none; it belongs to its pass.
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/slice_layout.h"
#include "core/directions.h"

namespace riesz::cuda {

class DirectionSource {
 public:
  // `threads` make directions on the host. `repeats`: steps follow each other, as in flows, so that
  // the first chunk of step + 1 is made ahead too. RESOURCE_EXHAUSTED. `layout` must outlive the
  // source.
  static absl::StatusOr<std::unique_ptr<DirectionSource>> Make(Device& device, int threads,
                                                               const DirectionSpec& spec,
                                                               int64_t dim,
                                                               const SliceLayout& layout,
                                                               bool repeats);
  ~DirectionSource();
  // Of device and host.
  static int64_t Bytes(const DirectionSpec& spec, int64_t dim, const SliceLayout& layout);

  // Queues what makes directions() those of chunk `index` at `step`. Waits for the host's part. The
  // device must have finished with the last Enqueue: PlanSeconds sees to it that a LaunchPlan waits
  // between them where the host takes part.
  absl::Status Enqueue(int64_t step, int64_t index);
  double PlanSeconds() const;
  // (count of the chunk, dim) on the device; valid until the next Enqueue.
  const float* directions() const { return directions_.data() + skipped_ * dim_; }
  float* directions() { return directions_.data() + skipped_ * dim_; }

 private:
  struct Place {
    int64_t step = 0, index = 0;
    bool operator==(const Place&) const = default;
  };

  DirectionSource(Device& device, int threads, const DirectionSpec& spec, int64_t dim,
                  const SliceLayout& layout, bool repeats);
  bool OnHost() const;
  bool IsPiece(int64_t index) const;
  Place After(Place place) const;
  void MakeOnHost(Place place);
  void MakeAhead(Place place);

  Device& device_;
  const int threads_;
  const DirectionSpec spec_;
  const int64_t dim_;
  const SliceLayout& layout_;
  const bool repeats_;
  DeviceArray<float> directions_;  // (direction_rows, dim) on the device
  int64_t skipped_ = 0;
  PinnedArray<float> made_[2];  // (direction_rows, dim) each; one is uploaded, one is filled
  int filling_ = 0;
  DirectionScratch scratch_;
  std::optional<Place> ahead_;  // what made_[filling_] holds, or will when making_ is over
  std::future<void> making_;
};

}  // namespace riesz::cuda
