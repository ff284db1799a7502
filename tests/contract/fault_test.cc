// What every backend refuses, and how it says so.
#include "tests/contract/contract.h"

namespace riesz::contract {
namespace {

class Faults : public BackendContract {
 protected:
  const Points x_ = Normals(5, 3, 1), y_ = Normals(6, 3, 2), other_dim_ = Normals(6, 4, 3);
  const Points one_ = Normals(1, 3, 4);

  absl::Status DistanceError(const Points& x, const Points& y, const EnergyDistanceSpec& spec) {
    return backend_->NewEnergyDistance(Upload(x), Upload(y), spec).status();
  }
  absl::Status GradientError(const Points& x, const Points& y, const GradientSpec& spec) {
    return backend_->NewGradient(Upload(x), Upload(y), spec).status();
  }
  absl::Status FlowError(const Points& x, const Points& y, const FlowSpec& spec) {
    return backend_->NewFlowStepper(Upload(x), Upload(y), spec).status();
  }
};
RIESZ_ON_EVERY_BACKEND(Faults);

void ExpectInvalid(const absl::Status& status, std::string_view text) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(std::string(status.message()), text);
}

TEST_P(Faults, DimensionsMustAgree) {
  ExpectInvalid(DistanceError(x_, other_dim_, {}),
                "y.dimension must be 3 as x.dimension is, got 4");
  ExpectInvalid(GradientError(x_, other_dim_, {}),
                "y.dimension must be 3 as x.dimension is, got 4");
  ExpectInvalid(FlowError(x_, other_dim_, {}),
                "target.dimension must be 3 as start.dimension is, got 4");
}

TEST_P(Faults, TheUStatisticNeedsTwoParticlesASide) {
  EnergyDistanceSpec spec;
  spec.estimator = Estimator::kU;
  ExpectInvalid(DistanceError(one_, y_, spec),
                "x.count must be at least 2 for the U-statistic, got 1");
  spec.method = Method::kSliced;
  ExpectInvalid(DistanceError(x_, one_, spec),
                "y.count must be at least 2 for the U-statistic, got 1");
}

TEST_P(Faults, ExponentsLieBetweenZeroAndTwo) {
  for (const double r : {0.0, 2.0, -1.0}) {
    EnergyDistanceSpec distance;
    distance.exponent = r;
    EXPECT_EQ(DistanceError(x_, y_, distance).code(), absl::StatusCode::kInvalidArgument);
    GradientSpec gradient{.method = Method::kExact, .exponent = r, .directions = {}};
    EXPECT_EQ(GradientError(x_, y_, gradient).code(), absl::StatusCode::kInvalidArgument);
  }
  ExpectInvalid(DistanceError(x_, y_, {.exponent = 2, .directions = {}}),
                "exponent must be in (0, 2), got 2");
}

TEST_P(Faults, SlicedGradientsNeedAFiniteVariance) {
  ExpectInvalid(DistanceError(x_, y_, {.method = Method::kSliced, .exponent = 2, .directions = {}}),
                "exponent must be in (0, 2), got 2");
  ExpectInvalid(
      GradientError(x_, y_, {.method = Method::kSliced, .exponent = 0.5, .directions = {}}),
      "exponent must be in (0.5, 2) for sliced gradients, whose variance is infinite at or below "
      "0.5 (exact ones take any in (0, 2)), got 0.5");
  FlowSpec flow;
  flow.exponent = 0.25;
  ExpectInvalid(
      FlowError(x_, y_, flow),
      "flow.exponent must be in (0.5, 2) for sliced gradients, whose variance is infinite "
      "at or below 0.5, got 0.25");
}

TEST_P(Faults, SlicesAreAtLeastOne) {
  const DirectionSpec none{.count = 0};
  ExpectInvalid(DistanceError(x_, y_, {.method = Method::kSliced, .directions = none}),
                "directions.count must be in [1, 1048576], got 0");
  ExpectInvalid(GradientError(x_, y_, {.method = Method::kSliced, .directions = none}),
                "directions.count must be in [1, 1048576], got 0");
  FlowSpec flow;
  flow.directions = none;
  ExpectInvalid(FlowError(x_, y_, flow), "flow.directions.count must be in [1, 1048576], got 0");
}

TEST_P(Faults, DirectionsServeTheDimension) {
  const Points x = Normals(3, 31, 1), y = Normals(3, 31, 2);
  const DirectionSpec even{.kind = DirectionKind::kLowDiscrepancy};
  const std::string refused =
      "directions.kind must be a kind that serves dimension 31, got low-discrepancy (at most 30)";
  ExpectInvalid(DistanceError(x, y, {.method = Method::kSliced, .directions = even}), refused);
  ExpectInvalid(GradientError(x, y, {.method = Method::kSliced, .directions = even}), refused);
  FlowSpec flow;
  flow.directions = even;
  ExpectInvalid(FlowError(x, y, flow), "flow." + refused);
}

TEST_P(Faults, FlowParametersAreInRange) {
  FlowSpec spec;
  spec.step_size = -1;
  ExpectInvalid(FlowError(x_, y_, spec), "flow.step_size must be in (0, 10], got -1");
  spec = {};
  spec.momentum = 1;
  ExpectInvalid(FlowError(x_, y_, spec), "flow.momentum must be in [0, 1), got 1");
  spec = {};
  spec.frozen = {{0, 1}, {1, 4}};
  EXPECT_EQ(FlowError(x_, y_, spec).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(Faults, EnsemblesAreFilledInAnyOrderOfRanges) {
  auto buffer = backend_->NewEnsemble(4, 3).value();
  for (const int64_t offset : {24, 0, 40}) {
    const int64_t size = offset == 24 ? 16 : offset == 0 ? 24 : 8;
    auto mapped = buffer->Map(offset, size);
    ASSERT_TRUE(mapped.ok()) << mapped.status();
    ASSERT_EQ(mapped->size(), static_cast<size_t>(size));
    std::vector<float> values;
    for (int64_t e = offset / 4; e < (offset + size) / 4; ++e) {
      values.push_back(static_cast<float>(e));
    }
    std::memcpy(mapped->data(), values.data(), mapped->size());
    ASSERT_TRUE(buffer->Commit().ok());
  }
  const Ensemble ensemble = buffer->Seal().value();
  EXPECT_EQ(ensemble->count(), 4);
  EXPECT_EQ(ensemble->dim(), 3);
  EXPECT_EQ(ensemble->bytes(), 48);
  EXPECT_EQ(Download(*ensemble), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  const std::span<const std::byte> bytes = ensemble->host_bytes();
  if (!bytes.empty()) {
    EXPECT_EQ(std::memcmp(bytes.data(), Download(*ensemble).data(), 48), 0);
  }
  // Sealed, the buffer holds nothing any more.
  EXPECT_FALSE(buffer->Map(0, 4).ok());
}

TEST_P(Faults, RangesOutsideTheEnsembleAreRefused) {
  auto buffer = backend_->NewEnsemble(4, 3).value();
  for (const auto& [offset, size] : {std::pair<int64_t, int64_t>{-4, 8},
                                     {0, 52},
                                     {48, 4},
                                     {44, 8},
                                     {0, -4},
                                     {INT64_MAX, 4},
                                     {4, INT64_MAX}}) {
    EXPECT_EQ(buffer->Map(offset, size).status().code(), absl::StatusCode::kOutOfRange)
        << offset << " " << size;
  }
  EXPECT_TRUE(buffer->Map(44, 4).ok());
}

TEST_P(Faults, RowsOutsideTheEnsembleAreNotDownloaded) {
  const Ensemble ensemble = Upload(x_);
  std::vector<float> rows(6);
  ASSERT_TRUE(backend_->Download(*ensemble, 3, rows).ok());
  EXPECT_EQ(rows, std::vector<float>(x_.values.begin() + 9, x_.values.end()));
  EXPECT_TRUE(backend_->Download(*ensemble, 5, {}).ok());
  for (const int64_t first : {int64_t{-1}, int64_t{4}, int64_t{6}, INT64_MAX}) {
    EXPECT_EQ(backend_->Download(*ensemble, first, rows).code(), absl::StatusCode::kOutOfRange)
        << first;
  }
}

TEST_P(Faults, ShapesThatMakeNoSenseAreRefused) {
  for (const auto& [count, dim] : {std::pair<int64_t, int64_t>{0, 3},
                                   {3, 0},
                                   {-1, 3},
                                   {int64_t{1} << 40, 3},
                                   {int64_t{1} << 30, int64_t{1} << 20}}) {
    EXPECT_EQ(backend_->NewEnsemble(count, dim).status().code(), absl::StatusCode::kInvalidArgument)
        << count << " " << dim;
  }
}

TEST_P(Faults, OperationsKeepTheirOperandsAlive) {
  auto x = Upload(x_), y = Upload(y_);
  auto operation = backend_->NewEnergyDistance(x, y, {.directions = {}}).value();
  auto flow = backend_->NewFlowStepper(x, y, {}).value();
  x.reset();
  y.reset();
  RunToEnd(*operation, 0);
  Advance(*flow, 1);
  EXPECT_GT(operation->result().energy_distance, 0);
}

TEST_P(Faults, ReportsWhatItIs) {
  const BackendReport report = backend_->Report();
  EXPECT_TRUE(GetParam().starts_with(report.name));
  EXPECT_FALSE(report.description.empty());
  EXPECT_FALSE(report.determinism_fingerprint.empty());
  EXPECT_GT(report.memory_bytes, 0);
}

}  // namespace
}  // namespace riesz::contract
