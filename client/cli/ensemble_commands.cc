#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/ensemble_text.h"
#include "client/cli/exit_code.h"
#include "client/cli/format.h"
#include "client/cli/operand.h"
#include "client/cli/progress.h"
#include "core/dataset/dataset.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

// What every new ensemble may carry.
struct NewOptions {
  std::string id;
  std::vector<std::string> metadata;
  double expire_in_s = 0;
  std::string request_id;

  template <typename Request>
  absl::Status Fill(Request* request) const {
    request->set_id(id);
    request->set_request_id(request_id);
    if (expire_in_s > 0) {
      request->mutable_expire_time()->set_seconds(std::time(nullptr) +
                                                  static_cast<int64_t>(expire_in_s));
    }
    return ParseMetadata(metadata, request->mutable_metadata());
  }
};

void DeclareNew(CLI::App& sub, NewOptions& options) {
  sub.add_option("NAME", options.id, "The new ensemble")->required();
  sub.add_option("--metadata", options.metadata, "KEY=VALUE kept with it; repeatable")
      ->allow_extra_args(false);
  sub.add_option("--expire-in", options.expire_in_s, "Seconds after which it may be deleted")
      ->check(CLI::PositiveNumber);
  sub.add_option("--request-id", options.request_id, "Deduplicates repeats of this command");
}

struct CreateOptions : NewOptions {
  std::string generator, data_set, copy_of, split = "train";
  int64_t count = 0, dim = 0, offset = 0;
  std::optional<uint64_t> seed;
  double mean = 0;
  std::optional<double> scale;
  std::vector<int32_t> labels;
};

void DeclareCreate(CLI::App& sub, CreateOptions& options) {
  DeclareNew(sub, options);
  CLI::Option_group* const source = sub.add_option_group("source", "Where the particles come from");
  source->add_option("--generator", options.generator, "normal or uniform (on [0, 1))");
  source->add_option("--dataset", options.data_set, "A data set that the server can read");
  source->add_option("--copy-of", options.copy_of, kOperandHelp);
  source->require_option(1);
  sub.add_option("--count", options.count, "Particles; a data set's default: all of them");
  sub.add_option("--dim", options.dim, "Coordinates, for --generator");
  sub.add_option("--seed", options.seed, "Default: chosen by the server and named in the answer");
  sub.add_option("--mean", options.mean, "Added to each coordinate, for --generator");
  sub.add_option("--scale", options.scale, "Multiplies each coordinate first, for --generator");
  sub.add_option("--split", options.split, "train or test, for --dataset")->capture_default_str();
  sub.add_option("--offset", options.offset,
                 "Rows of the shuffled data set to pass over: disjoint samples of one seed");
  sub.add_option("--label", options.labels, "Keep only this label, for --dataset; repeatable")
      ->allow_extra_args(false);
}

absl::Status FillSource(Session& session, const CreateOptions& options,
                        v1::CreateEnsembleRequest* request) {
  if (!options.generator.empty()) {
    v1::Generator* generator = request->mutable_generator();
    RIESZ_ASSIGN_OR_RETURN(const auto distribution, ParseDistribution(options.generator));
    generator->set_distribution(distribution);
    generator->set_count(options.count);
    generator->set_dimension(options.dim);
    if (options.seed) generator->set_seed(*options.seed);
    generator->set_mean(options.mean);
    // On the wire 0 stands for the default, on a command line it is a mistake.
    if (options.scale == 0) return InvalidField("generator.scale", "greater than 0", "0");
    generator->set_scale(options.scale.value_or(0));
  } else if (!options.data_set.empty()) {
    v1::DataSet* data_set = request->mutable_data_set();
    data_set->set_name(options.data_set);
    data_set->set_split(options.split);
    data_set->set_count(options.count);
    data_set->set_offset(options.offset);
    if (options.seed) data_set->set_seed(*options.seed);
    for (const int32_t label : options.labels) data_set->add_labels(label);
  } else {
    RIESZ_ASSIGN_OR_RETURN(*request->mutable_copy_of(), Resolve(session, options.copy_of));
  }
  return absl::OkStatus();
}

absl::Status RunCreate(Session& session, const CreateOptions& options) {
  v1::CreateEnsembleRequest request;
  RIESZ_RETURN_IF_ERROR(options.Fill(&request));
  RIESZ_RETURN_IF_ERROR(FillSource(session, options, &request));
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const v1::CreateEnsembleResponse response,
                         client->CreateEnsemble(request));
  session.output().Answer(response, EnsembleLine(response.ensemble()));
  return absl::OkStatus();
}

struct PutOptions : NewOptions {
  std::string file, labels_from, shape;
};

