#include "core/low_discrepancy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/directions.h"
#include "core/kernel.h"

namespace riesz {
namespace {

std::vector<float> Rows(DirectionKind kind, int64_t count, int64_t dim) {
  const DirectionSpec spec{.kind = kind, .count = count, .seed = 3};
  std::vector<float> rows(static_cast<size_t>(count * dim));
  for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
    GenerateDirectionBlock(spec, dim, 0, b,
                           rows.data() + DirectionBlockAt(spec, dim, b).first * dim);
  }
  return rows;
}

double ErrorOf(const std::vector<float>& rows, int64_t dim) {
  return MeanSquaredSliceError(rows.data(), static_cast<int64_t>(rows.size()) / dim, dim);
}

TEST(MeanSquaredSliceError, OfOneDirectionIsTheRelativeVariance) {
  // E <xi, v>^2 = 1/d, and E|<xi, v>| = 1/c.
  for (const int64_t dim : {2, 3, 10}) {
    std::vector<float> one(static_cast<size_t>(dim));
    one[0] = 1;
    const double c = SlicingConstant(dim, 1);
    EXPECT_NEAR(ErrorOf(one, dim), c * c / static_cast<double>(dim) - 1, 1e-12);
  }
}

TEST(MeanSquaredSliceError, IsTheMeanOverVectors) {
  const int64_t dim = 3, count = 7;
  const std::vector<float> rows = Rows(DirectionKind::kIid, count, dim);
  const int64_t samples = 200'000;
  const std::vector<float> v = Rows(DirectionKind::kIid, samples, dim);
  const double c = SlicingConstant(dim, 1);
  double mean = 0, square = 0;
  for (int64_t s = 0; s < samples; ++s) {
    double average = 0;
    for (int64_t i = 0; i < count; ++i) {
      double t = 0;
      for (int64_t k = 0; k < dim; ++k) {
        t += static_cast<double>(rows[static_cast<size_t>(i * dim + k)]) *
             v[static_cast<size_t>(s * dim + k)];
      }
      average += std::abs(t) / static_cast<double>(count);
    }
    const double error = std::pow(c * average - 1, 2);
    mean += error / static_cast<double>(samples);
    square += error * error / static_cast<double>(samples);
  }
  const double sigma = std::sqrt((square - mean * mean) / static_cast<double>(samples));
  EXPECT_NEAR(ErrorOf(rows, dim), mean, 5 * sigma);
}

TEST(EvenDirections, AreUnitVectors) {
  for (const auto& [dim, count] :
       {std::pair<int64_t, int64_t>{2, 9}, {3, 1}, {3, 100}, {30, 20}, {30, 100}}) {
    const DirectionSet set = EvenDirections(dim, count);
    ASSERT_EQ(static_cast<int64_t>(set->size()), dim * count);
    for (int64_t i = 0; i < count; ++i) {
      double square = 0;
      for (int64_t k = 0; k < dim; ++k) {
        square += std::pow(static_cast<double>((*set)[static_cast<size_t>(i * dim + k)]), 2);
      }
      EXPECT_NEAR(square, 1, 1e-6);
    }
  }
}

// The error of an average of |<xi, v>| over count directions, one period of whose angle is pi:
// |cos| has Fourier coefficients 2 (-1)^(j+1) / (pi (4 j^2 - 1)) relative to its mean 1 at 2j, and
// only multiples of 2 count remain. count = 2 j: 2 sum_j (1 / (4 j^2 count^2 - 1))^2 relative.
TEST(EvenDirections, OfThePlaneHaveTheErrorOfTheTrapezoidRule) {
  for (const int64_t count : {1, 2, 5, 16}) {
    double expected = 0;
    for (int64_t j = 1; j < 10'000; ++j) {
      const auto f = static_cast<double>(2 * j * count);
      expected += 2 / std::pow(f * f - 1, 2);
    }
    // Floats move each of the count^2 pairs by 1e-7 or less.
    EXPECT_NEAR(ErrorOf(*EvenDirections(2, count), 2), expected, 2e-7);
  }
}

// Against orthonormal blocks of as many rows, squared errors: 100 times less in three dimensions,
// 8 in five, 2.5 in ten, 1.1 in thirty.
TEST(EvenDirections, ErrLessThanOrthogonalOnes) {
  const double gains[][2] = {{3, 100}, {5, 8}, {10, 2.5}, {20, 1.3}, {30, 1.1}};
  for (const auto& [d, gain] : gains) {
    const auto dim = static_cast<int64_t>(d);
    EXPECT_LT(ErrorOf(*EvenDirections(dim, 120), dim) * gain,
              ErrorOf(Rows(DirectionKind::kOrthogonal, 120, dim), dim))
        << dim;
  }
}

// The descent converges at every shape, small and large: orthonormal rows, where it starts, are
// never better by more than the rounding of floats.
TEST(EvenDirections, AreNeverWorseThanOrthogonalOnes) {
  for (int64_t dim = 3; dim <= kMaxLowDiscrepancyDim; ++dim) {
    for (const int64_t count : {int64_t{1}, int64_t{2}, dim - 1, dim, dim + 1, dim + 2, dim + 7,
                                2 * dim - 1, 2 * dim, 2 * dim + 1, int64_t{64}}) {
      EXPECT_LE(ErrorOf(*EvenDirections(dim, count), dim),
                ErrorOf(Rows(DirectionKind::kOrthogonal, count, dim), dim) * 1.001 + 1e-6)
          << count << " in " << dim << " dimensions";
    }
  }
}

TEST(EvenDirections, AreKeptAndMadeAgainTheSame) {
  const std::vector<float> first = *EvenDirections(5, 40);
  EXPECT_EQ(EvenDirections(5, 40), EvenDirections(5, 40)) << "one object";
  for (int64_t count = 1; count <= kCachedDirectionSets; ++count) EvenDirections(4, count);
  EXPECT_EQ(*EvenDirections(5, 40), first);
}

}  // namespace
}  // namespace riesz
