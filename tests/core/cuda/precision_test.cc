// Products in TF32 and from split factors, with the rounding that the emulated device gives them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/backend/cuda/cuda_backend.h"
#include "tests/contract/points.h"
#include "tests/support/emulated_runtime.h"

namespace riesz::cuda {
namespace {

using contract::Normals;
using contract::Points;

std::vector<float> Gradient(MatrixPrecision precision, const Points& x, const Points& y) {
  auto backend =
      MakeBackendOn(std::make_unique<emulated::EmulatedRuntime>(), {.precision = precision});
  const auto upload = [&](const Points& p) {
    auto buffer = backend->NewEnsemble(p.n, p.d).value();
    const auto bytes = buffer->Map(0, p.n * p.d * 4).value();
    std::memcpy(bytes.data(), p.values.data(), bytes.size());
    EXPECT_TRUE(buffer->Commit().ok());
    return buffer->Seal().value();
  };
  const GradientSpec spec{.directions = {.count = 60, .seed = 3}};
  auto operation = backend->NewGradient(upload(x), upload(y), spec).value();
  Budget budget = Budget::Unlimited();
  EXPECT_EQ(operation->Run(budget, {}).value(), RunResult::kDone);
  std::vector<float> rows(x.values.size());
  EXPECT_TRUE(backend->Download(*operation->gradient(), 0, rows).ok());
  return rows;
}

double RelativeDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

// 90 projections spread over 6 lie 0.07 apart; at |x| = 6 TF32 rounds them by 0.002 and so
// exchanges some 3 % of neighbours, each of which moves an |h| of 0.5 by 2/50: 1 %, granted 5.
// Split factors exchange a thousandth of that: none here.
TEST(MatrixPrecision, SplitFactorsCostNoDigitsAndTf32FewRanks) {
  const Points x = Normals(40, 30, 1), y = Normals(50, 30, 2, 1.5f);
  const std::vector<float> fp32 = Gradient(MatrixPrecision::kFp32, x, y);
  // Sums of 60 velocities, each rounded by 2^-21 at worst (the low halves' own rounding).
  EXPECT_LT(RelativeDifference(Gradient(MatrixPrecision::kTf32x3, x, y), fp32), 60 * 0x1p-21);
  const double tf32 = RelativeDifference(Gradient(MatrixPrecision::kTf32, x, y), fp32);
  EXPECT_GT(tf32, 1e-5);
  EXPECT_LT(tf32, 5e-2);
}

TEST(MatrixPrecision, EqualEnsemblesHaveNoGradientInAny) {
  const Points x = Normals(40, 30, 1);
  for (const auto precision :
       {MatrixPrecision::kFp32, MatrixPrecision::kTf32x3, MatrixPrecision::kTf32}) {
    EXPECT_EQ(Gradient(precision, x, x), std::vector<float>(x.values.size()));
  }
}

}  // namespace
}  // namespace riesz::cuda
