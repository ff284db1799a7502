#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "core/validate.h"
#include "server/convert.h"

namespace riesz {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::string_view kIdRange =
    "1 to 63 of a-z, 0-9 and '-', begin with a letter and not end with '-'";

std::string Path(std::string_view prefix, std::string_view field) {
  return prefix.empty() ? std::string(field) : std::string(prefix).append(".").append(field);
}

// At most 80 bytes of a caller's text, for a message.
std::string Quoted(std::string_view text) {
  return absl::StrCat("'", std::string(text.substr(0, 80)), text.size() > 80 ? "...'" : "'");
}

absl::Status CheckFinite(std::string_view field, double value) {
  if (std::isfinite(value)) return absl::OkStatus();
  return InvalidField(field, "finite", absl::StrCat(value));
}

absl::Status CheckInterval(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("in [", low, ", ", high, "]"), absl::StrCat(value));
}

absl::StatusOr<MethodChoice> MethodFrom(v1::Method method) {
  switch (method) {
    case v1::METHOD_UNSPECIFIED:
    case v1::METHOD_AUTO:
      return MethodChoice::kAuto;
    case v1::METHOD_EXACT:
      return MethodChoice::kExact;
    case v1::METHOD_SLICED:
      return MethodChoice::kSliced;
    default:
      return InvalidField("method", "METHOD_EXACT, METHOD_SLICED or METHOD_AUTO",
                          absl::StrCat(static_cast<int>(method)));
  }
}

absl::StatusOr<Estimator> EstimatorFrom(v1::Estimator estimator) {
  switch (estimator) {
    case v1::ESTIMATOR_UNSPECIFIED:
    case v1::ESTIMATOR_V:
      return Estimator::kV;
    case v1::ESTIMATOR_U:
      return Estimator::kU;
    default:
      return InvalidField("estimator", "ESTIMATOR_V or ESTIMATOR_U",
                          absl::StrCat(static_cast<int>(estimator)));
  }
}

absl::Status CheckDataType(v1::DataType type) {
  if (type == v1::DATA_TYPE_UNSPECIFIED || type == v1::DATA_TYPE_FLOAT32) return absl::OkStatus();
  return InvalidField("data_type", "DATA_TYPE_FLOAT32", absl::StrCat(static_cast<int>(type)));
}

// Absent exponents are 1; the range is the engine's to check, with the method.
absl::StatusOr<double> ExponentFrom(double exponent, std::string_view field = "exponent") {
  RIESZ_RETURN_IF_ERROR(CheckFinite(field, exponent));
  return exponent == 0 ? 1.0 : exponent;
}

template <typename ProtoMap>
absl::StatusOr<std::map<std::string, std::string>> MetadataFrom(const ProtoMap& entries) {
  if (static_cast<int64_t>(entries.size()) > kMaxMetadataEntries) {
    return InvalidField("metadata", absl::StrCat("at most ", kMaxMetadataEntries, " entries"),
                        absl::StrCat(entries.size()));
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entries) {
    const auto longest = static_cast<int64_t>(std::max(key.size(), value.size()));
    if (key.empty() || longest > kMaxMetadataBytes) {
      return InvalidField(
          absl::StrCat("metadata[", Quoted(key), "]"),
          absl::StrCat("a key of 1 and a value of 0 to ", kMaxMetadataBytes, " bytes"),
          absl::StrCat(key.size(), " and ", value.size(), " bytes"));
    }
    metadata.emplace(key, value);
  }
  return metadata;
}

template <typename Request>
absl::StatusOr<std::optional<WallTime>> ExpireTimeFrom(const Request& request) {
  if (!request.has_expire_time()) return std::nullopt;
  const auto& time = request.expire_time();
  // The range of google.protobuf.Timestamp, and of int64 nanoseconds (until 2262).
  constexpr int64_t kLastSecond = 9'000'000'000;
  RIESZ_RETURN_IF_ERROR(CheckInterval("expire_time.nanos", time.nanos(), 0, 999'999'999));
  RIESZ_RETURN_IF_ERROR(CheckInterval("expire_time.seconds", time.seconds(), 0, kLastSecond));
  const WallTime at{
      duration_cast<WallTime::duration>(seconds(time.seconds()) + nanoseconds(time.nanos()))};
  if (at <= std::chrono::system_clock::now()) {
    return InvalidField("expire_time", "in the future", absl::StrCat(time.seconds(), " s"));
  }
  return at;
}

