#include "core/slicing_error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"

namespace riesz {
namespace {

DirectionBlock IndependentBlockAt(const DirectionSpec& spec, int64_t dim, int64_t index) {
  if (spec.kind == DirectionKind::kIid) return {index, 1};
  return DirectionBlockAt(spec, dim, index);
}

}  // namespace

int64_t IndependentBlockCount(const DirectionSpec& spec, int64_t dim) {
  return spec.kind == DirectionKind::kIid ? SliceCount(spec, dim) : DirectionBlockCount(spec, dim);
}

SliceMean AverageSlices(std::span<const double> values, const DirectionSpec& spec, int64_t dim) {
  const int64_t slices = SliceCount(spec, dim);
  RIESZ_CHECK(static_cast<int64_t>(values.size()) == slices, "one value a slice");
  const auto p = static_cast<double>(slices);
  SliceMean result;
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / p;
  if (dim == 1) result.standard_error = 0;
  const int64_t blocks = IndependentBlockCount(spec, dim);
  if (blocks < 2) return result;
  double spread = 0;
  for (int64_t k = 0; k < blocks; ++k) {
    const DirectionBlock block = IndependentBlockAt(spec, dim, k);
    const auto of_block =
        values.subspan(static_cast<size_t>(block.first), static_cast<size_t>(block.count));
    const auto size = static_cast<double>(block.count);
    const double deviation =
        std::accumulate(of_block.begin(), of_block.end(), 0.0) / size - result.mean;
    spread += size * deviation * deviation;
  }
  result.standard_error = std::sqrt(spread / (static_cast<double>(blocks - 1) * p));
  return result;
}

std::optional<double> MeanVectorError(double block_squares, double total_square,
                                      const DirectionSpec& spec, int64_t dim) {
  if (dim == 1) return 0;
  const int64_t blocks = IndependentBlockCount(spec, dim);
  if (blocks < 2) return std::nullopt;
  const auto p = static_cast<double>(SliceCount(spec, dim));
  // Cancellation may leave less than nothing where all blocks agree.
  const double spread = std::max(0.0, block_squares - total_square / p);
  return std::sqrt(spread / (static_cast<double>(blocks - 1) * p));
}

}  // namespace riesz