absl::Status RunPut(Session& session, const PutOptions& options) {
  v1::StartUploadRequest about;
  RIESZ_RETURN_IF_ERROR(options.Fill(&about));
  RIESZ_ASSIGN_OR_RETURN(Dataset data, ReadParticles(session, options.file));
  if (!options.labels_from.empty()) {
    absl::StatusOr<std::vector<int32_t>> labels = ReadLabels(options.labels_from);
    if (!labels.ok()) return FileError(labels.status());
    data.labels = *std::move(labels);
  }
  if (!options.shape.empty()) {
    RIESZ_ASSIGN_OR_RETURN(data.shape, ParseShape(options.shape));
  }
  if (data.shape) *about.mutable_sample_shape() = ToProto(*data.shape);
  if (data.scale != 1) about.mutable_value_scaling()->set_scale(data.scale);
  if (!data.converted_from.empty()) {
    (*about.mutable_metadata())["converted_from"] = data.converted_from;
  }
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::FinishUploadResponse response;
  {
    Progress progress(Progress::Stderr(session.output().chatty()),
                      absl::StrCat("upload ", options.file));
    RIESZ_ASSIGN_OR_RETURN(
        *response.mutable_ensemble(),
        client->Upload(about, {.particles = data.rows.view(), .labels = data.labels},
                       [&](int64_t done, int64_t total) { progress.UpdateBytes(done, total); }));
  }
  session.output().Answer(response, EnsembleLine(response.ensemble()));
  return absl::OkStatus();
}

struct GetOptions {
  std::string source, file, labels_to;
};

absl::Status RunGet(Session& session, const GetOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(const LoadedParticles particles, Load(session, options.source));
  RIESZ_RETURN_IF_ERROR(FileError(WriteNpy(options.file, particles.rows.view())));
  if (!options.labels_to.empty()) {
    RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
    RIESZ_ASSIGN_OR_RETURN(const std::vector<int32_t> labels,
                           client->DownloadLabels(options.source));
    RIESZ_RETURN_IF_ERROR(FileError(WriteNpy(options.labels_to, labels)));
  }
  const int64_t n = particles.rows.rows();
  const int64_t d = particles.rows.cols();
  session.output().Answer({{"path", options.file}, {"count", n}, {"dimension", d}},
                          absl::StrCat(options.file, ": ", FormatShape(n, d), " float32"));
  return absl::OkStatus();
}

struct NameOptions {
  std::string id;
};

absl::Status RunShow(Session& session, const NameOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::GetEnsembleRequest request;
  request.set_id(options.id);
  RIESZ_ASSIGN_OR_RETURN(const v1::GetEnsembleResponse response, client->GetEnsemble(request));
  session.output().Answer(response, EnsembleText(response.ensemble()));
  return absl::OkStatus();
}

absl::Status RunList(Session& session, const NameOptions&) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const v1::ListEnsemblesResponse list, client->ListEnsembles());
  session.output().Answer(list, EnsembleTable(list));
  return absl::OkStatus();
}

absl::Status RunDelete(Session& session, const NameOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::DeleteEnsembleRequest request;
  request.set_id(options.id);
  RIESZ_ASSIGN_OR_RETURN(const v1::DeleteEnsembleResponse response,
                         client->DeleteEnsemble(request));
  session.output().Answer(response, absl::StrCat("ensemble '", options.id, "' deleted"));
  return absl::OkStatus();
}

}  // namespace

void AddEnsembleCommands(CLI::App& app, Command& command) {
  CLI::App& group = AddGroup(app, "ensemble", "Particles kept on the server");
  const auto name = [](CLI::App& sub, NameOptions& options) {
    sub.add_option("NAME", options.id, "The ensemble")->required();
  };
  AddCommand<CreateOptions>(group, command, "create", "Make one on the server", DeclareCreate,
                            RunCreate);
  AddCommand<PutOptions>(
      group, command, "put", "Upload a .npy, .csv, IDX or CIFAR-10 file",
      [](CLI::App& sub, PutOptions& options) {
        DeclareNew(sub, options);
        sub.add_option("FILE", options.file, "The file")->required();
        sub.add_option("--labels-from", options.labels_from, "A file with one integer a row");
        sub.add_option("--sample-shape", options.shape, "Each row is an image: HxW or CxHxW");
      },
      RunPut);
  AddCommand<GetOptions>(
      group, command, "get", "Download as a .npy file",
      [](CLI::App& sub, GetOptions& options) {
        sub.add_option("SOURCE", options.source, "NAME or flow:NAME[@STEP]")->required();
        sub.add_option("FILE", options.file, "Where to write it")->required();
        sub.add_option("--labels-to", options.labels_to, "Where to write its labels (.npy, int32)");
      },
      RunGet);
  AddCommand<NameOptions>(
      group, command, "ls", "All of them", [](CLI::App&, NameOptions&) {}, RunList);
  AddCommand<NameOptions>(group, command, "show", "Everything about one", name, RunShow);
  AddCommand<NameOptions>(group, command, "rm", "Delete one", name, RunDelete);
}

}  // namespace riesz::cli
