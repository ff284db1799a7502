#include "client/cli/ensemble_text.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/format.h"

namespace riesz::cli {

std::string ShapeText(const v1::SampleShape& shape) {
  return absl::StrCat(shape.channels(), "x", shape.height(), "x", shape.width());
}

std::string EnsembleLine(const v1::Ensemble& e) {
  return absl::StrCat("ensemble '", e.id(), "': ", FormatShape(e.count(), e.dimension()), ", ",
                      FormatBytes(static_cast<double>(e.size_bytes())), " on ", e.device(),
                      e.source().empty() ? "" : ", ", e.source());
}

std::string EnsembleText(const v1::Ensemble& e) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"ensemble", e.id()},
      {"particles", FormatShape(e.count(), e.dimension())},
      {"size", absl::StrCat(FormatBytes(static_cast<double>(e.size_bytes())), " on ", e.device())},
      {"source", e.source()},
      {"image", e.has_sample_shape() ? ShapeText(e.sample_shape()) : ""},
      {"scaling", e.has_value_scaling()
                      ? absl::StrCat("stored = ", FormatNumber(e.value_scaling().scale()),
                                     " * raw + ", FormatNumber(e.value_scaling().offset()))
                      : ""},
      {"weights", e.has_weights() ? "yes" : ""},
      {"labels", e.has_labels() ? "yes" : ""},
      {"crc32c", absl::StrFormat("%08x", e.crc32c())},
      {"created", FormatTime(e.create_time().seconds())},
      {"expires", e.has_expire_time() ? FormatTime(e.expire_time().seconds()) : ""},
  };
  const std::map<std::string, std::string> metadata(e.metadata().begin(), e.metadata().end());
  for (const auto& [key, value] : metadata) fields.push_back({"  " + key, value});
  return FormatFields(fields);
}

std::string EnsembleTable(const v1::ListEnsemblesResponse& list) {
  if (list.ensembles().empty()) return "no ensembles\n";
  Table table({"ENSEMBLE", "COUNT", "DIM", "SIZE", "SOURCE", "CREATED"});
  for (const v1::Ensemble& e : list.ensembles()) {
    table.AddRow({e.id(), absl::StrCat(e.count()), absl::StrCat(e.dimension()),
                  FormatBytes(static_cast<double>(e.size_bytes())), e.source(),
                  FormatTime(e.create_time().seconds())});
  }
  return table.Text();
}

}  // namespace riesz::cli