absl::StatusOr<InlineTensor> TensorFrom(const v1::Tensor& tensor, std::string_view field) {
  RIESZ_RETURN_IF_ERROR(CheckInterval(Path(field, "rows"), tensor.rows(), 1, kMaxCount));
  RIESZ_RETURN_IF_ERROR(CheckInterval(Path(field, "columns"), tensor.columns(), 1, kMaxDim));
  // At most 2^30 * 2^20 * 4: no overflow.
  const int64_t wanted = tensor.rows() * tensor.columns() * int64_t{sizeof(float)};
  if (static_cast<int64_t>(tensor.data().size()) != wanted) {
    return InvalidField(Path(field, "data"),
                        absl::StrCat("rows * columns * 4 = ", wanted, " bytes"),
                        absl::StrCat(tensor.data().size()));
  }
  return InlineTensor{tensor.rows(), tensor.columns(), tensor.data()};
}

absl::StatusOr<SampleShape> SampleShapeFrom(const v1::SampleShape& shape, int64_t dimension) {
  if (shape.channels() != 1 && shape.channels() != 3) {
    return InvalidField("sample_shape.channels", "1 or 3", absl::StrCat(shape.channels()));
  }
  RIESZ_RETURN_IF_ERROR(CheckInterval("sample_shape.height", shape.height(), 1, kMaxDim));
  RIESZ_RETURN_IF_ERROR(CheckInterval("sample_shape.width", shape.width(), 1, kMaxDim));
  const int64_t pixels = int64_t{shape.channels()} * shape.height() * shape.width();
  if (pixels != dimension) {
    return InvalidField("sample_shape",
                        absl::StrCat("channels * height * width = dimension = ", dimension),
                        absl::StrCat(pixels));
  }
  return SampleShape{shape.channels(), shape.height(), shape.width()};
}

absl::StatusOr<GeneratorSource> GeneratorFrom(const v1::Generator& generator) {
  GeneratorSource source;
  switch (generator.distribution()) {
    case v1::Generator::DISTRIBUTION_NORMAL:
      source.distribution = GeneratorSource::Distribution::kNormal;
      break;
    case v1::Generator::DISTRIBUTION_UNIFORM:
      source.distribution = GeneratorSource::Distribution::kUniform;
      break;
    default:
      return InvalidField("generator.distribution", "DISTRIBUTION_NORMAL or DISTRIBUTION_UNIFORM",
                          absl::StrCat(static_cast<int>(generator.distribution())));
  }
  RIESZ_RETURN_IF_ERROR(CheckInterval("generator.count", generator.count(), 1, kMaxCount));
  RIESZ_RETURN_IF_ERROR(CheckInterval("generator.dimension", generator.dimension(), 1, kMaxDim));
  RIESZ_RETURN_IF_ERROR(CheckFinite("generator.mean", generator.mean()));
  RIESZ_RETURN_IF_ERROR(CheckFinite("generator.scale", generator.scale()));
  if (generator.scale() < 0) {
    return InvalidField("generator.scale", "> 0", absl::StrCat(generator.scale()));
  }
  source.count = generator.count();
  source.dim = generator.dimension();
  if (generator.has_seed()) source.seed = generator.seed();
  source.mean = generator.mean();
  source.scale = generator.scale() == 0 ? 1 : generator.scale();
  return source;
}

