// A barrier that is missing somewhere would let the order of threads show: it changes no bit of
// anything that the backend computes.
#include <gtest/gtest.h>

#include <cstring>

#include "core/backend/cuda/cuda_backend.h"
#include "tests/contract/points.h"
#include "tests/support/emulated_runtime.h"

namespace riesz::cuda {
namespace {

using contract::Normals;
using contract::Points;

struct Results {
  std::vector<double> values;
  std::vector<float> floats;
  bool operator==(const Results&) const = default;
};

Results ComputeAll(const emulated::EmulationOptions& options) {
  auto backend = MakeBackendOn(std::make_unique<emulated::EmulatedRuntime>(options), {});
  const auto upload = [&](const Points& p) {
    auto buffer = backend->NewEnsemble(p.n, p.d).value();
    const auto bytes = buffer->Map(0, p.n * p.d * 4).value();
    std::memcpy(bytes.data(), p.values.data(), bytes.size());
    EXPECT_TRUE(buffer->Commit().ok());
    return buffer->Seal().value();
  };
  const auto x = upload(Normals(150, 20, 1)), y = upload(Normals(131, 20, 2, 1.5f));
  Results results;
  const auto finish = [](auto& operation) {
    Budget budget = Budget::Unlimited();
    EXPECT_EQ(operation.Run(budget, {}).value(), RunResult::kDone);
  };
  for (const Method method : {Method::kExact, Method::kSliced}) {
    for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal}) {
      const DirectionSpec directions{.kind = kind, .count = 50, .seed = 3};
      auto distance =
          backend
              ->NewEnergyDistance(x, y, {.method = method, .exponent = 1, .directions = directions})
              .value();
      finish(*distance);
      results.values.push_back(distance->result().energy_distance);
      auto gradient =
          backend->NewGradient(x, y, {.method = method, .directions = directions}).value();
      finish(*gradient);
      results.values.push_back(gradient->summary().rms_velocity);
      results.values.push_back(gradient->summary().slicing_standard_error.value_or(-1));
      std::vector<float> rows(150 * 20);
      EXPECT_TRUE(backend->Download(*gradient->gradient(), 0, rows).ok());
      results.floats.insert(results.floats.end(), rows.begin(), rows.end());
    }
  }
  auto flow = backend->NewFlowStepper(x, y, {.momentum = 0.5, .frozen = {{3, 5}}}).value();
  for (int step = 0; step < 2; ++step) {
    Budget budget = Budget::Unlimited();
    EXPECT_EQ(flow->Step(budget, {}, true).value(), RunResult::kDone);
    results.values.push_back(flow->measurement()->energy_distance);
    results.values.push_back(flow->measurement()->rms_velocity);
  }
  const FlowState state = flow->Save().value();
  results.floats.insert(results.floats.end(), state.particles.begin(), state.particles.end());
  return results;
}

TEST(ThreadOrder, ChangesNoBit) {
  for (const int64_t shared : {227 << 10, 9 << 10}) {  // sorting in blocks; on the device
    const Results ascending = ComputeAll({.shared_bytes_per_block = shared});
    EXPECT_EQ(
        ComputeAll({.order = emulated::ThreadOrder::kDescending, .shared_bytes_per_block = shared}),
        ascending);
  }
}

}  // namespace
}  // namespace riesz::cuda
