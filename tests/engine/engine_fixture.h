// An engine on a fake backend and a fake clock, spoken to in the domain's words.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/crc32c.h"
#include "core/engine/engine.h"
#include "core/error.h"
#include "tests/support/await.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_clock.h"

namespace riesz {

inline ErrorReason ReasonOf(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return detail.has_value() ? detail->reason : ErrorReason::kUnspecified;
}

inline absl::Status DeviceLostError() {
  return WithDetail(absl::UnavailableError("device fake was lost"),
                    {ErrorReason::kDeviceLost, {{"device", "fake"}}});
}

class EngineFixture : public ::testing::Test {
 protected:
  // Call first. The engine owns the backend; `backend` stays valid as long.
  void Start(FakeBackendOptions fake = {}, EngineOptions options = {}) {
    fake.clock = &clock;
    auto made = std::make_unique<FakeBackend>(fake);
    backend = made.get();
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(std::move(made));
    options.clock = &clock;
    options.wall_now = [this] { return wall; };
    auto created = Engine::Create(std::move(options), std::move(backends));
    ASSERT_TRUE(created.ok()) << created.status();
    engine = *std::move(created);
  }

  // A generated ensemble of count x dim.
  absl::StatusOr<EnsembleInfo> Generate(const std::string& id, int64_t count = 3, int64_t dim = 2) {
    Await<EnsembleInfo> made;
    engine->CreateEnsemble(
        context, {.id = id},
        GeneratorSource{.count = count, .dim = dim, .seed = 5, .mean = 0, .scale = 1},
        made.callback());
    return made.Get();
  }
  // An ensemble with these values, uploaded in one chunk.
  absl::StatusOr<EnsembleInfo> Put(const std::string& id, int64_t dim, std::vector<float> values) {
    const auto bytes = std::as_bytes(std::span<const float>(values));
    UploadRequest request;
    request.traits.id = id;
    request.count = static_cast<int64_t>(values.size()) / dim;
    request.dim = dim;
    auto upload = engine->StartUpload(context, request);
    if (!upload.ok()) return upload.status();
    {
      auto writer = engine->OpenUpload(context, upload->id);
      if (!writer.ok()) return writer.status();
      const std::span<const std::byte> pieces[] = {bytes};
      absl::Status written = (*writer)->Write(0, Crc32c(bytes), pieces);
      if (!written.ok()) return written;
    }
    return engine->FinishUpload(context, upload->id, Crc32c(bytes));
  }
  absl::StatusOr<FlowInfo> NewFlow(const std::string& id, int64_t measure_every = 10) {
    NewFlowRequest request;
    request.id = id;
    request.start = EnsembleRef{"x"};
    request.target = "y";
    request.parameters.measure_every = measure_every;
    Await<FlowInfo> made;
    engine->CreateFlow(context, std::move(request), made.callback());
    return made.Get();
  }
  // Waits until the flow is READY or FAILED.
  absl::StatusOr<FlowInfo> AwaitRest(const std::string& id) {
    struct Signal {
      std::mutex mutex;
      std::condition_variable changed;
      bool set = false;
    };
    auto signal = std::make_shared<Signal>();
    auto watch = engine->WatchFlow(context, id, [signal] {
      std::lock_guard lock(signal->mutex);
      signal->set = true;
      signal->changed.notify_all();
    });
    if (!watch.ok()) return watch.status();
    for (;;) {
      auto info = (*watch)->Latest();
      if (!info.ok()) return info;
      if (info->phase == FlowPhase::kReady || info->phase == FlowPhase::kFailed) return info;
      std::unique_lock lock(signal->mutex);
      signal->changed.wait(lock, [&] { return signal->set; });
      signal->set = false;
    }
  }
  absl::StatusOr<FlowInfo> Advance(const std::string& id, int64_t target_step) {
    auto queued = engine->AdvanceFlow(context, id, target_step);
    if (!queued.ok()) return queued;
    return AwaitRest(id);
  }
  // The particles' values; none where they cannot be read.
  std::vector<float> Read(ParticlesRef ref) {
    Await<ResolvedParticles> resolved;
    engine->Resolve(context, std::move(ref), resolved.callback());
    if (!resolved.Get().ok()) return {};
    std::vector<float> values(static_cast<size_t>(resolved.Get()->count * resolved.Get()->dim));
    const absl::Status read = engine->ReadBytes(*resolved.Get()->particles, 0,
                                                std::as_writable_bytes(std::span<float>(values)));
    if (!read.ok()) return {};
    return values;
  }
  EnergyDistanceRequest Distance(MethodChoice method = MethodChoice::kExact) {
    EnergyDistanceRequest request;
    request.x = EnsembleRef{"x"};
    request.y = EnsembleRef{"y"};
    request.method = method;
    return request;
  }
  GradientRequest Gradient(MethodChoice method = MethodChoice::kExact) {
    GradientRequest request;
    request.x = EnsembleRef{"x"};
    request.y = EnsembleRef{"y"};
    request.method = method;
    return request;
  }
  int64_t UsedBytes() const { return engine->Devices()[0].memory_used_bytes; }

  FakeClock clock;
  WallTime wall{std::chrono::hours(24 * 365 * 50)};
  CallContext context;
  FakeBackend* backend = nullptr;
  std::unique_ptr<Engine> engine;
};

}  // namespace riesz
