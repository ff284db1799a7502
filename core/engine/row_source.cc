#include "core/engine/row_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/engine/planner.h"
#include "core/error.h"
#include "core/random.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

// Choosing rows needs 8 bytes for each row of the data set (the list of those wanted), and for each
// up to the last one taken: its place in the random order (8), in that order's table of swaps (48),
// in the choice (8), and its label (4).
constexpr int64_t kListingBytesPerRow = 8;
constexpr int64_t kChoosingBytesPerRow = 68;

int64_t Bytes(const Dataset& data) {
  return static_cast<int64_t>(data.rows.bytes() + data.labels.size() * sizeof(int32_t));
}

// Sizes and times of the files behind a name: another stamp, another content.
std::string Stamp(const std::string& data_dir, const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::string stamp;
  const auto add = [&](const fs::path& file) {
    std::error_code absent;  // leaves sizes and times that no file has
    stamp += file.filename().string() + ' ' + std::to_string(fs::file_size(file, absent)) + ' ' +
             std::to_string(fs::last_write_time(file, absent).time_since_epoch().count()) + '\n';
  };
  // Every file that the name may mean (dataset.h), and all of a folder's: CIFAR-10 nests its own.
  for (const char* ending : {"", ".npy", ".csv"}) add(fs::path(data_dir) / (name + ending));
  for (fs::recursive_directory_iterator it(fs::path(data_dir) / name, error), end;
       !error && it != end; it.increment(error)) {
    add(it->path());
  }
  return stamp;
}

// Indices of the rows with a wanted label; all where none is named.
absl::StatusOr<std::vector<int64_t>> RowsWithLabels(const Dataset& data,
                                                    std::vector<int32_t> wanted) {
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(data.rows.rows()));
  std::sort(wanted.begin(), wanted.end());
  if (!wanted.empty() && data.labels.empty()) {
    return InvalidField("data_set.labels", "empty for a data set without labels",
                        std::to_string(wanted.size()) + " labels");
  }
  for (int64_t i = 0; i < data.rows.rows(); ++i) {
    if (wanted.empty() ||
        std::binary_search(wanted.begin(), wanted.end(), data.labels[static_cast<size_t>(i)])) {
      rows.push_back(i);
    }
  }
  return rows;
}

absl::Status BeyondDataSet(const DataSetSource& source, int64_t total) {
  return WithDetail(
      absl::OutOfRangeError("data_set.offset + data_set.count must be at most the " +
                            std::to_string(total) + " rows there are, and at least one row must " +
                            "be left; got " + std::to_string(source.offset) + " + " +
                            std::to_string(source.count)),
      {.reason = ErrorReason::kInvalidField, .metadata = {{"field", "data_set.count"}}});
}

}  // namespace

absl::StatusOr<RowSource> GeneratorRows(const GeneratorSource& source) {
  RIESZ_RETURN_IF_ERROR(ValidateShape(source.count, source.dim, "generator"));
  if (!std::isfinite(source.mean)) {
    return InvalidField("generator.mean", "finite", std::to_string(source.mean));
  }
  if (!std::isfinite(source.scale) || source.scale <= 0) {
    return InvalidField("generator.scale", "finite and > 0", std::to_string(source.scale));
  }
  const bool normal = source.distribution == GeneratorSource::Distribution::kNormal;
  const uint64_t seed = source.seed.has_value() ? *source.seed : RandomSeed();
  RowSource rows;
  rows.count = source.count;
  rows.dim = source.dim;
  rows.description = std::string("generator ") + (normal ? "normal" : "uniform") + ", seed " +
                     std::to_string(seed);
  rows.write_row = [=, dim = source.dim, mean = source.mean, scale = source.scale](int64_t i,
                                                                                   float* out) {
    const auto fill = normal ? FillNormals : FillUniforms;
    fill(seed, RandomStream::kGenerator, 0, static_cast<uint64_t>(i), out, dim);
    if (mean == 0 && scale == 1) return;
    for (int64_t k = 0; k < dim; ++k) out[k] = static_cast<float>(mean + scale * out[k]);
  };
  return rows;
}

