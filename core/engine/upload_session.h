// One upload under way: bytes arrive in order, in chunks with a checksum each, into memory that was
// reserved at the start. The content is one stream: particles, then weights, then labels.
//
// Thread safety: thread-safe. At most one writer at a time (see AcquireWriter).
// Ownership: owns the half-filled ensemble, its memory and the claim of its id until Seal or Close.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/clock.h"
#include "core/engine/ensemble_store.h"
#include "core/engine/finite.h"
#include "core/engine/ledger.h"
#include "core/engine/requests.h"

namespace riesz {

// Bytes of the whole stream that `request` announces. Requires a valid shape.
int64_t UploadBytes(const UploadRequest& request);

class UploadSession {
 public:
  // What an upload holds until it ends. Destroyed in reverse order: memory is free again before
  // the ledger says so.
  struct Holdings {
    EnsembleStore::Claim claim;
    Reservation memory;
    std::unique_ptr<EnsembleBuffer> buffer;
    // Null where there are none; else with the whole column's capacity, longer with every chunk, so
    // that neither beginning nor ending an upload touches each of its pages.
    std::shared_ptr<std::vector<float>> weights;
    std::shared_ptr<std::vector<int32_t>> labels;
  };
  struct Parts {
    ResourceKey key;
    UploadRequest request;
    UploadInfo info;
    Clock::Time expiry;  // dropped then, unless bytes arrive
    Holdings held;
  };
  explicit UploadSession(Parts parts);

  // ABORTED (UPLOAD_BUSY) while another writer is open.
  absl::Status AcquireWriter();
  void ReleaseWriter();

  // See UploadWriter::Write. NOT_FOUND once closed. On success the upload lives until `expiry`.
  absl::Status Write(int64_t offset, uint32_t crc32c,
                     std::span<const std::span<const std::byte>> pieces, Clock::Time expiry,
                     WallTime expire_time);
  UploadInfo info() const;
  const ResourceKey& key() const { return key_; }
  bool closed() const;

  struct Sealed {
    StoredEnsemble ensemble;
    EnsembleStore::Claim claim;
  };
  // Ends the upload. ABORTED while a writer is open; FAILED_PRECONDITION when bytes are missing;
  // DATA_LOSS when `crc32c` is not the whole stream's. After an error the upload is as it was, but
  // for an error of the device: then it is closed. Copies nothing; the device is not waited for
  // under the lock.
  absl::StatusOr<Sealed> Seal(uint32_t crc32c);
  // Drops everything it holds; later calls find nothing.
  void Close();
  // Closes it where its time has come; true if this call did. Waits for nobody: an upload that is
  // being worked on is left alone.
  bool CloseIfExpired(Clock::Time now);

 private:
  // All require the lock.
  absl::Status CheckComplete(uint32_t crc32c) const;
  absl::Status CheckPlace(int64_t offset, int64_t size) const;
  absl::StatusOr<uint32_t> CopyIn(int64_t offset,
                                  std::span<const std::span<const std::byte>> pieces, int64_t size,
                                  FiniteScan& scan);
  // INVALID_ARGUMENT for a weight below 0 or not finite among those whose last byte lies in bytes
  // [begin, end) of the stream.
  absl::Status CheckWeights(int64_t begin, int64_t end) const;

  const ResourceKey key_;
  mutable std::mutex mutex_;
  Parts parts_;
  const int64_t particle_bytes_;
  FiniteScan scan_;  // of the particles committed
  bool writer_open_ = false;
  bool closed_ = false;
};

}  // namespace riesz
