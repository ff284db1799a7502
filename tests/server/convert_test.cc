#include "server/convert.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "core/validate.h"

namespace riesz {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The refusal's text; checks that it is a caller's fault and names its field.
template <typename T>
std::string Refusal(const absl::StatusOr<T>& result) {
  if (result.ok()) return "accepted";
  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
  const std::optional<ErrorDetail> detail = DetailOf(result.status());
  EXPECT_TRUE(detail.has_value());
  if (detail) {
    EXPECT_EQ(detail->reason, ErrorReason::kInvalidField);
    EXPECT_NE(detail->metadata.find("field"), detail->metadata.end());
  }
  return std::string(result.status().message());
}

v1::ComputeEnergyDistanceRequest Distance() {
  v1::ComputeEnergyDistanceRequest request;
  request.mutable_x()->set_ensemble("x");
  request.mutable_y()->set_ensemble("y");
  return request;
}

v1::CreateFlowRequest NewFlow() {
  v1::CreateFlowRequest request;
  request.set_id("f");
  request.mutable_start()->set_ensemble("x");
  request.set_target("y");
  return request;
}

v1::CreateEnsembleRequest Generated() {
  v1::CreateEnsembleRequest request;
  request.set_id("e");
  request.mutable_generator()->set_distribution(v1::Generator::DISTRIBUTION_NORMAL);
  request.mutable_generator()->set_count(10);
  request.mutable_generator()->set_dimension(2);
  return request;
}

v1::StartUploadRequest Upload() {
  v1::StartUploadRequest request;
  request.set_id("e");
  request.set_count(10);
  request.set_dimension(12);
  return request;
}

TEST(ConvertTest, IdsAreThoseOfTheContract) {
  for (const char* id : {"a", "a-b", "x1", "fashion-mnist-2000"}) {
    EXPECT_TRUE(CheckId("id", id).ok()) << id;
  }
  EXPECT_TRUE(CheckId("id", std::string(63, 'a')).ok());
  for (const char* id : {"", "1a", "-a", "a-", "A", "a_b", "a b", "a/b", "\xc3\xa9"}) {
    EXPECT_THAT(std::string(CheckId("id", id).message()), HasSubstr("id must be 1 to 63")) << id;
  }
  EXPECT_FALSE(CheckId("id", std::string(64, 'a')).ok());
}

TEST(ConvertTest, AHugeIdIsNotEchoedWhole) {
  EXPECT_LT(CheckId("id", std::string(1'000'000, 'A')).message().size(), 300u);
}

TEST(ConvertTest, DefaultsOfADistanceAreThoseOfTheContract) {
  const auto request = FromProto(Distance());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(std::get<EnsembleRef>(request->x).id, "x");
  EXPECT_EQ(std::get<EnsembleRef>(request->y).id, "y");
  EXPECT_EQ(request->method, MethodChoice::kAuto);
  EXPECT_EQ(request->estimator, Estimator::kV);
  EXPECT_EQ(request->exponent, 1);
  EXPECT_EQ(request->directions.kind, std::nullopt);
  EXPECT_EQ(request->directions.count, 0);
  EXPECT_EQ(request->directions.seed, std::nullopt);
}

TEST(ConvertTest, WhatADistanceSaysArrives) {
  v1::ComputeEnergyDistanceRequest message = Distance();
  message.mutable_x()->mutable_flow()->set_flow("f");
  message.mutable_x()->mutable_flow()->set_step(7);
  message.mutable_y()->mutable_inline_tensor()->set_rows(1);
  message.mutable_y()->mutable_inline_tensor()->set_columns(2);
  message.mutable_y()->mutable_inline_tensor()->set_data("12345678");
  message.set_method(v1::METHOD_SLICED);
  message.set_estimator(v1::ESTIMATOR_U);
  message.set_exponent(0.5);
  message.mutable_directions()->set_kind(v1::DIRECTION_KIND_IID);
  message.mutable_directions()->set_count(99);
  message.mutable_directions()->set_seed(0);
  const auto request = FromProto(message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(std::get<FlowRef>(request->x).id, "f");
  EXPECT_EQ(std::get<FlowRef>(request->x).step, 7);
  EXPECT_EQ(std::get<InlineTensor>(request->y).bytes, "12345678");
  EXPECT_EQ(request->method, MethodChoice::kSliced);
  EXPECT_EQ(request->estimator, Estimator::kU);
  EXPECT_EQ(request->exponent, 0.5);
  EXPECT_EQ(request->directions.kind, DirectionKind::kIid);
  EXPECT_EQ(request->directions.count, 99);
  EXPECT_EQ(request->directions.seed, uint64_t{0}) << "a seed of 0 is a seed";
}

TEST(ConvertTest, AMissingOperandIsNamed) {
  v1::ComputeEnergyDistanceRequest message = Distance();
  message.clear_x();
  EXPECT_EQ(Refusal(FromProto(message)), "request.x is required");
  v1::CreateFlowRequest flow = NewFlow();
  flow.clear_start();
  EXPECT_EQ(Refusal(FromProto(flow)), "start is required");
  v1::CreateEnsembleRequest ensemble = Generated();
  ensemble.clear_generator();
  EXPECT_THAT(Refusal(FromProto(ensemble)), HasSubstr("source must be"));
}

TEST(ConvertTest, UnknownEnumValuesAreRefused) {
  v1::ComputeEnergyDistanceRequest message = Distance();
  message.set_method(static_cast<v1::Method>(77));
  EXPECT_EQ(Refusal(FromProto(message)),
            "method must be METHOD_EXACT, METHOD_SLICED or METHOD_AUTO, got 77");
  message = Distance();
  message.set_estimator(static_cast<v1::Estimator>(-1));
  EXPECT_EQ(Refusal(FromProto(message)), "estimator must be ESTIMATOR_V or ESTIMATOR_U, got -1");
  message = Distance();
  message.mutable_directions()->set_kind(static_cast<v1::DirectionKind>(9));
  EXPECT_THAT(Refusal(FromProto(message)), HasSubstr("directions.kind must be"));
  v1::StartUploadRequest upload = Upload();
  upload.set_data_type(static_cast<v1::DataType>(5));
  EXPECT_EQ(Refusal(FromProto(upload)), "data_type must be DATA_TYPE_FLOAT32, got 5");
  v1::CreateEnsembleRequest ensemble = Generated();
  ensemble.mutable_generator()->set_distribution(v1::Generator::DISTRIBUTION_UNSPECIFIED);
  EXPECT_THAT(Refusal(FromProto(ensemble)), HasSubstr("generator.distribution must be"));
}

TEST(ConvertTest, NumbersThatAreNotFiniteAreRefused) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    v1::ComputeEnergyDistanceRequest message = Distance();
    message.set_exponent(bad);
    EXPECT_THAT(Refusal(FromProto(message)), HasSubstr("exponent must be finite"));
    v1::CreateFlowRequest flow = NewFlow();
    flow.mutable_parameters()->set_step_size(bad);
    EXPECT_THAT(Refusal(FromProto(flow)), HasSubstr("flow.step_size must be finite"));
    flow = NewFlow();
    flow.mutable_parameters()->set_momentum(bad);
    EXPECT_THAT(Refusal(FromProto(flow)), HasSubstr("flow.momentum must be finite"));
    v1::CreateEnsembleRequest ensemble = Generated();
    ensemble.mutable_generator()->set_mean(bad);
    EXPECT_THAT(Refusal(FromProto(ensemble)), HasSubstr("generator.mean must be finite"));
    ensemble = Generated();
    ensemble.mutable_generator()->set_scale(bad);
    EXPECT_THAT(Refusal(FromProto(ensemble)), HasSubstr("generator.scale must be finite"));
    v1::StartUploadRequest upload = Upload();
    upload.mutable_value_scaling()->set_offset(bad);
    EXPECT_THAT(Refusal(FromProto(upload)), HasSubstr("value_scaling.offset must be finite"));
  }
}

