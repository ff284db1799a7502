#include "core/directions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/kernel.h"
#include "core/validate.h"

namespace riesz {
namespace {

constexpr DirectionKind kKinds[] = {DirectionKind::kIid, DirectionKind::kOrthogonal,
                                    DirectionKind::kLowDiscrepancy, DirectionKind::kStructured};

bool Serves(DirectionKind kind, int64_t dim) {
  return ValidateDirections({.kind = kind}, dim, "").ok();
}

std::vector<float> Block(const DirectionSpec& spec, int64_t dim, int64_t index, uint64_t step = 0,
                         const ParallelFor& parallel = SerialFor) {
  std::vector<float> out(static_cast<size_t>(DirectionBlockAt(spec, dim, index).count * dim));
  GenerateDirectionBlock(spec, dim, step, index, out.data(), parallel);
  return out;
}

double Dot(const float* a, const float* b, int64_t dim) {
  double sum = 0;
  for (int64_t k = 0; k < dim; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

void ExpectOrthonormal(const std::vector<float>& rows, int64_t dim) {
  const int64_t count = static_cast<int64_t>(rows.size()) / dim;
  double worst = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const double product = Dot(rows.data() + i * dim, rows.data() + j * dim, dim);
      worst = std::max(worst, std::abs(product - (i == j ? 1 : 0)));
    }
  }
  // Rounding to bfloat16 moves a coordinate by 1.7e-3 of itself (RMS), a product of two rows by
  // 2.4e-3 / sqrt(dim), a square by 5.7e-3 / sqrt(dim): five times that, for the worst of many.
  const double bound = dim < kRoundedDim ? 1e-6 : 3e-2 / std::sqrt(static_cast<double>(dim));
  EXPECT_LT(worst, bound) << count << " rows in " << dim << " dimensions";
}

TEST(Blocks, OrthogonalOnesAreFullAndThenTheRest) {
  const DirectionSpec spec{.count = 25};
  EXPECT_EQ(DirectionBlockCount(spec, 10), 3);
  EXPECT_EQ(DirectionBlockAt(spec, 10, 2).first, 20);
  EXPECT_EQ(DirectionBlockAt(spec, 10, 2).count, 5);
  EXPECT_EQ(MaxBlockRows(spec, 10), 10);
  EXPECT_EQ(MaxBlockRows(spec, 100), 25);
  EXPECT_EQ(DirectionBlockCount({.count = 3000}, 5000), 3);  // bounded by kMaxOrthogonalRows
}

TEST(Blocks, CoverEverySliceOnce) {
  for (const DirectionKind kind : kKinds) {
    for (const int64_t count : {1, 2, 255, 256, 257, 1000, 2500}) {
      for (const int64_t dim : {2, 3, 256, 2000}) {
        if (!Serves(kind, dim)) continue;
        const DirectionSpec spec{.kind = kind, .count = count};
        int64_t next = 0;
        for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
          const DirectionBlock block = DirectionBlockAt(spec, dim, b);
          EXPECT_EQ(block.first, next);
          EXPECT_GE(block.count, 1);
          EXPECT_LE(block.count, MaxBlockRows(spec, dim));
          next += block.count;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

TEST(Blocks, OneDimensionHasOneDirection) {
  for (const DirectionKind kind : kKinds) {
    const DirectionSpec spec{.kind = kind, .count = 500, .seed = 9};
    EXPECT_EQ(SliceCount(spec, 1), 1);
    EXPECT_EQ(DirectionBlockCount(spec, 1), 1);
    EXPECT_EQ(Block(spec, 1, 0, 5), std::vector<float>{1.0f});
  }
}

TEST(Blocks, LowDiscrepancyOnesAreFourOfOneSizeOrTheNext) {
  const DirectionSpec spec{.kind = DirectionKind::kLowDiscrepancy, .count = 1002};
  EXPECT_EQ(DirectionBlockCount(spec, 3), 4);
  EXPECT_EQ(DirectionBlockAt(spec, 3, 1).count, 251);
  EXPECT_EQ(DirectionBlockAt(spec, 3, 2).first, 502);
  EXPECT_EQ(DirectionBlockAt(spec, 3, 2).count, 250);
  EXPECT_EQ(MaxBlockRows(spec, 3), 251);
  const DirectionSpec few{.kind = DirectionKind::kLowDiscrepancy, .count = 33};
  EXPECT_EQ(DirectionBlockCount(few, 10), 3);
  EXPECT_EQ(DirectionBlockCount(few, 20), 2) << "the least that tell an error";
  const DirectionSpec one{.kind = DirectionKind::kLowDiscrepancy, .count = 1};
  EXPECT_EQ(DirectionBlockCount(one, 3), 1);
  const DirectionSpec many{.kind = DirectionKind::kLowDiscrepancy, .count = 5000};
  EXPECT_EQ(DirectionBlockCount(many, 3), 10);  // bounded by kMaxDirectionSet
  EXPECT_EQ(DirectionBlockCount(many, 2), 4);
}

TEST(Orthogonal, RowsAreOrthonormal) {
  for (const auto& [count, dim] : {std::pair<int64_t, int64_t>{2, 2},
                                   {3, 3},
                                   {1, 50},
                                   {7, 113},
                                   {113, 113},
                                   {250, 300},
                                   {785, 784}}) {
    const DirectionSpec spec{.count = count, .seed = 1};
    for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
      ExpectOrthonormal(Block(spec, dim, b), dim);
    }
  }
}

TEST(Structured, RowsAreOrthonormal) {
  // Lengths with one radix and several, primes up to 61, and with a rest that rounds leave out.
  for (const int64_t dim : {16, 17, 30, 31, 61, 67, 127, 131, 360, 784}) {
    const DirectionSpec spec{.kind = DirectionKind::kStructured, .count = dim + 5, .seed = 1};
    for (int64_t b = 0; b < 2; ++b) ExpectOrthonormal(Block(spec, dim, b), dim);
  }
}

// The mean of |<xi, e_k>| over k and directions against 1 / c. Its standard error: a term has a
// relative standard deviation of 0.75, and correlations within a block only help. 20,000 blocks of
// R^16 and 2,000 of R^64 are 5 and 8 million terms: 3.5e-4 and 2.7e-4. Bound: the known
// bias, 7.5e-4 and 4e-5, and four of these.
TEST(Structured, HaveTheMeanOfTheSphereAlongCoordinates) {
  const double cases[][3] = {{16, 20'000, 7.5e-4 + 1.4e-3}, {64, 2'000, 4e-5 + 1.1e-3}};
  for (const auto& [d, blocks, bound] : cases) {
    const auto dim = static_cast<int64_t>(d);
    double sum = 0;
    for (uint64_t step = 0; step < static_cast<uint64_t>(blocks); ++step) {
      const DirectionSpec spec{.kind = DirectionKind::kStructured, .count = dim, .seed = 1};
      for (const float v : Block(spec, dim, 0, step)) sum += std::abs(static_cast<double>(v));
    }
    EXPECT_NEAR(SlicingConstant(dim, 1) * sum / (blocks * d * d), 1, bound) << dim;
  }
}

TEST(Rounding, CoordinatesAreBfloat16NumbersFromItsDimensionOn) {
  for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal}) {
    for (const int64_t dim : {kRoundedDim - 1, kRoundedDim}) {
      const std::vector<float> rows = Block({.kind = kind, .count = 20}, dim, 0);
      const bool rounded = std::all_of(rows.begin(), rows.end(), [](float v) {
        return (std::bit_cast<uint32_t>(v) & 0xffffu) == 0;
      });
      EXPECT_EQ(rounded, dim >= kRoundedDim);
    }
  }
}

// The mean of |xi|^2 over 10,000 directions of 784 coordinates: rounding adds at most 2^-14 / 12 =
// 5.1e-6, with a standard error of 2e-6 (5.7e-3 / sqrt(784) a direction). Truncation instead of
// rounding would take 5.6e-3 away.
TEST(Rounding, LeavesTheLengthOfADirectionAsItIsOnAverage) {
  const DirectionSpec spec{.kind = DirectionKind::kIid, .count = 10'000, .seed = 5};
  const int64_t dim = 784;
  double sum = 0;
  for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
    const std::vector<float> rows = Block(spec, dim, b);
    for (const float v : rows) sum += static_cast<double>(v) * v;
  }
  const double excess = sum / static_cast<double>(spec.count) - 1;
  EXPECT_GT(excess, -8e-6);
  EXPECT_LT(excess, 5.1e-6 + 8e-6);
}

// A square block's condition exceeds t with probability of about 2 d / t: 20,000 draws meet one of
// 5,000 times the usual, where one pass of CholeskyQR would lose 1e-8.
TEST(Orthogonal, IllConditionedDrawsAreOrthonormalToo) {
  for (uint64_t step = 0; step < 20'000; ++step) {
    ExpectOrthonormal(Block({.count = 5, .seed = 2}, 5, 0, step), 5);
  }
}

// Rows that differ by `gap` only: from 1e-5 on a second pass is needed, from 1e-8 on the Gram
// matrix is singular in double.
TEST(Orthogonal, NearlyEqualRowsAreOrthonormalToo) {
  const int64_t k = 6, dim = 9;
  for (const double gap : {1e-2, 1e-5, 1e-7, 1e-8, 1e-9, 1e-10}) {
    const std::vector<float> g =
        Block({.kind = DirectionKind::kIid, .count = k, .seed = 4}, dim, 0);
    std::vector<double> a(g.begin(), g.end());
    for (int64_t e = 0; e < dim; ++e)
      a[static_cast<size_t>(3 * dim + e)] = a[static_cast<size_t>(e)] + gap * (e % 2 == 0 ? 1 : -1);
    DirectionScratch scratch({.count = k}, dim);
    internal::Orthonormalize(a.data(), k, dim, scratch, SerialFor);
    ExpectOrthonormal(std::vector<float>(a.begin(), a.end()), dim);
    // Row 0 only changes its length.
    for (int64_t e = 0; e < dim; ++e) {
      EXPECT_NEAR(a[static_cast<size_t>(e)], g[static_cast<size_t>(e)], 1e-6);
    }
  }
}

// Independent Gram-Schmidt of the same Gaussians: rows of an iid block are those, normalised.
TEST(Orthogonal, RowsAreGramSchmidtOfTheIidOnes) {
  const int64_t dim = 20;
  const std::vector<float> q = Block({.count = dim, .seed = 3}, dim, 0, 4);
  const std::vector<float> g =
      Block({.kind = DirectionKind::kIid, .count = dim, .seed = 3}, dim, 0, 4);
  std::vector<std::vector<double>> basis;
  for (int64_t i = 0; i < dim; ++i) {
    std::vector<double> row(g.begin() + i * dim, g.begin() + (i + 1) * dim);
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<double>& b : basis) {
        double product = 0;
        for (size_t k = 0; k < row.size(); ++k) product += row[k] * b[k];
        for (size_t k = 0; k < row.size(); ++k) row[k] -= product * b[k];
      }
    }
    double square = 0;
    for (const double v : row) square += v * v;
    for (double& v : row) v /= std::sqrt(square);
    for (size_t k = 0; k < row.size(); ++k) {
      // Rounding of g (1e-7) grows by the conditioning of 20 Gaussian rows, below 300 here.
      EXPECT_NEAR(q[static_cast<size_t>(i * dim) + k], row[k], 3e-5) << i << " " << k;
    }
    basis.push_back(std::move(row));
  }
}

TEST(Directions, AreTheSameWhateverThreadsMakeThem) {
  // Tasks backwards, and tasks on four threads.
  const ParallelFor backwards = [](int64_t tasks, const std::function<void(int64_t)>& body) {
    for (int64_t task = tasks - 1; task >= 0; --task) body(task);
  };
  const ParallelFor threaded = [](int64_t tasks, const std::function<void(int64_t)>& body) {
    std::vector<std::thread> threads;
    for (int64_t t = 0; t < 4; ++t) {
      threads.emplace_back([=, &body] {
        for (int64_t task = t; task < tasks; task += 4) body(task);
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  for (const DirectionKind kind : kKinds) {
    for (const int64_t dim : {3, 250, 400}) {
      if (!Serves(kind, dim)) continue;
      const DirectionSpec spec{.kind = kind, .count = 230, .seed = 8};
      const std::vector<float> serial = Block(spec, dim, 0, 2);
      EXPECT_EQ(Block(spec, dim, 0, 2, backwards), serial);
      EXPECT_EQ(Block(spec, dim, 0, 2, threaded), serial);
    }
  }
}

TEST(Directions, AScratchCanBeUsedForEveryBlock) {
  for (const DirectionKind kind : kKinds) {
    const DirectionSpec spec{.kind = kind, .count = 600, .seed = 1};
    DirectionScratch scratch(spec, 20);
    for (const int64_t index : {0, 2, 1}) {
      std::vector<float> out(static_cast<size_t>(DirectionBlockAt(spec, 20, index).count * 20));
      GenerateDirectionBlock(spec, 20, 7, index, out.data(), scratch);
      EXPECT_EQ(out, Block(spec, 20, index, 7));
    }
  }
}

TEST(Directions, SeedStepAndBlockChangeThem) {
  for (const DirectionKind kind : kKinds) {
    const DirectionSpec spec{.kind = kind, .count = 512, .seed = 8};
    DirectionSpec other = spec;
    other.seed = 9;
    EXPECT_NE(Block(spec, 20, 0, 0), Block(other, 20, 0, 0));
    EXPECT_NE(Block(spec, 20, 0, 0), Block(spec, 20, 0, 1));
    EXPECT_NE(Block(spec, 20, 0, 0), Block(spec, 20, 1, 0));
  }
}

TEST(Directions, ArePrefixStable) {
  // The first blocks do not depend on how many slices follow.
  const DirectionSpec few{.count = 20, .seed = 8}, many{.count = 50, .seed = 8};
  EXPECT_EQ(Block(few, 10, 1), Block(many, 10, 1));
}

TEST(LowDiscrepancy, BlocksOfThePlaneAreEquispacedAngles) {
  const DirectionSpec spec{.kind = DirectionKind::kLowDiscrepancy, .count = 20, .seed = 1};
  for (int64_t b = 0; b < 4; ++b) {
    const std::vector<float> rows = Block(spec, 2, b);
    for (size_t i = 0; i < 8; i += 2) {
      EXPECT_NEAR(rows[i] * rows[i + 2] + rows[i + 1] * rows[i + 3], std::cos(0.2 * 3.14159265),
                  1e-6);
    }
  }
}

TEST(LowDiscrepancy, BlocksAreTheSetRotated) {
  const DirectionSpec spec{.kind = DirectionKind::kLowDiscrepancy, .count = 101, .seed = 1};
  for (const int64_t dim : {3, 7, 30}) {
    for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
      const DirectionBlock block = DirectionBlockAt(spec, dim, b);
      const DirectionSet set = EvenDirections(dim, block.count);
      const std::vector<float> rows = Block(spec, dim, b);
      EXPECT_NE(rows, *set);
      for (int64_t i = 0; i < block.count; ++i) {
        for (int64_t j = 0; j < block.count; ++j) {
          // Sums of `dim` products of floats of size one, each rounded by 6e-8 at most.
          EXPECT_NEAR(Dot(rows.data() + i * dim, rows.data() + j * dim, dim),
                      Dot(set->data() + i * dim, set->data() + j * dim, dim), 1e-6);
        }
      }
    }
  }
}

// For xi uniform on the sphere: E xi = 0, E <xi, v>^2 = 1/d, E <xi, v>^4 = 3/(d (d + 2)).
TEST(Directions, AreUniformOnTheSphere) {
  for (const DirectionKind kind : kKinds) {
    for (const int64_t dim : {2, 3, 16}) {
      if (!Serves(kind, dim)) continue;
      const int64_t count = 64'000 / dim * dim;
      const DirectionSpec spec{.kind = kind, .count = count, .seed = 8};
      std::vector<double> v(static_cast<size_t>(dim));
      for (int64_t k = 0; k < dim; ++k) v[static_cast<size_t>(k)] = 1 + static_cast<double>(k % 3);
      double norm = 0;
      for (const double c : v) norm += c * c;
      for (double& c : v) c /= std::sqrt(norm);
      double first = 0, second = 0, fourth = 0;
      for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
        const std::vector<float> rows = Block(spec, dim, b);
        for (size_t i = 0; i < rows.size(); i += static_cast<size_t>(dim)) {
          double t = 0;
          for (size_t k = 0; k < v.size(); ++k) t += v[k] * rows[i + k];
          first += t / static_cast<double>(count);
          second += t * t / static_cast<double>(count);
          fourth += t * t * t * t / static_cast<double>(count);
        }
      }
      const auto d = static_cast<double>(dim);
      const double third = 3 / (d * (d + 2));
      const double eighth = 105 / (d * (d + 2) * (d + 4) * (d + 6));
      // 5 standard deviations of iid means; within blocks directions repel, which only helps. But
      // an evenly spread set holds v or -v of every line, and its mean is not zero.
      const double sigma = 5 / std::sqrt(static_cast<double>(count));
      if (kind != DirectionKind::kLowDiscrepancy) {
        EXPECT_NEAR(first, 0, sigma / std::sqrt(d));
      }
      EXPECT_NEAR(second, 1 / d, sigma * std::sqrt(third - 1 / (d * d)));
      EXPECT_NEAR(fourth, third, sigma * std::sqrt(eighth - third * third));
      // Full orthonormal blocks have sum <xi, v>^2 = |v|^2, without any spread.
      if (kind == DirectionKind::kOrthogonal || kind == DirectionKind::kStructured) {
        EXPECT_NEAR(second, 1 / d, 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace riesz
