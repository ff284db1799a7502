// A device that is lost, or has no memory, at each call in turn: who asked gets a status that says
// so, and nothing else is harmed.
#include <gtest/gtest.h>

#include "core/backend/cuda/cuda_backend.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "tests/contract/points.h"
#include "tests/support/emulated_runtime.h"

namespace riesz::cuda {
namespace {

using contract::Normals;
using contract::Points;
using emulated::EmulatedRuntime;
using emulated::EmulationOptions;

const FlowSpec kFlow{.directions = {.count = 5}, .frozen = {}};

struct Opened {
  EmulatedRuntime* runtime;  // owned by the backend
  std::unique_ptr<Backend> backend;
};
Opened Open(const EmulationOptions& options) {
  auto runtime = std::make_unique<EmulatedRuntime>(options);
  EmulatedRuntime* raw = runtime.get();
  return {raw, MakeBackendOn(std::move(runtime), {})};
}

absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Upload(Backend& backend, const Points& p) {
  RIESZ_ASSIGN_OR_RETURN(auto buffer, backend.NewEnsemble(p.n, p.d));
  RIESZ_ASSIGN_OR_RETURN(const auto bytes, buffer->Map(0, p.n * p.d * 4));
  std::memcpy(bytes.data(), p.values.data(), bytes.size());
  RIESZ_RETURN_IF_ERROR(buffer->Commit());
  return buffer->Seal();
}

template <class Operation>
absl::Status Finish(Operation& operation) {
  Budget budget = Budget::Unlimited();
  return operation.Run(budget, {}).status();
}

// Everything that a backend does, until the first error.
absl::Status UseAll(Backend& backend) {
  RIESZ_ASSIGN_OR_RETURN(auto x, Upload(backend, Normals(9, 3, 1)));
  RIESZ_ASSIGN_OR_RETURN(auto y, Upload(backend, Normals(7, 3, 2)));
  for (const Method method : {Method::kExact, Method::kSliced}) {
    const EnergyDistanceSpec value{.method = method, .directions = {.count = 5}};
    RIESZ_ASSIGN_OR_RETURN(auto distance, backend.NewEnergyDistance(x, y, value));
    RIESZ_RETURN_IF_ERROR(Finish(*distance));
    const GradientSpec slope{.method = method, .directions = {.count = 5}};
    RIESZ_ASSIGN_OR_RETURN(auto gradient, backend.NewGradient(x, y, slope));
    RIESZ_RETURN_IF_ERROR(Finish(*gradient));
    std::vector<float> rows(27);
    RIESZ_RETURN_IF_ERROR(backend.Download(*gradient->gradient(), 0, rows));
  }
  RIESZ_ASSIGN_OR_RETURN(auto flow, backend.NewFlowStepper(x, y, kFlow));
  for (int step = 0; step < 2; ++step) {
    Budget budget = Budget::Unlimited();
    RIESZ_RETURN_IF_ERROR(flow->Step(budget, {}, true).status());
  }
  RIESZ_RETURN_IF_ERROR(flow->Snapshot().status());
  RIESZ_ASSIGN_OR_RETURN(const FlowState state, flow->Save());
  return flow->Restore(state);
}

TEST(LostDevice, AnswersUnavailableFromWhicheverCallItWasLost) {
  const Opened whole = Open({});
  ASSERT_TRUE(UseAll(*whole.backend).ok());
  const int64_t calls = whole.runtime->calls();
  ASSERT_GT(calls, 100);
  for (int64_t call = 0; call < calls; ++call) {
    SCOPED_TRACE(call);
    const Opened opened = Open({.calls_until_lost = call});
    const absl::Status lost = UseAll(*opened.backend);
    ASSERT_EQ(lost.code(), absl::StatusCode::kUnavailable) << lost;
    ASSERT_EQ(DetailOf(lost)->reason, ErrorReason::kDeviceLost);
    EXPECT_NE(lost.message().find("cuda-emulated was lost"), absl::string_view::npos) << lost;
    // The runtime would work again; the device stays lost, and is not even asked.
    const int64_t asked = opened.runtime->calls();
    const absl::Status again = UseAll(*opened.backend);
    EXPECT_EQ(again.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(DetailOf(again)->reason, ErrorReason::kDeviceLost);
    EXPECT_EQ(opened.runtime->calls(), asked);
    EXPECT_EQ(opened.runtime->bytes_in_use(), 0);
  }
}

TEST(LostDevice, AFlowUnderWayStaysAtItsLastStep) {
  const Opened opened = Open({});
  const auto x = Upload(*opened.backend, Normals(9, 3, 1)).value();
  const auto y = Upload(*opened.backend, Normals(7, 3, 2)).value();
  const int64_t before = opened.runtime->calls();
  const Opened mortal = Open({.calls_until_lost = before + 100});
  const auto mx = Upload(*mortal.backend, Normals(9, 3, 1)).value();
  const auto my = Upload(*mortal.backend, Normals(7, 3, 2)).value();
  auto flow = mortal.backend->NewFlowStepper(mx, my, kFlow).value();
  int64_t steps = 0;
  for (;; ++steps) {
    Budget budget = Budget::Unlimited();
    const auto run = flow->Step(budget, {}, false);
    if (!run.ok()) break;
    ASSERT_LT(steps, 100);
  }
  EXPECT_GT(steps, 0);
  EXPECT_EQ(flow->step(), steps);
  EXPECT_EQ(flow->Save().status().code(), absl::StatusCode::kUnavailable);
}

TEST(FullDevice, SaysWhatWantedHowMuch) {
  const Opened opened = Open({.memory_bytes = 1 << 20});
  const absl::Status status = opened.backend->NewEnsemble(1024, 1024).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "cuda-emulated: 4194304 bytes wanted for an ensemble, 1048576 of 1048576 free");
  const ErrorDetail detail = DetailOf(status).value();
  EXPECT_EQ(detail.reason, ErrorReason::kMemory);
  EXPECT_EQ(detail.metadata.at("what"), "an ensemble");
  EXPECT_EQ(detail.metadata.at("wanted_bytes"), "4194304");
}

TEST(FullDevice, AnyRefusedAllocationFailsItsRequestAndNothingElse) {
  for (int64_t allocation = 0;; ++allocation) {
    SCOPED_TRACE(allocation);
    const Opened opened = Open({.allocations_until_refused = allocation});
    const absl::Status status = UseAll(*opened.backend);
    if (status.ok()) {
      EXPECT_GT(allocation, 50);
      return;
    }
    ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_NE(status.message().find("bytes wanted for"), absl::string_view::npos) << status;
    EXPECT_EQ(opened.runtime->bytes_in_use(), 0);
    EXPECT_TRUE(UseAll(*opened.backend).ok());
  }
}

TEST(Estimate, IsWhatAnOperationTakesFromTheDevice) {
  const Opened opened = Open({});
  const ProblemShape shape{300, 200, 50};
  const auto x = Upload(*opened.backend, Normals(300, 50, 1)).value();
  const auto y = Upload(*opened.backend, Normals(200, 50, 2)).value();
  const int64_t before = opened.runtime->bytes_in_use();
  // Beside the device's: what the host takes, orthonormalisation and the objects, and at most a
  // page that the emulation adds to each of two dozen arrays.
  const auto expect = [&](int64_t estimate, int64_t host) {
    const int64_t taken = opened.runtime->bytes_in_use() - before;
    EXPECT_LE(taken, estimate);
    EXPECT_GE(taken, estimate - host - (64 << 10));
  };
  for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal}) {
    const DirectionSpec directions{.kind = kind, .count = 120};
    const int64_t host = DirectionScratch::Bytes(directions, 50);
    const FlowSpec flow{.directions = directions, .frozen = {}};
    const auto stepper = opened.backend->NewFlowStepper(x, y, flow).value();
    expect(opened.backend->Estimate(shape, flow).scratch_bytes, host);
  }
  const GradientSpec exact{.method = Method::kExact, .directions = {}};
  const auto gradient = opened.backend->NewGradient(x, y, exact).value();
  expect(opened.backend->Estimate(shape, exact).scratch_bytes, 0);
}

}  // namespace
}  // namespace riesz::cuda
