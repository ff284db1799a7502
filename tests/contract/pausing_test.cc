// Where an operation yields or stops changes no bit of its result.
#include "tests/contract/contract.h"

namespace riesz::contract {
namespace {

class Pausing : public BackendContract {
 protected:
  const Points x_ = Normals(150, 20, 1), y_ = Normals(170, 20, 2, 1.5f);

  static std::vector<EnergyDistanceSpec> DistanceSpecs() {
    std::vector<EnergyDistanceSpec> specs;
    for (const Estimator estimator : {Estimator::kV, Estimator::kU}) {
      specs.push_back({.method = Method::kExact, .estimator = estimator, .directions = {}});
      for (const DirectionKind kind : KindsFor(20)) {
        specs.push_back({.method = Method::kSliced,
                         .estimator = estimator,
                         .directions = {.kind = kind, .count = 600, .seed = 3}});
      }
    }
    return specs;
  }
  static std::vector<GradientSpec> GradientSpecs() {
    std::vector<GradientSpec> specs = {{.method = Method::kExact, .directions = {}}};
    for (const DirectionKind kind : KindsFor(20)) {
      specs.push_back(
          {.method = Method::kSliced, .directions = {.kind = kind, .count = 600, .seed = 3}});
    }
    return specs;
  }

  // Runs to the end with a stop in front of every chunk but those that must make progress.
  template <class Runnable>
  static void RunWithStops(Runnable& operation) {
    for (;;) {
      std::stop_source source;
      source.request_stop();
      Budget none = Budget::Unlimited();
      const int64_t done = operation.chunks_done();
      const absl::StatusOr<RunResult> stopped = operation.Run(none, source.get_token());
      ASSERT_TRUE(stopped.ok());
      ASSERT_EQ(*stopped, RunResult::kStopped);
      ASSERT_EQ(operation.chunks_done(), done);
      Budget one = Budget::OfChunks(1);
      const absl::StatusOr<RunResult> run = operation.Run(one, {});
      ASSERT_TRUE(run.ok());
      if (*run == RunResult::kDone) return;
      ASSERT_GT(operation.chunks_done(), done);
    }
  }
};
RIESZ_ON_EVERY_BACKEND(Pausing);

void ExpectSame(const EnergyDistance& a, const EnergyDistance& b) {
  EXPECT_EQ(a.energy_distance, b.energy_distance);
  EXPECT_EQ(a.slicing_standard_error, b.slicing_standard_error);
}

void ExpectSame(const Gradient& a, const Gradient& b) {
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.summary.rms_velocity, b.summary.rms_velocity);
  EXPECT_EQ(a.summary.slicing_standard_error, b.summary.slicing_standard_error);
}

TEST_P(Pausing, QuantaChangeNoBitOfADistance) {
  for (const EnergyDistanceSpec& spec : DistanceSpecs()) {
    const EnergyDistance whole = Distance(x_, y_, spec);
    for (const int64_t chunks : {1, 2, 3}) ExpectSame(Distance(x_, y_, spec, chunks), whole);
  }
}

TEST_P(Pausing, QuantaChangeNoBitOfAGradient) {
  for (const GradientSpec& spec : GradientSpecs()) {
    const Gradient whole = GradientOf(x_, y_, spec);
    for (const int64_t chunks : {1, 2, 3}) ExpectSame(GradientOf(x_, y_, spec, chunks), whole);
  }
}

TEST_P(Pausing, StopsAndResumptionsChangeNoBit) {
  for (const EnergyDistanceSpec& spec : DistanceSpecs()) {
    auto operation = backend_->NewEnergyDistance(Upload(x_), Upload(y_), spec).value();
    RunWithStops(*operation);
    ExpectSame(operation->result(), Distance(x_, y_, spec));
  }
  for (const GradientSpec& spec : GradientSpecs()) {
    auto operation = backend_->NewGradient(Upload(x_), Upload(y_), spec).value();
    RunWithStops(*operation);
    ExpectSame(Gradient{Download(*operation->gradient()), operation->summary()},
               GradientOf(x_, y_, spec));
  }
}

TEST_P(Pausing, ProgressEndsAtThePlan) {
  for (const GradientSpec& spec : GradientSpecs()) {
    auto operation = backend_->NewGradient(Upload(x_), Upload(y_), spec).value();
    EXPECT_EQ(operation->chunks_done(), 0);
    EXPECT_GE(operation->chunks_planned(), 1);
    RunToEnd(*operation, 1);
    EXPECT_EQ(operation->chunks_done(), operation->chunks_planned());
    // Done stays done, and the result stays.
    const auto gradient = operation->gradient();
    RunToEnd(*operation, 0);
    EXPECT_EQ(operation->gradient(), gradient);
  }
}

TEST_P(Pausing, LongOperationsHaveManyChunks) {
  // Minutes to hours of work: whoever waits for a chunk's end must not wait for a tenth of it.
  const ProblemShape shape{.n = 100'000, .m = 100'000, .d = 784};
  const GradientSpec exact{.method = Method::kExact, .directions = {}};
  EXPECT_GE(backend_->Estimate(shape, exact).chunks, 1000);
  const GradientSpec sliced{.method = Method::kSliced, .directions = {.count = 1000}};
  EXPECT_GE(backend_->Estimate(shape, sliced).chunks, 20);
}

TEST_P(Pausing, ThreadsChangeNoBit) {
  auto alone = MakeContractBackend(GetParam(), 1);
  for (const GradientSpec& spec : GradientSpecs()) {
    const Gradient with_two = GradientOf(x_, y_, spec);
    std::swap(alone, backend_);
    ExpectSame(GradientOf(x_, y_, spec), with_two);
    std::swap(alone, backend_);
  }
  for (const EnergyDistanceSpec& spec : DistanceSpecs()) {
    const EnergyDistance with_two = Distance(x_, y_, spec);
    std::swap(alone, backend_);
    ExpectSame(Distance(x_, y_, spec), with_two);
    std::swap(alone, backend_);
  }
}

}  // namespace
}  // namespace riesz::contract
