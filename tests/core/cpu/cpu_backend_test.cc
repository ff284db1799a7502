// What only the cpu backend promises: the same bits on any number of threads, chunks of bounded
// size, operations side by side.
#include "core/backend/cpu/cpu_backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/matrix_unit.h"
#include "core/random.h"
#include "tests/core/cpu/targets.h"

namespace riesz {
namespace {

using Ensemble = std::shared_ptr<const DeviceEnsemble>;

Ensemble Normals(Backend& backend, int64_t count, int64_t dim, uint64_t seed, float shift = 0) {
  auto buffer = *backend.NewEnsemble(count, dim);
  auto bytes = *buffer->Map(0, count * dim * 4);
  auto* floats = reinterpret_cast<float*>(bytes.data());
  for (int64_t i = 0; i < count; ++i) {
    FillNormals(seed, RandomStream::kGenerator, 0, static_cast<uint64_t>(i), floats + i * dim, dim);
    for (int64_t k = 0; k < dim; ++k) floats[i * dim + k] += shift;
  }
  EXPECT_TRUE(buffer->Commit().ok());
  return *buffer->Seal();
}

std::vector<float> Rows(Backend& backend, const Ensemble& ensemble) {
  std::vector<float> rows(static_cast<size_t>(ensemble->count() * ensemble->dim()));
  EXPECT_TRUE(backend.Download(*ensemble, 0, rows).ok());
  return rows;
}

// Everything one problem yields, as bits.
struct Everything {
  std::vector<float> sliced_gradient, iid_gradient, exact_gradient, flow;
  double sliced_value = 0, exact_value = 0, slicing_error = 0;
  bool operator==(const Everything&) const = default;
};

Everything Compute(int threads, int64_t budget_chunks) {
  const auto backend = MakeCpuBackend({.threads = threads});
  const Ensemble x = Normals(*backend, 301, 37, 1);
  const Ensemble y = Normals(*backend, 257, 37, 2, 0.2f);
  const auto run = [&](Operation& operation) {
    while (true) {
      Budget budget = Budget::OfChunks(budget_chunks);
      if (*operation.Run(budget, {}) == RunResult::kDone) return;
    }
  };
  Everything all;
  GradientSpec gradient;
  gradient.directions.count = 600;
  auto sliced = *backend->NewGradient(x, y, gradient);
  run(*sliced);
  all.sliced_gradient = Rows(*backend, sliced->gradient());
  all.slicing_error = *sliced->summary().slicing_standard_error;
  gradient.directions.kind = DirectionKind::kIid;
  auto iid = *backend->NewGradient(x, y, gradient);
  run(*iid);
  all.iid_gradient = Rows(*backend, iid->gradient());
  gradient.method = Method::kExact;
  auto exact = *backend->NewGradient(x, y, gradient);
  run(*exact);
  all.exact_gradient = Rows(*backend, exact->gradient());
  EnergyDistanceSpec value;
  auto exact_value = *backend->NewEnergyDistance(x, y, value);
  run(*exact_value);
  all.exact_value = exact_value->result().energy_distance;
  value.method = Method::kSliced;
  auto sliced_value = *backend->NewEnergyDistance(x, y, value);
  run(*sliced_value);
  all.sliced_value = sliced_value->result().energy_distance;
  FlowSpec flow;
  flow.momentum = 0.5;
  flow.directions.count = 100;
  auto stepper = *backend->NewFlowStepper(x, y, flow);
  while (stepper->step() < 3) {
    Budget budget = Budget::OfChunks(budget_chunks);
    EXPECT_TRUE(stepper->Step(budget, {}, true).ok());
  }
  all.flow = stepper->Save()->particles;
  return all;
}

TEST(CpuBackendTest, BitsDoNotDependOnThreadsOrOnWhereItYields) {
  const Everything one = Compute(1, 1 << 30);
  EXPECT_TRUE(one == Compute(2, 1 << 30));
  EXPECT_TRUE(one == Compute(3, 1));
}

// A block of 1024 rows is longer than a chunk, the one slice behind it is a block of its own. In
// 1025 g(1025) = 1024 g(1024) + the last slice's part, that part is at most c_{1100,1} * 2 a
// particle
// (|n h_i| <= 2), where a block counted twice would add 1024 times the speed, here near 1.
TEST(CpuBackendTest, OneSliceBehindALongBlockAddsOneSlice) {
  constexpr int64_t kCount = 50;
  constexpr int64_t kDim = 1100;
  constexpr double kMostOfOneSlice = 2 * 41.58;
  const auto backend = MakeCpuBackend({.threads = 2});
  const Ensemble x = Normals(*backend, kCount, kDim, 1);
  const Ensemble y = Normals(*backend, kCount, kDim, 2, 3);
  const auto velocity_sum = [&](int64_t slices) {
    GradientSpec spec;
    spec.directions.count = slices;
    auto operation = *backend->NewGradient(x, y, spec);
    Budget budget = Budget::Unlimited();
    EXPECT_TRUE(operation->Run(budget, {}).ok());
    std::vector<float> sum = Rows(*backend, operation->gradient());
    for (float& value : sum) value *= static_cast<float>(slices * kCount);
    return sum;
  };
  const std::vector<float> long_block = velocity_sum(1024);
  const std::vector<float> and_one = velocity_sum(1025);
  for (int64_t i = 0; i < kCount; ++i) {
    double before = 0, added = 0;
    for (int64_t k = i * kDim; k < (i + 1) * kDim; ++k) {
      before += double{long_block[k]} * long_block[k];
      added += std::pow(double{and_one[k]} - long_block[k], 2);
    }
    EXPECT_GT(std::sqrt(before), 2 * kMostOfOneSlice);
    EXPECT_LT(std::sqrt(added), kMostOfOneSlice);
  }
}

TEST(CpuBackendTest, Avx2AndAvx512GiveTheSameSlicedBits) {
  if (cpu::SupportedTargets().size() < 2 || (hwy::SupportedTargets() & HWY_AVX3) == 0) {
    GTEST_SKIP() << "this machine has no AVX-512 to compare with";
  }
  cpu::AllowMatrixUnit(false);
  const Everything wide = Compute(2, 1 << 30);
  const cpu::OnlyTarget only(HWY_AVX2);
  const Everything narrow = Compute(2, 1 << 30);
  cpu::AllowMatrixUnit(true);
  EXPECT_EQ(wide.sliced_gradient, narrow.sliced_gradient);
  EXPECT_EQ(wide.sliced_value, narrow.sliced_value);
  EXPECT_EQ(wide.flow, narrow.flow);
}

TEST(CpuBackendTest, AHugeExactGradientPausesAndStopsAfterAFewChunks) {
  const auto backend = MakeCpuBackend({.threads = 2});
  const Ensemble x = Normals(*backend, 100000, 784, 1);
  GradientSpec spec;
  spec.method = Method::kExact;
  auto operation = *backend->NewGradient(x, x, spec);
  // 7 n^2 d flops in chunks of 20 ms at most, on two cores of so many flops a second at most.
  const double most = cpu::MatrixUnitAvailable() ? 300e9 : 120e9;
  EXPECT_GE(operation->chunks_planned(), 7e10 * 784 / (2 * most * 0.020));
  for (int i = 1; i <= 5; ++i) {
    Budget budget = Budget::OfChunks(1);
    EXPECT_EQ(*operation->Run(budget, {}), RunResult::kYield);
    EXPECT_EQ(operation->chunks_done(), i);
  }
  std::stop_source source;
  source.request_stop();
  Budget budget = Budget::Unlimited();
  EXPECT_EQ(*operation->Run(budget, source.get_token()), RunResult::kStopped);
  EXPECT_EQ(operation->chunks_done(), 5);
}

// Projections of 12 slices are 0.96 GB; sorting takes 0.56 GB on two threads, particles, targets,
// result and error sums 0.4 GB.
TEST(CpuBackendTest, TenMillionParticlesInTwoDimensionsAskForTwoGigabytes) {
  const auto backend = MakeCpuBackend({.threads = 2});
  GradientSpec spec;
  spec.directions = {.kind = DirectionKind::kIid, .count = 100};
  EXPECT_LT(backend->Estimate({10'000'000, 10'000'000, 2}, spec).scratch_bytes, 2'200'000'000);
}

// 2^-120 of data near 1 keeps 23 bits of all coordinates but the smallest thousandth: E scales to
// 1e-5 where nothing else is lost. (A matrix unit without scaled operands is off by 1e-3 here.)
TEST(CpuBackendTest, SlicedValuesOfTinyDataScale) {
  const auto backend = MakeCpuBackend({.threads = 2});
  const auto value = [&](float scale) {
    const auto scaled = [&](const Ensemble& from) {
      std::vector<float> rows = Rows(*backend, from);
      auto buffer = *backend->NewEnsemble(from->count(), from->dim());
      auto bytes = *buffer->Map(0, from->bytes());
      for (float& v : rows) v *= scale;
      std::memcpy(bytes.data(), rows.data(), bytes.size());
      EXPECT_TRUE(buffer->Commit().ok());
      return Ensemble(*buffer->Seal());
    };
    EnergyDistanceSpec spec;
    spec.method = Method::kSliced;
    spec.directions.count = 128;
    auto operation = *backend->NewEnergyDistance(scaled(Normals(*backend, 100, 64, 1)),
                                                 scaled(Normals(*backend, 90, 64, 2, 0.5f)), spec);
    Budget budget = Budget::Unlimited();
    EXPECT_TRUE(operation->Run(budget, {}).ok());
    return operation->result().energy_distance;
  };
  EXPECT_NEAR(value(0x1p-120f) * 0x1p120 / value(1), 1, 1e-5);
}

TEST(CpuBackendTest, TwoOperationsAtOnceAreBothRight) {
  const auto backend = MakeCpuBackend({.threads = 2});
  const Ensemble x = Normals(*backend, 200, 20, 1);
  const Ensemble y = Normals(*backend, 300, 20, 2, 0.3f);
  const auto value = [&](Method method) {
    EnergyDistanceSpec spec;
    spec.method = method;
    auto operation = *backend->NewEnergyDistance(x, y, spec);
    Budget budget = Budget::Unlimited();
    EXPECT_EQ(*operation->Run(budget, {}), RunResult::kDone);
    return operation->result().energy_distance;
  };
  const double exact = value(Method::kExact);
  const double sliced = value(Method::kSliced);
  std::vector<double> exact_again(10), sliced_again(10);
  std::thread other([&] {
    for (double& v : exact_again) v = value(Method::kExact);
  });
  for (double& v : sliced_again) v = value(Method::kSliced);
  other.join();
  EXPECT_EQ(exact_again, std::vector<double>(10, exact));
  EXPECT_EQ(sliced_again, std::vector<double>(10, sliced));
}

// |x - y|^r over all pairs, against plain loops in double.
TEST(CpuBackendTest, ExactValuesMatchPlainSums) {
  const auto backend = MakeCpuBackend({.threads = 2});
  for (const int64_t d : {1, 3, 16, 17, 60}) {
    const Ensemble x = Normals(*backend, 130, d, 1);
    const Ensemble y = Normals(*backend, 75, d, 2, 0.5f);
    const auto x_rows = Rows(*backend, x);
    const auto y_rows = Rows(*backend, y);
    for (const double r : {0.5, 1.0, 1.7}) {
      const auto sum = [&](const std::vector<float>& a, const std::vector<float>& b) {
        double total = 0;
        for (size_t i = 0; i < a.size(); i += static_cast<size_t>(d)) {
          for (size_t j = 0; j < b.size(); j += static_cast<size_t>(d)) {
            double square = 0;
            for (size_t k = 0; k < static_cast<size_t>(d); ++k) {
              const double difference = static_cast<double>(a[i + k]) - b[j + k];
              square += difference * difference;
            }
            total += std::pow(square, r / 2);
          }
        }
        return total;
      };
      const double between = 2 * sum(x_rows, y_rows) / (130.0 * 75.0);
      EnergyDistanceSpec spec;
      spec.exponent = r;
      spec.estimator = Estimator::kU;
      auto operation = *backend->NewEnergyDistance(x, y, spec);
      Budget budget = Budget::Unlimited();
      ASSERT_EQ(*operation->Run(budget, {}), RunResult::kDone);
      const double expected =
          between - sum(x_rows, x_rows) / (130.0 * 129.0) - sum(y_rows, y_rows) / (75.0 * 74.0);
      // Float32 pairs of relative error 1e-6, whose average is `between`.
      EXPECT_NEAR(operation->result().energy_distance, expected, 1e-6 * between) << d << " " << r;
    }
  }
}

TEST(CpuBackendTest, AHundredThousandParticlesFitIntoTwoGibibytes) {
  const auto backend = MakeCpuBackend({.threads = 2});
  const ProblemShape shape{.n = 100000, .m = 100000, .d = 784};
  GradientSpec gradient;
  FlowSpec flow;
  flow.directions.count = 1000;
  EXPECT_LE(backend->Estimate(shape, gradient).scratch_bytes, int64_t{2} << 30);
  EXPECT_LE(backend->Estimate(shape, flow).scratch_bytes, int64_t{2} << 30);
}

TEST(CpuBackendTest, AStepThatWouldOverflowLeavesTheFlowAsItWas) {
  const auto backend = MakeCpuBackend({.threads = 2});
  auto buffer = *backend->NewEnsemble(2, 1);
  auto bytes = *buffer->Map(0, 8);
  const float extremes[2] = {3.4e38f, -3.4e38f};
  std::memcpy(bytes.data(), extremes, 8);
  const Ensemble x = *buffer->Seal();
  const Ensemble y = Normals(*backend, 3, 1, 2);
  FlowSpec spec;
  auto stepper = *backend->NewFlowStepper(x, y, spec);
  FlowState state = *stepper->Save();
  state.velocity = {-3.4e38f, 3.4e38f};
  spec.momentum = 0.9;
  stepper = *backend->NewFlowStepper(x, y, spec);
  ASSERT_TRUE(stepper->Restore(state).ok());
  Budget budget = Budget::Unlimited();
  EXPECT_EQ(stepper->Step(budget, {}, false).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(stepper->step(), 0);
  EXPECT_EQ(stepper->Save()->particles, state.particles);
}

}  // namespace
}  // namespace riesz