absl::StatusOr<DataSetSource> DataSetFrom(const v1::DataSet& data_set) {
  if (data_set.name().empty()) return InvalidField("data_set.name", "not empty", "''");
  if (!data_set.split().empty() && data_set.split() != "train" && data_set.split() != "test") {
    return InvalidField("data_set.split", "'train' or 'test'", Quoted(data_set.split()));
  }
  RIESZ_RETURN_IF_ERROR(CheckInterval("data_set.count", data_set.count(), 0, kMaxCount));
  RIESZ_RETURN_IF_ERROR(CheckInterval("data_set.offset", data_set.offset(), 0, kMaxCount));
  DataSetSource source;
  source.name = data_set.name();
  if (!data_set.split().empty()) source.split = data_set.split();
  source.count = data_set.count();
  if (data_set.has_seed()) source.seed = data_set.seed();
  source.offset = data_set.offset();
  source.labels.assign(data_set.labels().begin(), data_set.labels().end());
  return source;
}

}  // namespace

absl::Status CheckId(std::string_view field, std::string_view id) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  bool valid = !id.empty() && id.size() <= 63 && lower(id.front()) && id.back() != '-';
  for (const char c : id) valid = valid && (lower(c) || digit(c) || c == '-');
  return valid ? absl::OkStatus() : InvalidField(field, kIdRange, Quoted(id));
}

absl::StatusOr<ParticlesRef> FromProto(const v1::Particles& particles, std::string_view field) {
  switch (particles.source_case()) {
    case v1::Particles::kEnsemble:
      RIESZ_RETURN_IF_ERROR(CheckId(Path(field, "ensemble"), particles.ensemble()));
      return EnsembleRef{particles.ensemble()};
    case v1::Particles::kFlow: {
      const v1::FlowParticles& flow = particles.flow();
      RIESZ_RETURN_IF_ERROR(CheckId(Path(field, "flow.flow"), flow.flow()));
      FlowRef ref{flow.flow(), std::nullopt};
      if (flow.has_step()) {
        RIESZ_RETURN_IF_ERROR(
            CheckInterval(Path(field, "flow.step"), flow.step(), 0, kMaxTargetStep));
        ref.step = flow.step();
      }
      return ref;
    }
    case v1::Particles::kInlineTensor: {
      RIESZ_ASSIGN_OR_RETURN(InlineTensor tensor,
                             TensorFrom(particles.inline_tensor(), Path(field, "inline_tensor")));
      return tensor;
    }
    default:
      return WithDetail(
          absl::InvalidArgumentError(absl::StrCat(std::string(field), " is required")),
          {ErrorReason::kInvalidField, {{"field", std::string(field)}}});
  }
}

absl::StatusOr<DirectionRequest> FromProto(const v1::Directions& directions,
                                           std::string_view field) {
  DirectionRequest request;
  switch (directions.kind()) {
    case v1::DIRECTION_KIND_UNSPECIFIED:
      break;
    case v1::DIRECTION_KIND_IID:
      request.kind = DirectionKind::kIid;
      break;
    case v1::DIRECTION_KIND_ORTHOGONAL:
      request.kind = DirectionKind::kOrthogonal;
      break;
    case v1::DIRECTION_KIND_LOW_DISCREPANCY:
      request.kind = DirectionKind::kLowDiscrepancy;
      break;
    case v1::DIRECTION_KIND_STRUCTURED:
      request.kind = DirectionKind::kStructured;
      break;
    default:
      return InvalidField(Path(field, "kind"),
                          "DIRECTION_KIND_IID, _ORTHOGONAL, _LOW_DISCREPANCY or _STRUCTURED",
                          absl::StrCat(static_cast<int>(directions.kind())));
  }
  // 0 is the absent field: the server chooses.
  if (directions.count() != 0) {
    RIESZ_RETURN_IF_ERROR(CheckInterval(Path(field, "count"), directions.count(), 1, kMaxSlices));
  }
  request.count = directions.count();
  if (directions.has_seed()) request.seed = directions.seed();
  return request;
}