TEST(ConvertTest, SliceCountsOutsideTheRangeAreRefused) {
  v1::ComputeEnergyDistanceRequest message = Distance();
  for (const int32_t count : {-1, static_cast<int32_t>(kMaxSlices) + 1}) {
    message.mutable_directions()->set_count(count);
    EXPECT_EQ(Refusal(FromProto(message)),
              absl::StrCat("directions.count must be in [1, 1048576], got ", count));
  }
}

TEST(ConvertTest, ShapesOutsideTheRangeAreRefused) {
  for (const int64_t count :
       {int64_t{0}, int64_t{-1}, kMaxCount + 1, std::numeric_limits<int64_t>::max()}) {
    v1::StartUploadRequest upload = Upload();
    upload.set_count(count);
    EXPECT_THAT(Refusal(FromProto(upload)), HasSubstr("count must be in [1, 1073741824]"));
    v1::CreateEnsembleRequest ensemble = Generated();
    ensemble.mutable_generator()->set_count(count);
    EXPECT_THAT(Refusal(FromProto(ensemble)), HasSubstr("generator.count must be in"));
  }
  v1::StartUploadRequest upload = Upload();
  upload.set_dimension(kMaxDim + 1);
  EXPECT_THAT(Refusal(FromProto(upload)), HasSubstr("dimension must be in [1, 1048576]"));
}

