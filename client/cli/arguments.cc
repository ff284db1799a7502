#include "client/cli/arguments.h"

#include <charconv>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "core/error.h"

namespace riesz::cli {
namespace {

constexpr int64_t kLargestSide = 1 << 14;

template <typename T>
bool ParseInteger(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Two or three integers between separators.
bool ParseIntegers(const std::string& text, char separator, std::vector<int64_t>& values) {
  for (const absl::string_view part : absl::StrSplit(text, separator)) {
    if (!ParseInteger({part.data(), part.size()}, values.emplace_back())) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<ImageShape> ParseShape(const std::string& text) {
  std::vector<int64_t> sizes;
  bool good = ParseIntegers(text, 'x', sizes) && (sizes.size() == 2 || sizes.size() == 3);
  if (good && sizes.size() == 2) sizes.insert(sizes.begin(), 1);
  good = good && (sizes[0] == 1 || sizes[0] == 3);
  for (size_t i = 1; good && i < 3; ++i) good = sizes[i] >= 1 && sizes[i] <= kLargestSide;
  if (!good) {
    return InvalidField("--shape", "HxW or CxHxW with 1 or 3 channels and sides in [1, 16384]",
                        text);
  }
  return ImageShape{.channels = static_cast<int32_t>(sizes[0]),
                    .height = static_cast<int32_t>(sizes[1]),
                    .width = static_cast<int32_t>(sizes[2])};
}

v1::SampleShape ToProto(const ImageShape& shape) {
  v1::SampleShape out;
  out.set_channels(shape.channels);
  out.set_height(shape.height);
  out.set_width(shape.width);
  return out;
}

absl::StatusOr<v1::CoordinateRange> ParseRange(const std::string& text) {
  std::vector<int64_t> ends;
  if (!ParseIntegers(text, ':', ends) || ends.size() != 2 || ends[0] < 0 || ends[1] <= ends[0]) {
    return InvalidField("--freeze", "BEGIN:END with 0 <= BEGIN < END", text);
  }
  v1::CoordinateRange range;
  range.set_begin(ends[0]);
  range.set_end(ends[1]);
  return range;
}

absl::Status ParseMetadata(const std::vector<std::string>& pairs,
                           google::protobuf::Map<std::string, std::string>* metadata) {
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidField("--metadata", "KEY=VALUE", pair);
    }
    (*metadata)[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<int64_t, int64_t>> ParseCoordinates(const std::string& text) {
  std::vector<int64_t> pair;
  if (!ParseIntegers(text, ',', pair) || pair.size() != 2 || pair[0] < 0 || pair[1] < 0 ||
      pair[0] == pair[1]) {
    return InvalidField("--coordinates", "I,J, two different coordinates >= 0", text);
  }
  return std::make_pair(pair[0], pair[1]);
}

absl::StatusOr<v1::Method> ParseMethod(const std::string& text) {
  if (text == "exact") return v1::METHOD_EXACT;
  if (text == "sliced") return v1::METHOD_SLICED;
  if (text == "auto") return v1::METHOD_AUTO;
  return InvalidField("--method", "exact, sliced or auto", text);
}

absl::StatusOr<v1::Estimator> ParseEstimator(const std::string& text) {
  if (absl::AsciiStrToLower(text) == "v") return v1::ESTIMATOR_V;
  if (absl::AsciiStrToLower(text) == "u") return v1::ESTIMATOR_U;
  return InvalidField("--estimator", "v or u", text);
}

absl::StatusOr<v1::DirectionKind> ParseDirectionKind(const std::string& text) {
  if (text == "orthogonal") return v1::DIRECTION_KIND_ORTHOGONAL;
  if (text == "iid") return v1::DIRECTION_KIND_IID;
  if (text == "low-discrepancy") return v1::DIRECTION_KIND_LOW_DISCREPANCY;
  if (text == "structured") return v1::DIRECTION_KIND_STRUCTURED;
  return InvalidField("--directions", "orthogonal, iid, low-discrepancy or structured", text);
}

absl::StatusOr<v1::Generator::Distribution> ParseDistribution(const std::string& text) {
  if (text == "normal") return v1::Generator::DISTRIBUTION_NORMAL;
  if (text == "uniform") return v1::Generator::DISTRIBUTION_UNIFORM;
  return InvalidField("--generator", "normal or uniform", text);
}

}  // namespace riesz::cli
