#include "core/dataset/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/dataset/formats.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

namespace fs = std::filesystem;

constexpr float kLargestLabel = 1 << 24;  // integers up to here are exact in float32

bool IsDirectory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::optional<fs::path> FirstFile(const fs::path& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (IsFile(folder / name)) return folder / name;
  }
  return std::nullopt;
}

std::optional<fs::path> IdxFile(const fs::path& folder, const std::string& split,
                                const std::string& what, int rank) {
  std::vector<std::string> names;
  for (const std::string& prefix : split == "train" ? std::vector<std::string>{"train"}
                                                    : std::vector<std::string>{"t10k", "test"}) {
    for (const char* between : {"-idx", ".idx"}) {
      const std::string name = absl::StrCat(prefix, "-", what, between, rank, "-ubyte");
      names.push_back(name);
      names.push_back(name + ".gz");
    }
  }
  return FirstFile(folder, names);
}

absl::StatusOr<Dataset> ReadIdxPair(const fs::path& images, const fs::path& labels,
                                    const ReadWatch& watch) {
  RIESZ_ASSIGN_OR_RETURN(Dataset out, ReadIdx(images, watch));
  RIESZ_ASSIGN_OR_RETURN(out.labels, ReadLabels(labels, watch));
  if (static_cast<int64_t>(out.labels.size()) != out.rows.rows()) {
    return absl::InvalidArgumentError(absl::StrCat(labels.string(), ": has ", out.labels.size(),
                                                   " labels for ", out.rows.rows(), " images"));
  }
  return out;
}

std::vector<std::string> CifarFiles(const fs::path& folder, const std::string& split) {
  std::vector<std::string> found;
  for (const fs::path& place : {folder, folder / "cifar-10-batches-bin"}) {
    if (split == "test") {
      if (IsFile(place / "test_batch.bin")) found.push_back(place / "test_batch.bin");
    } else {
      for (int i = 1; i <= 5; ++i) {
        const fs::path path = place / absl::StrCat("data_batch_", i, ".bin");
        if (IsFile(path)) found.push_back(path);
      }
    }
    if (!found.empty()) break;
  }
  return found;
}

bool IsReadableFolder(const fs::path& folder) {
  for (const char* split : {"train", "test"}) {
    if (IdxFile(folder, split, "images", 3) || !CifarFiles(folder, split).empty()) return true;
  }
  return false;
}

std::optional<fs::path> FileNamed(const fs::path& data_dir, const std::string& name) {
  return FirstFile(data_dir, {name, name + ".npy", name + ".csv"});
}

}  // namespace

std::optional<ImageShape> ImageShapeOf(const std::vector<int64_t>& shape) {
  const auto size = [&](size_t axis) { return static_cast<int32_t>(shape[axis]); };
  if (shape.size() == 3) return ImageShape{.channels = 1, .height = size(1), .width = size(2)};
  if (shape.size() == 4 && (shape[1] == 1 || shape[1] == 3)) {
    return ImageShape{.channels = size(1), .height = size(2), .width = size(3)};
  }
  return std::nullopt;
}

absl::StatusOr<Dataset> ReadFile(const std::string& path, const ReadWatch& watch) {
  if (absl::EndsWith(path, ".npy")) return ReadNpy(path, watch);
  if (absl::EndsWith(path, ".csv") || absl::EndsWith(path, ".tsv") ||
      absl::EndsWith(path, ".txt")) {
    return ReadCsv(path, watch);
  }
  if (absl::EndsWith(path, "-ubyte") || absl::EndsWith(path, ".idx") ||
      absl::EndsWith(path, ".gz")) {
    return ReadIdx(path, watch);
  }
  if (absl::EndsWith(path, ".bin")) return ReadCifar10({path}, watch);
  return absl::InvalidArgumentError(absl::StrCat(
      path,
      ": the ending must be .npy, .csv, .tsv, .txt, .idx, -ubyte, .gz (IDX) or .bin (CIFAR-10)"));
}

absl::StatusOr<std::vector<int32_t>> ReadLabels(const std::string& path, const ReadWatch& watch) {
  RIESZ_ASSIGN_OR_RETURN(const Dataset data, ReadFile(path, watch));
  if (data.rows.cols() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": labels are one number a row, got ", data.rows.cols()));
  }
  RIESZ_RETURN_IF_ERROR(watch.Reserve(data.rows.rows() * int64_t{sizeof(int32_t)}));
  std::vector<int32_t> labels;
  labels.reserve(static_cast<size_t>(data.rows.rows()));
  for (int64_t i = 0; i < data.rows.rows(); ++i) {
    const float value = data.rows.data()[i];
    if (!(std::fabs(value) <= kLargestLabel) || value != std::floor(value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": row ", i, ": a label must be an integer in [-2^24, 2^24], got ", value));
    }
    labels.push_back(static_cast<int32_t>(value));
  }
  return labels;
}

absl::Status CheckDatasetName(const std::string& name, const std::string& split) {
  // The name comes from a client and the directory is the operator's: no way out of it.
  if (name.empty() || name[0] == '.' || absl::StrContains(name, "/") ||
      absl::StrContains(name, "..") || absl::StrContains(name, std::string(1, '\0'))) {
    return InvalidField("data_set.name", "a plain name without '/' or '..'", name);
  }
  if (split != "train" && split != "test") {
    return InvalidField("data_set.split", "train or test", split);
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> ReadDataset(const std::string& data_dir, const std::string& name,
                                    const std::string& split, const ReadWatch& watch) {
  RIESZ_RETURN_IF_ERROR(CheckDatasetName(name, split));
  const fs::path folder = fs::path(data_dir) / name;
  if (IsDirectory(folder)) {
    const auto images = IdxFile(folder, split, "images", 3);
    const auto labels = IdxFile(folder, split, "labels", 1);
    if (images && labels) return ReadIdxPair(*images, *labels, watch);
    if (images) return ReadIdx(*images, watch);
    const std::vector<std::string> batches = CifarFiles(folder, split);
    if (!batches.empty()) return ReadCifar10(batches, watch);
    return absl::NotFoundError(absl::StrCat("data set '", name, "' has no split '", split, "'"));
  }
  if (const auto file = FileNamed(data_dir, name)) return ReadFile(*file, watch);
  return NotFoundError("data set", name);
}

std::vector<std::string> ListDatasets(const std::string& data_dir) {
  std::vector<std::string> names;
  std::error_code error;
  // increment, not ++: that throws where a disk fails half way.
  for (fs::directory_iterator it(data_dir, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    if (path.filename().string()[0] == '.') continue;
    if (IsDirectory(path) && IsReadableFolder(path)) names.push_back(path.filename());
    if (IsFile(path) && (path.extension() == ".npy" || path.extension() == ".csv")) {
      names.push_back(path.filename());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace riesz