TEST(ConvertTest, AnInlineTensorHasTheBytesThatItsShapeSays) {
  v1::ComputeEnergyDistanceRequest message = Distance();
  v1::Tensor* tensor = message.mutable_x()->mutable_inline_tensor();
  tensor->set_rows(2);
  tensor->set_columns(3);
  tensor->set_data(std::string(23, '\0'));
  EXPECT_EQ(Refusal(FromProto(message)),
            "request.x.inline_tensor.data must be rows * columns * 4 = 24 bytes, got 23");
  tensor->set_rows(int64_t{1} << 62);  // 2^62 * 4 wraps to 0
  tensor->set_columns(4);
  tensor->set_data("");
  EXPECT_THAT(Refusal(FromProto(message)), HasSubstr("request.x.inline_tensor.rows must be in"));
}

TEST(ConvertTest, ASampleShapeFitsTheDimension) {
  v1::StartUploadRequest upload = Upload();
  upload.mutable_sample_shape()->set_channels(3);
  upload.mutable_sample_shape()->set_height(2);
  upload.mutable_sample_shape()->set_width(2);
  const auto request = FromProto(upload);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->traits.sample_shape->channels, 3);
  upload.mutable_sample_shape()->set_width(3);
  EXPECT_EQ(Refusal(FromProto(upload)),
            "sample_shape must be channels * height * width = dimension = 12, got 18");
  upload.mutable_sample_shape()->set_channels(2);
  EXPECT_EQ(Refusal(FromProto(upload)), "sample_shape.channels must be 1 or 3, got 2");
  upload.mutable_sample_shape()->set_channels(1);
  upload.mutable_sample_shape()->set_height(std::numeric_limits<int32_t>::max());
  upload.mutable_sample_shape()->set_width(std::numeric_limits<int32_t>::max());
  EXPECT_THAT(Refusal(FromProto(upload)), HasSubstr("sample_shape.height must be in"));
}

TEST(ConvertTest, MetadataIsBounded) {
  v1::StartUploadRequest upload = Upload();
  const std::string note = "v";  // assigning a literal here is a false -Wrestrict alarm of GCC 12
  for (int i = 0; i < 64; ++i) (*upload.mutable_metadata())[absl::StrCat("k", i)] = note;
  EXPECT_TRUE(FromProto(upload).ok());
  (*upload.mutable_metadata())["one-more"] = "v";
  EXPECT_EQ(Refusal(FromProto(upload)), "metadata must be at most 64 entries, got 65");
  upload.clear_metadata();
  (*upload.mutable_metadata())["k"] = std::string(257, 'v');
  EXPECT_THAT(Refusal(FromProto(upload)), HasSubstr("metadata['k'] must be"));
}

