// Data sets from files, as rows of float32 with optional labels.
//
// Formats: IDX (MNIST's; plain or .gz), CIFAR-10 binary batches, .npy (float32; float64 and float16
// converted), .csv. Pixel bytes are scaled to [0, 1] by 1/255.
//
// Every reading can be watched (read_watch.h): the watch's errors come back as they are.
//
// Thread safety: the functions are pure but for reading files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/dataset/read_watch.h"
#include "core/matrix.h"

namespace riesz {

struct ImageShape {
  int32_t channels = 0, height = 0, width = 0;
};

struct Dataset {
  Matrix rows;                      // (count, dim)
  std::vector<int32_t> labels;      // empty, or one a row
  std::optional<ImageShape> shape;  // CHW, for images
  double scale = 1;                 // stored = scale * raw
  std::string converted_from;       // e.g. "float64"; empty when nothing was converted
};

// One file, by its ending (or, for CIFAR-10, its size): .npy, .csv, IDX (…-ubyte, .idx, .gz), .bin.
// NOT_FOUND; INVALID_ARGUMENT names the file, the place and what is wrong with it.
absl::StatusOr<Dataset> ReadFile(const std::string& path, const ReadWatch& watch = {});

// Labels, one integer a row: an IDX file of rank 1, or a .npy or .csv with one column.
// INVALID_ARGUMENT where a value is no integer in [-2^24, 2^24].
absl::StatusOr<std::vector<int32_t>> ReadLabels(const std::string& path,
                                                const ReadWatch& watch = {});

// INVALID_ARGUMENT for a name with '/' or "..", or one that begins with '.', and for a split that
// is neither "train" nor "test": no name leads out of the directory or means all of it.
absl::Status CheckDatasetName(const std::string& name, const std::string& split);
// A data set by name under a directory: a folder with IDX pairs (train-…, t10k-…) or CIFAR-10
// batches, or a file. CheckDatasetName's errors; NOT_FOUND.
absl::StatusOr<Dataset> ReadDataset(const std::string& data_dir, const std::string& name,
                                    const std::string& split, const ReadWatch& watch = {});
// Names found under a directory, sorted.
std::vector<std::string> ListDatasets(const std::string& data_dir);

// Writes a NumPy .npy file (little-endian float32 or int32, C order), temp file first, then
// renamed.
absl::Status WriteNpy(const std::string& path, MatrixView rows);
absl::Status WriteNpy(const std::string& path, const std::vector<int32_t>& labels);

}  // namespace riesz
