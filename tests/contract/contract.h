// The fixture of the contract suite: every test runs once on every backend of contract_backends.h.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/validate.h"
#include "tests/contract/contract_backends.h"
#include "tests/contract/points.h"

namespace riesz::contract {

using Ensemble = std::shared_ptr<const DeviceEnsemble>;

struct Gradient {
  std::vector<float> values;  // (n, d) dD^2/dx_i
  GradientSummary summary;
};

// The kinds of directions that serve `dim`.
inline std::vector<DirectionKind> KindsFor(int64_t dim) {
  std::vector<DirectionKind> kinds;
  for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal,
                                   DirectionKind::kLowDiscrepancy, DirectionKind::kStructured}) {
    if (ValidateDirections({.kind = kind}, dim, "").ok()) kinds.push_back(kind);
  }
  return kinds;
}

class BackendContract : public testing::TestWithParam<std::string_view> {
 protected:
  // Two threads, so that their order could matter.
  BackendContract() : backend_(MakeContractBackend(GetParam(), 2)) {}

  Ensemble Upload(const Points& p) {
    auto buffer = backend_->NewEnsemble(p.n, p.d).value();
    const auto bytes = static_cast<int64_t>(p.values.size() * sizeof(float));
    std::memcpy(buffer->Map(0, bytes).value().data(), p.values.data(), static_cast<size_t>(bytes));
    EXPECT_TRUE(buffer->Commit().ok());
    return buffer->Seal().value();
  }

  std::vector<float> Download(const DeviceEnsemble& ensemble) {
    std::vector<float> values(static_cast<size_t>(ensemble.count() * ensemble.dim()));
    EXPECT_TRUE(backend_->Download(ensemble, 0, values).ok());
    return values;
  }

  // Runs to the end in quanta of `chunks`.
  template <class Runnable>
  static void RunToEnd(Runnable& operation, int64_t chunks) {
    for (;;) {
      Budget budget = chunks == 0 ? Budget::Unlimited() : Budget::OfChunks(chunks);
      const absl::StatusOr<RunResult> run = operation.Run(budget, {});
      ASSERT_TRUE(run.ok()) << run.status();
      if (*run == RunResult::kDone) return;
      ASSERT_EQ(*run, RunResult::kYield);
    }
  }

  // chunks = 0: in one go.
  EnergyDistance Distance(const Points& x, const Points& y, const EnergyDistanceSpec& spec,
                          int64_t chunks = 0) {
    auto operation = backend_->NewEnergyDistance(Upload(x), Upload(y), spec).value();
    RunToEnd(*operation, chunks);
    return operation->result();
  }
  double Exact(const Points& x, const Points& y, double exponent = 1,
               Estimator estimator = Estimator::kV) {
    return Distance(x, y,
                    {.method = Method::kExact,
                     .estimator = estimator,
                     .exponent = exponent,
                     .directions = {}})
        .energy_distance;
  }
  EnergyDistance Sliced(const Points& x, const Points& y, const DirectionSpec& directions,
                        Estimator estimator = Estimator::kV, double exponent = 1) {
    return Distance(x, y,
                    {.method = Method::kSliced,
                     .estimator = estimator,
                     .exponent = exponent,
                     .directions = directions});
  }

  Gradient GradientOf(const Points& x, const Points& y, const GradientSpec& spec,
                      int64_t chunks = 0) {
    auto operation = backend_->NewGradient(Upload(x), Upload(y), spec).value();
    RunToEnd(*operation, chunks);
    return {Download(*operation->gradient()), operation->summary()};
  }
  Gradient ExactGradient(const Points& x, const Points& y, double exponent = 1) {
    return GradientOf(x, y, {.method = Method::kExact, .exponent = exponent, .directions = {}});
  }
  Gradient SlicedGradient(const Points& x, const Points& y, const DirectionSpec& directions,
                          double exponent = 1) {
    return GradientOf(x, y,
                      {.method = Method::kSliced, .exponent = exponent, .directions = directions});
  }

  std::unique_ptr<FlowStepper> Flow(const Points& start, const Points& target,
                                    const FlowSpec& spec) {
    return backend_->NewFlowStepper(Upload(start), Upload(target), spec).value();
  }
  static void Advance(FlowStepper& flow, int64_t steps, bool measure = false, int64_t chunks = 0) {
    const int64_t target = flow.step() + steps;
    while (flow.step() < target) {
      Budget budget = chunks == 0 ? Budget::Unlimited() : Budget::OfChunks(chunks);
      const absl::StatusOr<RunResult> run = flow.Step(budget, {}, measure);
      ASSERT_TRUE(run.ok()) << run.status();
    }
  }

  std::unique_ptr<Backend> backend_;
};

// No backend is allowed: a binary for a device that is not there.
#define RIESZ_ON_EVERY_BACKEND(suite)                                                 \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(suite);                               \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::ValuesIn(ContractBackends()),          \
                           [](const testing::TestParamInfo<std::string_view>& i) {    \
                             std::string name(i.param);                               \
                             for (char& c : name) c = c == '-' || c == ':' ? '_' : c; \
                             return name;                                             \
                           })

}  // namespace riesz::contract