TEST(ConvertTest, AnExpiryLiesInTheFuture) {
  v1::CreateEnsembleRequest message = Generated();
  message.mutable_expire_time()->set_seconds(1);
  EXPECT_THAT(Refusal(FromProto(message)), HasSubstr("expire_time must be in the future"));
  message.mutable_expire_time()->set_seconds(8'000'000'000);
  message.mutable_expire_time()->set_nanos(5);
  const auto accepted = FromProto(message);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  google::protobuf::Timestamp back;
  ToProto(*accepted->traits.expire_time, &back);
  EXPECT_EQ(back.seconds(), 8'000'000'000);
  EXPECT_EQ(back.nanos(), 5);
  message.mutable_expire_time()->set_nanos(-1);
  EXPECT_THAT(Refusal(FromProto(message)), HasSubstr("expire_time.nanos must be in"));
  message.mutable_expire_time()->set_nanos(0);
  message.mutable_expire_time()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_THAT(Refusal(FromProto(message)), HasSubstr("expire_time.seconds must be in"));
}

TEST(ConvertTest, FlowParametersHaveTheDefaultsOfTheContract) {
  const auto flow = FromProto(NewFlow());
  ASSERT_TRUE(flow.ok()) << flow.status();
  EXPECT_EQ(flow->parameters.step_size, 1);
  EXPECT_EQ(flow->parameters.momentum, 0);
  EXPECT_EQ(flow->parameters.measure_every, 10);
  EXPECT_TRUE(flow->parameters.frozen.empty());
}

TEST(ConvertTest, MeasurementAndTargetStepsHaveARange) {
  v1::CreateFlowRequest flow = NewFlow();
  flow.mutable_parameters()->set_measure_every(-1);
  EXPECT_EQ(Refusal(FromProto(flow)), "flow.measure_every must be in [1, 1000000], got -1");
  EXPECT_FALSE(CheckTargetStep(0).ok());
  EXPECT_TRUE(CheckTargetStep(kMaxTargetStep).ok());
  EXPECT_FALSE(CheckTargetStep(kMaxTargetStep + 1).ok());
}

TEST(ConvertTest, WatchIntervalsHaveADefaultAndARange) {
  v1::WatchFlowRequest watch;
  EXPECT_EQ(WatchInterval(watch).value(), std::chrono::milliseconds(100));
  watch.mutable_min_interval()->set_nanos(20'000'000);
  EXPECT_EQ(WatchInterval(watch).value(), std::chrono::milliseconds(20));
  watch.mutable_min_interval()->set_nanos(9'000'000);
  EXPECT_THAT(Refusal(WatchInterval(watch)), HasSubstr("min_interval must be in [0.01, 3600] s"));
  watch.mutable_min_interval()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_FALSE(WatchInterval(watch).ok());
  watch.mutable_min_interval()->set_seconds(-5);
  EXPECT_FALSE(WatchInterval(watch).ok());
}

TEST(ConvertTest, PageSizesHaveARange) {
  EXPECT_EQ(MakePageRequest(0, "t")->token, "t");
  EXPECT_EQ(MakePageRequest(1000, "")->size, 1000);
  EXPECT_EQ(Refusal(MakePageRequest(1001, "")), "page_size must be in [0, 1000], got 1001");
  EXPECT_FALSE(MakePageRequest(-1, "").ok());
}

TEST(ConvertTest, AFlowRoundTripsWithEverythingThatWasChosen) {
  FlowInfo info;
  info.id = "f";
  info.phase = FlowPhase::kFailed;
  info.step = 3;
  info.target_step = 9;
  info.spec.step_size = 0.25;
  info.spec.momentum = 0.5;
  info.spec.directions = {DirectionKind::kIid, 77, 5};
  info.spec.frozen = {{1, 2}, {4, 8}};
  info.measure_every = 4;
  info.measurement = StepMeasurement{2, 1.5, 0.125, 3.0};
  v1::Flow flow;
  ToProto(info, &flow);
  EXPECT_EQ(flow.state(), v1::FLOW_STATE_FAILED);
  EXPECT_EQ(flow.measurement().slicing_standard_error(), 0.125);

  v1::CreateFlowRequest again = NewFlow();
  *again.mutable_parameters() = flow.parameters();
  const auto request = FromProto(again);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->parameters.step_size, 0.25);
  EXPECT_EQ(request->parameters.momentum, 0.5);
  EXPECT_EQ(request->parameters.directions.kind, DirectionKind::kIid);
  EXPECT_EQ(request->parameters.directions.count, 77);
  EXPECT_EQ(request->parameters.directions.seed, uint64_t{5});
  EXPECT_EQ(request->parameters.frozen.size(), 2u);
  EXPECT_EQ(request->parameters.frozen[1].end, 8);
  EXPECT_EQ(request->parameters.measure_every, 4);
}

TEST(ConvertTest, AnExactDistanceHasNoSlicingFields) {
  EnergyDistanceReply reply;
  reply.value.energy_distance = 2.5;
  reply.spec.method = Method::kExact;
  v1::ComputeEnergyDistanceResponse message;
  ToProto(reply, &message);
  EXPECT_EQ(message.energy_distance(), 2.5);
  EXPECT_EQ(message.method(), v1::METHOD_EXACT);
  EXPECT_FALSE(message.has_slices());
  EXPECT_FALSE(message.has_blocks());
  EXPECT_FALSE(message.has_directions());
  EXPECT_FALSE(message.has_slicing_standard_error());
}

TEST(ConvertTest, EveryKindOfDirectionsComesBack) {
  for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal,
                                   DirectionKind::kLowDiscrepancy, DirectionKind::kStructured}) {
    v1::Directions message;
    ToProto(DirectionSpec{.kind = kind}, &message);
    EXPECT_EQ(FromProto(message, "directions")->kind, kind);
  }
}

