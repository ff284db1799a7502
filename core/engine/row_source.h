// Rows of a new ensemble, made one by one: random numbers, or a choice from a data set.
//
// Thread safety: a RowSource belongs to one thread; DataSetCache is thread-safe.
// Ownership: a RowSource shares the data set that it reads. A data set holds its own memory in the
// ledger, from before it is read until its last user lets it go.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/dataset/dataset.h"
#include "core/engine/interruption.h"
#include "core/engine/ledger.h"
#include "core/engine/requests.h"

namespace riesz {

struct RowSource {
  Reservation memory;  // of what write_row holds; the labels are not in it
  int64_t count = 0, dim = 0;
  // Writes row i, `dim` floats, to out.
  std::function<void(int64_t i, float* out)> write_row;
  std::vector<int32_t> labels;  // empty, or one a row
  std::optional<SampleShape> sample_shape;
  std::optional<ValueScaling> value_scaling;
  std::string description;  // e.g. "generator uniform, seed 5"
};

// Row i is a function of (seed, i) only. INVALID_ARGUMENT for a shape out of range, or for a mean
// or scale that is not finite (a scale must be > 0).
absl::StatusOr<RowSource> GeneratorRows(const GeneratorSource& source);

// Keeps the data sets read last, so that subsets of one data set are made without reading it again.
// At most max_bytes are kept.
class DataSetCache {
 public:
  static constexpr int64_t kDefaultMaxBytes = int64_t{1} << 30;
  explicit DataSetCache(std::string data_dir, int64_t max_bytes = kDefaultMaxBytes)
      : data_dir_(std::move(data_dir)), max_bytes_(max_bytes) {}

  // Reads, or finds what was read. Files that changed since are read again. NOT_FOUND;
  // RESOURCE_EXHAUSTED where the ledger has no room for the reading; the interruption's error, at
  // the next mebibyte. The ledger must outlive what is read and this.
  absl::StatusOr<std::shared_ptr<const Dataset>> Read(const std::string& name,
                                                      const std::string& split, Ledger& ledger,
                                                      const Interruption& interruption);
  // Keeps none of them any longer.
  void Clear();
  const std::string& data_dir() const { return data_dir_; }

 private:
  struct Entry {
    std::string name, split, stamp;
    std::shared_ptr<const Dataset> data;
  };
  std::shared_ptr<const Dataset> Find(const std::string& name, const std::string& split,
                                      const std::string& stamp);
  void Keep(Entry entry);

  const std::string data_dir_;
  const int64_t max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
};

// Rows in the random order of the seed, after `offset` of them, of those with the wanted labels.
// OUT_OF_RANGE beyond the data set; errors of DataSetCache::Read. Reads files: not for a thread
// that must not block.
absl::StatusOr<RowSource> DataSetRows(DataSetCache& cache, const DataSetSource& source,
                                      Ledger& ledger, const Interruption& interruption);

}  // namespace riesz
