// Arguments with a form of their own.
//
// Thread safety: the functions are pure.
#pragma once

#include <google/protobuf/map.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/dataset/dataset.h"
#include "riesz/v1/discrepancy_service.pb.h"
#include "riesz/v1/ensemble_service.pb.h"
#include "riesz/v1/flow_service.pb.h"

namespace riesz::cli {

// "28x28" (grey) or "3x32x32" (CHW), 1 or 3 channels.
absl::StatusOr<ImageShape> ParseShape(const std::string& text);
v1::SampleShape ToProto(const ImageShape& shape);

// "a:b", coordinates [a, b) with 0 <= a < b.
absl::StatusOr<v1::CoordinateRange> ParseRange(const std::string& text);

// "k=v" each.
absl::Status ParseMetadata(const std::vector<std::string>& pairs,
                           google::protobuf::Map<std::string, std::string>* metadata);

// "i,j": two different coordinates >= 0.
absl::StatusOr<std::pair<int64_t, int64_t>> ParseCoordinates(const std::string& text);

absl::StatusOr<v1::Method> ParseMethod(const std::string& text);
absl::StatusOr<v1::Estimator> ParseEstimator(const std::string& text);
absl::StatusOr<v1::DirectionKind> ParseDirectionKind(const std::string& text);
absl::StatusOr<v1::Generator::Distribution> ParseDistribution(const std::string& text);

}  // namespace riesz::cli
