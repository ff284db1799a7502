// The engine on the reference backend: real numbers from end to end.
#include <cmath>

#include "core/backend/make_backend.h"
#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

class EndToEndTest : public EngineFixture {
 protected:
  void SetUp() override {
    auto reference = MakeBackend("reference");
    ASSERT_TRUE(reference.ok()) << reference.status();
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(*std::move(reference));
    auto created = Engine::Create({}, std::move(backends));
    ASSERT_TRUE(created.ok()) << created.status();
    engine = *std::move(created);
  }
  double ExactDistance(ParticlesRef x, ParticlesRef y) {
    EnergyDistanceRequest request = Distance(MethodChoice::kExact);
    request.x = std::move(x);
    request.y = std::move(y);
    Await<EnergyDistanceReply> distance;
    engine->ComputeEnergyDistance(context, request, distance.callback());
    EXPECT_TRUE(distance.Get().ok()) << distance.Get().status();
    return distance.Get().ok() ? distance.Get()->value.energy_distance : -1;
  }
};

TEST_F(EndToEndTest, TwoDiracsAtDistanceAHaveEnergyDistanceTwoA) {
  ASSERT_TRUE(Put("x", 2, {0, 0}).ok());
  ASSERT_TRUE(Put("y", 2, {3, 4}).ok());
  // |(3, 4)| = 5 exactly, in floats as well.
  EXPECT_EQ(ExactDistance(EnsembleRef{"x"}, EnsembleRef{"y"}), 10);
}

// Over 200 seeds the squared distance to the exact value is, in units of the stated squared error,
// 1 on average: its standard error is sqrt(2 / 200) = 0.1 for a normal error, and little more for
// one estimated from 25 blocks or more. Beyond 0.5 of 1 is five standard errors.
TEST_F(EndToEndTest, ValuesWithAnErrorTargetAreAsFarFromTheTruthAsTheySay) {
  ASSERT_TRUE(Generate("x", 30, 10).ok());
  Await<EnsembleInfo> other;
  engine->CreateEnsemble(
      context, {.id = "y"},
      GeneratorSource{.count = 40, .dim = 10, .seed = 1, .mean = 0.5, .scale = 2},
      other.callback());
  ASSERT_TRUE(other.Get().ok());
  const double exact = ExactDistance(EnsembleRef{"x"}, EnsembleRef{"y"});
  constexpr int kSeeds = 200;
  double squares = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    EnergyDistanceRequest request = Distance(MethodChoice::kSliced);
    request.directions.seed = seed;
    request.error_target = ErrorTarget{.relative = 0.005};
    Await<EnergyDistanceReply> distance;
    engine->ComputeEnergyDistance(context, request, distance.callback());
    ASSERT_TRUE(distance.Get().ok()) << distance.Get().status();
    const EnergyDistance& value = distance.Get()->value;
    ASSERT_EQ(distance.Get()->target_met, true);
    ASSERT_LE(*value.slicing_standard_error, 0.005 * value.energy_distance);
    ASSERT_EQ(distance.Get()->spec.directions.count, value.slices);
    squares += std::pow((value.energy_distance - exact) / *value.slicing_standard_error, 2);
  }
  EXPECT_NEAR(squares / kSeeds, 1, 0.5);
}

TEST_F(EndToEndTest, AFlowInThePlaneReducesTheEnergyDistance) {
  Await<EnsembleInfo> target;
  engine->CreateEnsemble(context, {.id = "y"},
                         GeneratorSource{.count = 60, .dim = 2, .seed = 1, .mean = 3, .scale = 1},
                         target.callback());
  ASSERT_TRUE(target.Get().ok());
  ASSERT_TRUE(Generate("x", 50, 2).ok());
  const double before = ExactDistance(EnsembleRef{"x"}, EnsembleRef{"y"});
  NewFlowRequest request;
  request.id = "f";
  request.start = EnsembleRef{"x"};
  request.target = "y";
  request.parameters.step_size = 0.5;
  request.parameters.directions.count = 20;
  request.parameters.directions.seed = 9;
  Await<FlowInfo> made;
  engine->CreateFlow(context, request, made.callback());
  ASSERT_TRUE(made.Get().ok()) << made.Get().status();
  const auto info = Advance("f", 40);
  ASSERT_TRUE(info.ok()) << info.status();
  ASSERT_EQ(info->step, 40);
  const double after = ExactDistance(FlowRef{"f", 40}, EnsembleRef{"y"});
  // The gradient's speed is about 2 far away: 40 steps of 0.5 cover the distance of 3 sqrt(2) many
  // times over. A tenth is far from what is reached and far from what standing still would give.
  EXPECT_LT(after, 0.1 * before);
  ASSERT_TRUE(info->measurement.has_value());
  EXPECT_EQ(info->measurement->step, 40);
  EXPECT_LT(info->measurement->energy_distance, 0.1 * before);
}

TEST_F(EndToEndTest, MeasuringAtRestDoesNotChangeTheRun) {
  ASSERT_TRUE(Generate("x", 20, 3).ok());
  ASSERT_TRUE(Generate("y", 30, 3).ok());
  for (const char* id : {"one", "many"}) {
    NewFlowRequest request;
    request.id = id;
    request.start = EnsembleRef{"x"};
    request.target = "y";
    request.parameters.momentum = 0.7;
    request.parameters.directions = {.kind = {}, .count = 10, .seed = 4};
    Await<FlowInfo> made;
    engine->CreateFlow(context, request, made.callback());
    ASSERT_TRUE(made.Get().ok()) << made.Get().status();
  }
  ASSERT_EQ(Advance("one", 12)->step, 12);
  // Each rest measures by a step that is taken back, particles and velocity.
  for (int64_t step = 1; step <= 12; ++step) ASSERT_EQ(Advance("many", step)->step, step);
  EXPECT_EQ(Read(FlowRef{"one", 12}), Read(FlowRef{"many", 12}));
}

}  // namespace
}  // namespace riesz