absl::StatusOr<EnergyDistanceRequest> FromProto(const v1::ComputeEnergyDistanceRequest& request) {
  EnergyDistanceRequest out;
  RIESZ_ASSIGN_OR_RETURN(out.x, FromProto(request.x(), "request.x"));
  RIESZ_ASSIGN_OR_RETURN(out.y, FromProto(request.y(), "request.y"));
  RIESZ_ASSIGN_OR_RETURN(out.method, MethodFrom(request.method()));
  RIESZ_ASSIGN_OR_RETURN(out.estimator, EstimatorFrom(request.estimator()));
  RIESZ_ASSIGN_OR_RETURN(out.exponent, ExponentFrom(request.exponent()));
  RIESZ_ASSIGN_OR_RETURN(out.directions, FromProto(request.directions(), "directions"));
  if (request.has_error_target()) {
    const v1::ErrorTarget& target = request.error_target();
    out.error_target = ErrorTarget{.absolute = target.absolute(), .relative = target.relative()};
    if (target.max_slices() != 0) out.error_target->max_slices = target.max_slices();
  }
  return out;
}

absl::StatusOr<GradientRequest> FromProto(const v1::ComputeGradientRequest& request) {
  GradientRequest out;
  RIESZ_ASSIGN_OR_RETURN(out.x, FromProto(request.x(), "request.x"));
  RIESZ_ASSIGN_OR_RETURN(out.y, FromProto(request.y(), "request.y"));
  RIESZ_ASSIGN_OR_RETURN(out.method, MethodFrom(request.method()));
  RIESZ_ASSIGN_OR_RETURN(out.exponent, ExponentFrom(request.exponent()));
  RIESZ_ASSIGN_OR_RETURN(out.directions, FromProto(request.directions(), "directions"));
  if (!request.keep_as().empty()) {
    RIESZ_RETURN_IF_ERROR(CheckId("keep_as", request.keep_as()));
    out.keep_as = EnsembleTraits{};
    out.keep_as->id = request.keep_as();
  }
  return out;
}

absl::StatusOr<NewEnsemble> FromProto(const v1::CreateEnsembleRequest& request) {
  NewEnsemble out;
  RIESZ_RETURN_IF_ERROR(CheckId("id", request.id()));
  out.traits.id = request.id();
  RIESZ_ASSIGN_OR_RETURN(out.traits.metadata, MetadataFrom(request.metadata()));
  RIESZ_ASSIGN_OR_RETURN(out.traits.expire_time, ExpireTimeFrom(request));
  switch (request.source_case()) {
    case v1::CreateEnsembleRequest::kGenerator: {
      RIESZ_ASSIGN_OR_RETURN(out.source, GeneratorFrom(request.generator()));
      break;
    }
    case v1::CreateEnsembleRequest::kDataSet: {
      RIESZ_ASSIGN_OR_RETURN(out.source, DataSetFrom(request.data_set()));
      break;
    }
    case v1::CreateEnsembleRequest::kCopyOf: {
      RIESZ_ASSIGN_OR_RETURN(out.source, FromProto(request.copy_of(), "copy_of"));
      break;
    }
    default:
      return InvalidField("source", "a generator, a data_set or copy_of", "nothing");
  }
  return out;
}

absl::StatusOr<UploadRequest> FromProto(const v1::StartUploadRequest& request) {
  UploadRequest out;
  RIESZ_RETURN_IF_ERROR(CheckId("id", request.id()));
  RIESZ_RETURN_IF_ERROR(CheckDataType(request.data_type()));
  RIESZ_RETURN_IF_ERROR(CheckInterval("count", request.count(), 1, kMaxCount));
  RIESZ_RETURN_IF_ERROR(CheckInterval("dimension", request.dimension(), 1, kMaxDim));
  out.traits.id = request.id();
  out.count = request.count();
  out.dim = request.dimension();
  out.has_weights = request.has_weights();
  out.has_labels = request.has_labels();
  out.allow_non_finite = request.allow_non_finite();
  if (request.has_sample_shape()) {
    RIESZ_ASSIGN_OR_RETURN(out.traits.sample_shape,
                           SampleShapeFrom(request.sample_shape(), request.dimension()));
  }
  if (request.has_value_scaling()) {
    const v1::ValueScaling& scaling = request.value_scaling();
    RIESZ_RETURN_IF_ERROR(CheckFinite("value_scaling.scale", scaling.scale()));
    RIESZ_RETURN_IF_ERROR(CheckFinite("value_scaling.offset", scaling.offset()));
    out.traits.value_scaling = ValueScaling{scaling.scale(), scaling.offset()};
  }
  RIESZ_ASSIGN_OR_RETURN(out.traits.metadata, MetadataFrom(request.metadata()));
  RIESZ_ASSIGN_OR_RETURN(out.traits.expire_time, ExpireTimeFrom(request));
  return out;
}

