// How precise matrix products are on a GPU. The one option of the cuda backend.
#pragma once

#include <optional>
#include <string_view>

namespace riesz {

// Error of a product of vectors with random signs, in units of float32's 2^-24 times their norms:
// kFp32 about 1; kTf32x3 about 4, three TF32 products of split factors; kTf32 about 2^13. In a
// projection an error may exchange points that lie closer than it; ties of equal points stay ties
// in each.
enum class MatrixPrecision { kFp32, kTf32x3, kTf32 };

inline constexpr std::string_view kMatrixPrecisionNames[] = {"fp32", "3xtf32", "tf32"};

inline std::string_view NameOf(MatrixPrecision precision) {
  return kMatrixPrecisionNames[static_cast<int>(precision)];
}

inline std::optional<MatrixPrecision> ParseMatrixPrecision(std::string_view name) {
  for (const auto precision :
       {MatrixPrecision::kFp32, MatrixPrecision::kTf32x3, MatrixPrecision::kTf32}) {
    if (name == NameOf(precision)) return precision;
  }
  return std::nullopt;
}

}  // namespace riesz
