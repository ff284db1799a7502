// The readers behind ReadFile, one a format.
//
// Thread safety: the functions are pure but for reading files. Errors name file, place and what;
// the watch's own come back as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/dataset/dataset.h"

namespace riesz {

// IDX (MNIST's): magic 00 00 TYPE RANK, RANK big-endian uint32 sizes, then the elements. Rank 1 is
// (n, 1); rank 3 (n, h, w) and rank 4 (n, c, h, w) are images, whose ubytes are scaled by 1/255.
absl::StatusOr<Dataset> ReadIdx(const std::string& path, const ReadWatch& watch);
// CIFAR-10 binary batches, at least one, joined in their order: records of one label byte and
// 3 x 32 x 32 pixels.
absl::StatusOr<Dataset> ReadCifar10(const std::vector<std::string>& paths, const ReadWatch& watch);
// NumPy's format 1, 2 and 3; real numbers of either byte order, C or Fortran order. Rank 1 becomes
// (n, 1), higher ranks (n, rest). Values are kept as they are: bytes are not scaled.
absl::StatusOr<Dataset> ReadNpy(const std::string& path, const ReadWatch& watch);
// Lines of numbers between commas, semicolons, tabs or blanks; a first line that is not numbers is
// a heading; blank lines and lines beginning with '#' are passed over.
absl::StatusOr<Dataset> ReadCsv(const std::string& path, const ReadWatch& watch);

// The image that a sample of this shape, (n, ...), is, if it is one.
std::optional<ImageShape> ImageShapeOf(const std::vector<int64_t>& shape);

}  // namespace riesz