TEST(ConvertTest, ASlicedDistanceSaysWhatItUsed) {
  EnergyDistanceReply reply;
  reply.value = {2.5, 0.5, 96, 6};
  reply.spec.method = Method::kSliced;
  reply.spec.directions = {DirectionKind::kOrthogonal, 96, 3};
  reply.x = {10, 16, 4};
  v1::ComputeEnergyDistanceResponse message;
  ToProto(reply, &message);
  EXPECT_EQ(message.slices(), 96);
  EXPECT_EQ(message.blocks(), 6);
  EXPECT_EQ(message.directions().seed(), 3u);
  EXPECT_EQ(message.slicing_standard_error(), 0.5);
  EXPECT_EQ(message.x().flow_step(), 4);
  EXPECT_FALSE(message.y().has_flow_step());
}

TEST(ConvertTest, AnEnsembleShowsItsTraits) {
  EnsembleInfo info;
  info.traits.id = "e";
  info.traits.sample_shape = SampleShape{1, 28, 28};
  info.traits.value_scaling = ValueScaling{0.5, -1};
  info.traits.metadata = {{"a", "b"}};
  info.count = 3;
  info.dim = 784;
  info.crc32c = 0xfedcba98;
  v1::Ensemble ensemble;
  ToProto(info, &ensemble);
  EXPECT_EQ(ensemble.state(), v1::ENSEMBLE_STATE_READY);
  EXPECT_EQ(ensemble.sample_shape().width(), 28);
  EXPECT_EQ(ensemble.value_scaling().scale(), 0.5);
  EXPECT_EQ(ensemble.metadata().at("a"), "b");
  EXPECT_EQ(ensemble.crc32c(), 0xfedcba98);
  EXPECT_FALSE(ensemble.has_expire_time());
}

TEST(ConvertTest, ADataSetKeepsItsLabels) {
  v1::CreateEnsembleRequest message = Generated();
  message.mutable_data_set()->set_name("fashion-mnist");
  message.mutable_data_set()->add_labels(3);
  message.mutable_data_set()->add_labels(1);
  const auto request = FromProto(message);
  ASSERT_TRUE(request.ok()) << request.status();
  const auto& source = std::get<DataSetSource>(request->source);
  EXPECT_EQ(source.split, "train");
  EXPECT_THAT(source.labels, ElementsAre(3, 1));
  message.mutable_data_set()->set_split("validation");
  EXPECT_EQ(Refusal(FromProto(message)),
            "data_set.split must be 'train' or 'test', got 'validation'");
}

}  // namespace
}  // namespace riesz
