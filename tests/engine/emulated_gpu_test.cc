// The engine on the cuda backend over an emulated device: particles that the host cannot see, and a
// device that is lost.
#include "core/backend/cuda/cuda_backend.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/emulated_runtime.h"

namespace riesz {
namespace {

class EmulatedGpuTest : public EngineFixture {
 protected:
  // Returns the device, which lives as long as the engine.
  emulated::EmulatedRuntime* StartOnGpu(const emulated::EmulationOptions& options = {}) {
    auto runtime = std::make_unique<emulated::EmulatedRuntime>(options);
    emulated::EmulatedRuntime* const raw = runtime.get();
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(cuda::MakeBackendOn(std::move(runtime), {}));
    engine = Engine::Create({}, std::move(backends)).value();
    return raw;
  }
  absl::StatusOr<double> ExactDistance(ParticlesRef x) {
    EnergyDistanceRequest request = Distance();
    request.x = std::move(x);
    Await<EnergyDistanceReply> distance;
    engine->ComputeEnergyDistance(context, request, distance.callback());
    if (!distance.Get().ok()) return distance.Get().status();
    return distance.Get()->value.energy_distance;
  }
  // An upload, a distance, a kept gradient, a flow, and its particles. Ends at the first error.
  absl::Status Scenario() {
    if (const auto put = Put("x", 2, {0, 0}); !put.ok()) return put.status();
    if (const auto put = Put("y", 2, {3, 4}); !put.ok()) return put.status();
    if (const auto distance = ExactDistance(EnsembleRef{"x"}); !distance.ok()) {
      return distance.status();
    } else {
      EXPECT_NEAR(*distance, 10, 1e-5);  // twice |(3, 4)|
    }
    GradientRequest request = Gradient();
    request.keep_as = EnsembleTraits{.id = "g"};
    Await<GradientReply> gradient;
    engine->ComputeGradient(context, request, gradient.callback());
    if (!gradient.Get().ok()) return gradient.Get().status();
    gradient.Forget();
    Await<FlowInfo> made;
    engine->CreateFlow(context, {.id = "f", .start = EnsembleRef{"x"}, .target = "y"},
                       made.callback());
    if (!made.Get().ok()) return made.Get().status();
    const auto advanced = Advance("f", 2);
    if (!advanced.ok()) return advanced.status();
    if (advanced->phase == FlowPhase::kFailed) return absl::UnavailableError("the flow failed");
    if (advanced->step != 2) return absl::UnavailableError("the flow did not arrive");
    if (Read(FlowRef{"f", std::nullopt}).size() != 2) return absl::UnavailableError("no particles");
    return absl::OkStatus();
  }
};

TEST_F(EmulatedGpuTest, DoesWhatTheEngineOffers) {
  StartOnGpu();
  const absl::Status all = Scenario();
  ASSERT_TRUE(all.ok()) << all;
  // n grad D^2 = -(3, 4) / 5.
  const std::vector<float> gradient = Read(EnsembleRef{"g"});
  ASSERT_EQ(gradient.size(), 2u);
  EXPECT_NEAR(gradient[0], -0.6, 1e-6);
  EXPECT_NEAR(gradient[1], -0.8, 1e-6);
}

TEST_F(EmulatedGpuTest, ALostDeviceIsSaidToBeLostAndEveryCallIsAnswered) {
  const int64_t calls = [&] {
    const emulated::EmulatedRuntime* runtime = StartOnGpu();
    EXPECT_TRUE(Scenario().ok());
    return runtime->calls();
  }();
  for (int64_t call = 0; call < calls; call += 3) {
    SCOPED_TRACE(call);
    StartOnGpu({.calls_until_lost = call});
    Scenario().IgnoreError();
    // Whoever was there when it was lost, the next one hears of it, and then everybody does.
    const absl::Status next = Put("z", 2, {1, 2}).status();
    EXPECT_EQ(next.code(), absl::StatusCode::kUnavailable) << next;
    EXPECT_EQ(ReasonOf(next), ErrorReason::kDeviceLost) << next;
    EXPECT_TRUE(engine->Devices()[0].lost);
  }
}

}  // namespace
}  // namespace riesz
