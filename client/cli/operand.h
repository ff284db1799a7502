// The operands of commands: an ensemble's name, a flow, or a file.
//
// Thread safety: the functions are pure but for files and the session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "core/dataset/dataset.h"
#include "core/matrix.h"
#include "riesz/v1/ensemble_service.pb.h"
#include "riesz/v1/particles.pb.h"

namespace riesz::cli {

// NAME | flow:NAME | flow:NAME@STEP | a file: whatever has a '/' or a '.', which ids never have.
struct Operand {
  enum class Kind { kEnsemble, kFlow, kFile };
  Kind kind = Kind::kEnsemble;
  std::string name = {};  // id, or path
  std::optional<int64_t> step = {};
};
inline constexpr char kOperandHelp[] = "NAME, flow:NAME[@STEP] or a file (./a.npy)";

absl::StatusOr<Operand> ParseOperand(const std::string& text);

// The operand as the server takes it. A file of at most 1 MiB travels inline; a larger one is
// uploaded to an ensemble that the session deletes at its end.
absl::StatusOr<v1::Particles> Resolve(Session& session, const std::string& text);

struct LoadedParticles {
  Matrix rows;
  std::optional<ImageShape> shape;
};
// The operand's first `row_count` rows (0: all) on this machine.
absl::StatusOr<LoadedParticles> Load(Session& session, const std::string& text,
                                     int64_t row_count = 0);

// A data file, as ReadFile, with finite numbers only; notes a conversion.
absl::StatusOr<Dataset> ReadParticles(Session& session, const std::string& path);

}  // namespace riesz::cli