absl::StatusOr<std::shared_ptr<const Dataset>> DataSetCache::Read(
    const std::string& name, const std::string& split, Ledger& ledger,
    const Interruption& interruption) {
  // An empty path would be the directory that the server was started in.
  if (data_dir_.empty()) return NotFoundError("data set", name);
  // Before the files of a hostile name are looked at.
  RIESZ_RETURN_IF_ERROR(CheckDatasetName(name, split));
  const std::string stamp = Stamp(data_dir_, name);
  if (auto found = Find(name, split, stamp); found != nullptr) return found;
  Reservation memory;
  const auto reserve = [&](int64_t bytes) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(Reservation more, ledger.Reserve(bytes, "data set '" + name + "'"));
    memory.Merge(std::move(more));
    return absl::OkStatus();
  };
  const auto proceed = [&] {
    return interruption.Due() ? interruption.Explain(0, 0) : absl::OkStatus();
  };
  RIESZ_ASSIGN_OR_RETURN(
      Dataset read, ReadDataset(data_dir_, name, split, {.reserve = reserve, .proceed = proceed}));
  memory.ShrinkTo(Bytes(read));
  auto data = HoldMemory(std::make_shared<const Dataset>(std::move(read)), std::move(memory));
  Keep({.name = name, .split = split, .stamp = stamp, .data = data});
  return data;
}

std::shared_ptr<const Dataset> DataSetCache::Find(const std::string& name, const std::string& split,
                                                  const std::string& stamp) {
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.name == name && entry.split == split && entry.stamp == stamp;
  });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return found->data;
}

void DataSetCache::Clear() {
  std::list<Entry> dropped;  // freed without the lock
  std::lock_guard lock(mutex_);
  dropped.swap(entries_);
}

void DataSetCache::Keep(Entry entry) {
  std::list<Entry> dropped;  // freed without the lock
  std::lock_guard lock(mutex_);
  entries_.push_front(std::move(entry));
  int64_t bytes = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto next = std::next(it);
    bytes += Bytes(*it->data);
    if (bytes > max_bytes_) dropped.splice(dropped.end(), entries_, it);
    it = next;
  }
}

absl::StatusOr<RowSource> DataSetRows(DataSetCache& cache, const DataSetSource& source,
                                      Ledger& ledger, const Interruption& interruption) {
  RIESZ_ASSIGN_OR_RETURN(const std::shared_ptr<const Dataset> data,
                         cache.Read(source.name, source.split, ledger, interruption));
  RowSource rows;
  const std::string what = "choosing rows of data set '" + source.name + "'";
  RIESZ_ASSIGN_OR_RETURN(rows.memory,
                         ledger.Reserve(kListingBytesPerRow * data->rows.rows(), what));
  RIESZ_ASSIGN_OR_RETURN(const std::vector<int64_t> eligible, RowsWithLabels(*data, source.labels));
  const auto total = static_cast<int64_t>(eligible.size());
  if (source.offset < 0 || source.count < 0 || source.offset >= total ||
      source.count > total - source.offset) {
    return BeyondDataSet(source, total);
  }
  const uint64_t seed = source.seed.has_value() ? *source.seed : RandomSeed();
  const int64_t end = source.count == 0 ? total : source.offset + source.count;
  RIESZ_ASSIGN_OR_RETURN(Reservation choosing, ledger.Reserve(kChoosingBytesPerRow * end, what));
  rows.memory.Merge(std::move(choosing));
  const std::vector<int64_t> order = ChooseRows(seed, total, end);
  std::vector<int64_t> chosen;
  chosen.reserve(static_cast<size_t>(end - source.offset));
  for (int64_t i = source.offset; i < end; ++i) {
    chosen.push_back(eligible[static_cast<size_t>(order[static_cast<size_t>(i)])]);
  }

  rows.count = end - source.offset;
  rows.dim = data->rows.cols();
  rows.description = "data set " + source.name + " " + source.split + ", seed " +
                     std::to_string(seed) + ", offset " + std::to_string(source.offset);
  if (!data->labels.empty()) {
    for (const int64_t row : chosen) {
      rows.labels.push_back(data->labels[static_cast<size_t>(row)]);
    }
  }
  rows.memory.ShrinkTo(rows.count * int64_t{sizeof(int64_t)});
  if (data->shape.has_value()) {
    rows.sample_shape = SampleShape{.channels = data->shape->channels,
                                    .height = data->shape->height,
                                    .width = data->shape->width};
  }
  if (data->scale != 1) rows.value_scaling = ValueScaling{.scale = data->scale, .offset = 0};
  rows.write_row = [data, chosen = std::move(chosen)](int64_t i, float* out) {
    const float* row = data->rows.row(chosen[static_cast<size_t>(i)]);
    std::memcpy(out, row, static_cast<size_t>(data->rows.cols()) * sizeof(float));
  };
  return rows;
}

}  // namespace riesz
