// What a computation reads: found when it is asked for, made concrete when it runs.
//
// Finding holds an ensemble's particles from then on, so that deleting it meanwhile changes
// nothing, and answers a wrong name at once. A flow is copied, and inline numbers are put on the
// device, only on the device's worker.
//
// Thread safety: belongs to one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "core/engine/device.h"
#include "core/engine/ensemble_store.h"
#include "core/engine/flow.h"
#include "core/engine/requests.h"

namespace riesz {

using FlowTable = ResourceTable<Flow>;

class Operand {
 public:
  // `field` names the operand in errors, e.g. "x". NOT_FOUND; INVALID_ARGUMENT for an inline tensor
  // that is too large, has the wrong size or a number that is not finite.
  static absl::StatusOr<Operand> Find(EnsembleStore& ensembles, const FlowTable& flows,
                                      const std::string& tenant, ParticlesRef ref,
                                      const std::string& field, int64_t max_inline_bytes);

  // On the device's worker: copies, memory reserved. May be called once.
  absl::StatusOr<ResolvedParticles> Materialize(Device& device);
  // What it is, e.g. "ensemble x"; a flow's step is known after Materialize.
  std::string description() const;
  // The stored ensemble where it is one, else null.
  const std::shared_ptr<const StoredEnsemble>& stored() const { return stored_; }

 private:
  std::string field_;
  std::shared_ptr<const StoredEnsemble> stored_;
  std::shared_ptr<Flow> flow_;
  std::optional<int64_t> step_;  // of the flow: asked for, then found
  std::optional<InlineTensor> tensor_;
};

ResolvedShape ShapeOf(const ResolvedParticles& particles);

// What computations refuse: UNIMPLEMENTED (NOT_OFFERED) for weights, INVALID_ARGUMENT (NON_FINITE)
// for NaN or infinities.
absl::Status CheckComputable(bool weighted, bool non_finite, const std::string& field);

}  // namespace riesz
