#include "client/cli/operand.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cli/progress.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

constexpr int64_t kMaxInlineBytes = 1 << 20;  // the service's bound on Particles.inline_tensor
constexpr int64_t kTemporaryLifeSeconds = 3600;
constexpr char kFlowPrefix[] = "flow:";

absl::StatusOr<v1::Particles> ResolveFile(Session& session, const std::string& path) {
  RIESZ_ASSIGN_OR_RETURN(const Dataset data, ReadParticles(session, path));
  v1::Particles out;
  if (static_cast<int64_t>(data.rows.bytes()) <= kMaxInlineBytes) {
    v1::Tensor* tensor = out.mutable_inline_tensor();
    tensor->set_rows(data.rows.rows());
    tensor->set_columns(data.rows.cols());
    tensor->set_data(data.rows.data(), data.rows.bytes());
    return out;
  }
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::StartUploadRequest about;
  about.set_id(session.NewTemporaryEnsemble());
  about.mutable_expire_time()->set_seconds(std::time(nullptr) + kTemporaryLifeSeconds);
  Progress progress(Progress::Stderr(session.output().chatty()), absl::StrCat("upload ", path));
  RIESZ_RETURN_IF_ERROR(
      client
          ->Upload(about, {.particles = data.rows.view()},
                   [&](int64_t done, int64_t total) { progress.UpdateBytes(done, total); })
          .status());
  out.set_ensemble(about.id());
  return out;
}

// How many particles an ensemble or a flow has.
absl::StatusOr<int64_t> CountOf(Client& client, const Operand& operand) {
  if (operand.kind == Operand::Kind::kFlow) {
    v1::GetFlowRequest request;
    request.set_id(operand.name);
    RIESZ_ASSIGN_OR_RETURN(const v1::GetFlowResponse response, client.GetFlow(request));
    return response.flow().count();
  }
  v1::GetEnsembleRequest request;
  request.set_id(operand.name);
  RIESZ_ASSIGN_OR_RETURN(const v1::GetEnsembleResponse response, client.GetEnsemble(request));
  return response.ensemble().count();
}

}  // namespace

absl::StatusOr<Operand> ParseOperand(const std::string& text) {
  if (!absl::StartsWith(text, kFlowPrefix)) {
    const bool file = text.find_first_of("/.") != std::string::npos;
    return Operand{.kind = file ? Operand::Kind::kFile : Operand::Kind::kEnsemble, .name = text};
  }
  Operand out{.kind = Operand::Kind::kFlow, .name = text.substr(sizeof(kFlowPrefix) - 1)};
  const size_t at = out.name.find('@');
  if (at != std::string::npos) {
    const std::string step = out.name.substr(at + 1);
    out.name.resize(at);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), value);
    if (error != std::errc() || end != step.data() + step.size() || value < 0) {
      return InvalidField(text, "flow:NAME@STEP with STEP >= 0", step);
    }
    out.step = value;
  }
  if (out.name.empty()) return InvalidField(text, "flow:NAME[@STEP]", text);
  return out;
}

absl::StatusOr<v1::Particles> Resolve(Session& session, const std::string& text) {
  RIESZ_ASSIGN_OR_RETURN(const Operand operand, ParseOperand(text));
  v1::Particles out;
  switch (operand.kind) {
    case Operand::Kind::kEnsemble:
      out.set_ensemble(operand.name);
      return out;
    case Operand::Kind::kFlow:
      out.mutable_flow()->set_flow(operand.name);
      if (operand.step) out.mutable_flow()->set_step(*operand.step);
      return out;
    case Operand::Kind::kFile:
      return ResolveFile(session, operand.name);
  }
  return out;
}

absl::StatusOr<LoadedParticles> Load(Session& session, const std::string& text, int64_t row_count) {
  RIESZ_ASSIGN_OR_RETURN(const Operand operand, ParseOperand(text));
  LoadedParticles out;
  if (operand.kind == Operand::Kind::kFile) {
    RIESZ_ASSIGN_OR_RETURN(Dataset data, ReadParticles(session, operand.name));
    out.shape = data.shape;
    if (row_count > 0 && row_count < data.rows.rows()) {
      out.rows = Matrix::CopyOf({data.rows.data(), row_count, data.rows.cols()});
    } else {
      out.rows = std::move(data.rows);
    }
    return out;
  }
  RIESZ_ASSIGN_OR_RETURN(const v1::Particles source, Resolve(session, text));
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  if (row_count > 0) {
    RIESZ_ASSIGN_OR_RETURN(const int64_t count, CountOf(*client, operand));
    row_count = std::min(row_count, count);
  }
  Progress progress(Progress::Stderr(session.output().chatty()), absl::StrCat("download ", text));
  RIESZ_ASSIGN_OR_RETURN(
      Download download,
      client->DownloadParticles(source, 0, row_count, [&](int64_t done, int64_t total) {
        progress.UpdateBytes(done, total);
      }));
  out.rows = std::move(download.particles);
  if (download.header.has_sample_shape()) {
    const v1::SampleShape& shape = download.header.sample_shape();
    out.shape = {.channels = shape.channels(), .height = shape.height(), .width = shape.width()};
  }
  return out;
}

absl::StatusOr<Dataset> ReadParticles(Session& session, const std::string& path) {
  absl::StatusOr<Dataset> data = ReadFile(path);
  if (!data.ok()) return FileError(data.status());
  const Matrix& rows = data->rows;
  const float* const end = rows.data() + rows.size();
  const float* const bad =
      std::find_if_not(rows.data(), end, [](float value) { return std::isfinite(value); });
  if (bad != end) {
    const int64_t index = bad - rows.data();
    return FileError(absl::InvalidArgumentError(
        absl::StrCat(path, ": particle ", index / rows.cols(), ", coordinate ", index % rows.cols(),
                     " is ", *bad, "; particles must be finite")));
  }
  if (!data->converted_from.empty()) {
    session.output().Note(
        absl::StrCat(path, ": converted from ", data->converted_from, " to float32"));
  }
  return data;
}

}  // namespace riesz::cli
