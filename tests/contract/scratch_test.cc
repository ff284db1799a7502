// What an operation allocates is what was predicted before anything was, or less: the ledger counts
// on it.
#include <malloc.h>

#include "tests/contract/contract.h"

namespace riesz::contract {
namespace {

// Bytes that the C library has handed out, to operator new and aligned_alloc alike.
int64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

class Scratch : public BackendContract {
 protected:
  // Page rounding of a dozen arrays, and the objects themselves.
  static constexpr int64_t kRoundingBytes = 64 << 10;

  void SetUp() override {
    const int64_t before = HeapBytes();
    const std::vector<char> probe(8 << 20);
    // Sanitizers bring an allocator of their own, which mallinfo2 does not see.
    if (HeapBytes() - before < static_cast<int64_t>(probe.size())) {
      GTEST_SKIP() << "this build's allocator does not report to mallinfo2";
    }
  }

  // Creates by `create`, runs by `run`, and compares what was taken at both points.
  template <class Create, class Run>
  void ExpectWithin(const WorkEstimate& estimate, const Create& create, const Run& run) {
    const int64_t before = HeapBytes();
    auto operation = create();
    const int64_t created = HeapBytes() - before;
    run(*operation);
    const int64_t ran = HeapBytes() - before;
    EXPECT_LE(created, estimate.scratch_bytes + kRoundingBytes);
    EXPECT_LE(ran, estimate.scratch_bytes + kRoundingBytes);
    EXPECT_GE(estimate.chunks, 1);
    EXPECT_GT(estimate.seconds, 0);
  }

  const ProblemShape shape_{.n = 600, .m = 500, .d = 300};
  const Ensemble x_ = Upload(Normals(600, 300, 1)), y_ = Upload(Normals(500, 300, 2));
};
RIESZ_ON_EVERY_BACKEND(Scratch);

TEST_P(Scratch, OfDistancesIsWithinTheEstimate) {
  for (const Method method : {Method::kExact, Method::kSliced}) {
    for (const DirectionKind kind : KindsFor(shape_.d)) {
      const EnergyDistanceSpec spec{.method = method, .directions = {.kind = kind, .count = 320}};
      ExpectWithin(
          backend_->Estimate(shape_, spec),
          [&] { return backend_->NewEnergyDistance(x_, y_, spec).value(); },
          [](EnergyDistanceOperation& operation) { RunToEnd(operation, 3); });
    }
  }
}

TEST_P(Scratch, OfGradientsIsWithinTheEstimateResultIncluded) {
  for (const Method method : {Method::kExact, Method::kSliced}) {
    for (const DirectionKind kind : KindsFor(shape_.d)) {
      const GradientSpec spec{.method = method, .directions = {.kind = kind, .count = 320}};
      ExpectWithin(
          backend_->Estimate(shape_, spec),
          [&] { return backend_->NewGradient(x_, y_, spec).value(); },
          [](GradientOperation& operation) { RunToEnd(operation, 3); });
    }
  }
}

TEST_P(Scratch, OfFlowsIsWithinTheEstimate) {
  const FlowSpec spec{.directions = {.count = 320}, .frozen = {}};
  ExpectWithin(
      backend_->Estimate(shape_, spec),
      [&] { return backend_->NewFlowStepper(x_, y_, spec).value(); },
      [](FlowStepper& flow) { Advance(flow, 2, true, 3); });
}

}  // namespace
}  // namespace riesz::contract
