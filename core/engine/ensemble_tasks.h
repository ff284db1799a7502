// How ensembles come into being on the I/O executor, tile by tile: filled row by row, or taken over
// from a computation and checksummed.
//
// Thread safety: a task belongs to one thread at a time. Its callback is called exactly once: by
// RunTile, or by Refuse where the executor did not take the task.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/engine/device.h"
#include "core/engine/ensemble_store.h"
#include "core/engine/finite.h"
#include "core/engine/interruption.h"
#include "core/engine/ledger.h"
#include "core/engine/requests.h"
#include "core/engine/row_source.h"

namespace riesz {

// Bytes of one tile: a few milliseconds of generating or copying. At least one row is taken.
inline constexpr int64_t kTileBytes = int64_t{1} << 20;

// An ensemble whose id is claimed and whose content is on its way.
struct PendingEnsemble {
  Device* device = nullptr;
  EnsembleStore* store = nullptr;
  Interruption interruption;
  EnsembleStore::Claim claim;
  EnsembleTraits traits;
  Callback<EnsembleInfo> done;
};

// Fills a new ensemble with rows that are made on the spot.
class FillTask {
 public:
  // May read files, which the interruption ends.
  using MakeRows = std::function<absl::StatusOr<RowSource>(const Interruption&)>;
  FillTask(PendingEnsemble ensemble, MakeRows make_rows)
      : ensemble_(std::move(ensemble)), make_rows_(std::move(make_rows)) {}

  bool RunTile();
  void Refuse(absl::Status status);

 private:
  int64_t RowsPerTile() const;
  int64_t Tiles(int64_t rows) const;
  absl::Status Begin();
  absl::Status FillRows();
  absl::StatusOr<StoredEnsemble> Seal();

  PendingEnsemble ensemble_;
  const MakeRows make_rows_;
  std::optional<RowSource> rows_;
  Reservation memory_;
  std::unique_ptr<EnsembleBuffer> buffer_;
  int64_t rows_done_ = 0;
  uint32_t crc32c_ = 0;
  FiniteScan scan_;
};

// Publishes particles that a computation made.
class AdoptTask {
 public:
  AdoptTask(PendingEnsemble ensemble, std::shared_ptr<const DeviceEnsemble> particles,
            std::string source)
      : ensemble_(std::move(ensemble)),
        particles_(std::move(particles)),
        source_(std::move(source)) {}

  bool RunTile();
  void Refuse(absl::Status status);

 private:
  absl::Status Checksum();

  PendingEnsemble ensemble_;
  std::shared_ptr<const DeviceEnsemble> particles_;
  const std::string source_;
  std::vector<std::byte> tile_;
  int64_t bytes_done_ = 0;
  uint32_t crc32c_ = 0;
};

}  // namespace riesz