absl::StatusOr<FlowParametersRequest> FromProto(const v1::FlowParameters& parameters) {
  FlowParametersRequest out;
  RIESZ_RETURN_IF_ERROR(CheckFinite("flow.step_size", parameters.step_size()));
  RIESZ_RETURN_IF_ERROR(CheckFinite("flow.momentum", parameters.momentum()));
  if (parameters.step_size() != 0) out.step_size = parameters.step_size();
  out.momentum = parameters.momentum();
  RIESZ_ASSIGN_OR_RETURN(out.exponent, ExponentFrom(parameters.exponent(), "flow.exponent"));
  RIESZ_ASSIGN_OR_RETURN(out.directions, FromProto(parameters.directions(), "flow.directions"));
  for (const v1::CoordinateRange& range : parameters.frozen()) {
    out.frozen.push_back({range.begin(), range.end()});
  }
  if (parameters.measure_every() != 0) {
    RIESZ_RETURN_IF_ERROR(
        CheckInterval("flow.measure_every", parameters.measure_every(), 1, kMaxMeasureEvery));
    out.measure_every = parameters.measure_every();
  }
  return out;
}

absl::StatusOr<NewFlowRequest> FromProto(const v1::CreateFlowRequest& request) {
  NewFlowRequest out;
  RIESZ_RETURN_IF_ERROR(CheckId("id", request.id()));
  RIESZ_RETURN_IF_ERROR(CheckId("target", request.target()));
  out.id = request.id();
  out.target = request.target();
  RIESZ_ASSIGN_OR_RETURN(out.start, FromProto(request.start(), "start"));
  RIESZ_ASSIGN_OR_RETURN(out.parameters, FromProto(request.parameters()));
  return out;
}

absl::StatusOr<ForkFlowRequest> FromProto(const v1::ForkFlowRequest& request) {
  ForkFlowRequest out;
  RIESZ_RETURN_IF_ERROR(CheckId("source_id", request.source_id()));
  RIESZ_RETURN_IF_ERROR(CheckId("id", request.id()));
  out.source_id = request.source_id();
  out.id = request.id();
  if (request.has_parameters()) {
    RIESZ_ASSIGN_OR_RETURN(out.parameters, FromProto(request.parameters()));
  }
  return out;
}

absl::Status CheckTargetStep(int64_t step) {
  return CheckInterval("target_step", step, 1, kMaxTargetStep);
}

absl::StatusOr<std::chrono::milliseconds> WatchInterval(const v1::WatchFlowRequest& request) {
  if (!request.has_min_interval()) return std::chrono::milliseconds(100);
  const auto& interval = request.min_interval();
  const double asked = static_cast<double>(interval.seconds()) + interval.nanos() * 1e-9;
  if (!(asked >= 0.01 && asked <= 3600)) {
    return InvalidField("min_interval", "in [0.01, 3600] s", absl::StrCat(asked, " s"));
  }
  return std::chrono::milliseconds(static_cast<int64_t>(asked * 1e3));
}

absl::StatusOr<PageRequest> MakePageRequest(int32_t size, const std::string& token) {
  RIESZ_RETURN_IF_ERROR(CheckInterval("page_size", size, 0, kMaxPageSize));
  return PageRequest{size, token};
}

}  // namespace riesz
