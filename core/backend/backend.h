// THE SEAM: what a device can do with ensembles. Everything above it is the same for every backend;
// everything that knows a device is below it.
//
// The operations are cut at calculations that have a name in the paper: energy distance, gradient,
// flow step. Finer (matrix product, sort) would forbid fusing them; coarser (a whole job) would
// write life cycles once per backend.
//
// Three backends: `reference` (plain loops, double accumulators: the oracle), `cpu` (fast), `cuda`.
// One contract test suite runs on each.
//
// Thread safety: Backend is thread-safe. An Operation, a FlowStepper and an EnsembleBuffer belong
// to one thread at a time.
//
// Ownership: a Backend outlives everything it made. Operations keep their operands alive by
// shared_ptr. Scratch is allocated when an operation or a stepper is made; running allocates
// nothing that grows with the data.
//
// Errors of every New...: INVALID_ARGUMENT when the spec or shapes make no sense (dimensions
// differ, exponent out of range, U with fewer than two particles), UNIMPLEMENTED when the device
// lacks the method, RESOURCE_EXHAUSTED when its memory does. Run returns an error only when the
// device failed or the numbers did (see FlowStepper::Step); stopping and yielding are results, not
// errors. Any call may say that the device is gone for good: UNAVAILABLE (DEVICE_LOST).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/budget.h"
#include "core/discrepancy_spec.h"
#include "core/flow_spec.h"
#include "core/matrix.h"

namespace riesz {

// Particles on a device, (count, dim) float32 row-major. Immutable from the moment it exists.
class DeviceEnsemble {
 public:
  virtual ~DeviceEnsemble() = default;
  virtual int64_t count() const = 0;
  virtual int64_t dim() const = 0;
  int64_t bytes() const { return count() * dim() * static_cast<int64_t>(sizeof(float)); }
  // The bytes themselves where they lie in host memory, so that a download need not copy them;
  // empty where they do not.
  virtual std::span<const std::byte> host_bytes() const { return {}; }
};

// An ensemble while it is being filled, in any order of ranges.
class EnsembleBuffer {
 public:
  virtual ~EnsembleBuffer() = default;
  // Memory to write bytes [offset, offset + size) of the row-major content into: the particles
  // themselves on the cpu, pinned staging on a GPU. Valid until Commit, which must follow before
  // the next Map. OUT_OF_RANGE outside the ensemble.
  virtual absl::StatusOr<std::span<std::byte>> Map(int64_t offset, int64_t size) = 0;
  virtual absl::Status Commit() = 0;
  // Ends filling. The buffer is empty afterwards.
  virtual absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Seal() = 0;
};

// A long calculation that can be paused between chunks.
class Operation {
 public:
  virtual ~Operation() = default;
  // Goes on until done, until the budget is spent, or until `stop` fires (asked before every
  // chunk). After kDone, further calls return kDone.
  virtual absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) = 0;
  // Chunks done and chunks planned, for progress.
  virtual int64_t chunks_done() const = 0;
  virtual int64_t chunks_planned() const = 0;
};

class EnergyDistanceOperation : public Operation {
 public:
  virtual const EnergyDistance& result() const = 0;  // after kDone
};

class GradientOperation : public Operation {
 public:
  // After kDone. grad of D^2 = E/2 with respect to x, (n, d): row i is g_i = dD^2/dx_i. An ensemble
  // like any other, so it can be downloaded or kept.
  virtual std::shared_ptr<const DeviceEnsemble> gradient() const = 0;
  virtual const GradientSummary& summary() const = 0;
};

// One flow's mutable state on a device: particles, velocity, step.
class FlowStepper {
 public:
  virtual ~FlowStepper() = default;
  virtual int64_t step() const = 0;  // completed steps
  // Begins the next step or goes on with the one that yielded. kDone: step() has grown by one. A
  // step that yielded or was stopped is invisible: step(), Save and Snapshot still show the last
  // completed one. With `measure` (constant within a step) the step also measures; it moves the
  // particles to the same bits either way. DATA_LOSS when the step would make a particle
  // non-finite: the particles stay those of the last completed step, and so does step().
  virtual absl::StatusOr<RunResult> Step(Budget& budget, std::stop_token stop, bool measure) = 0;
  // Of the last completed step that measured.
  virtual std::optional<StepMeasurement> measurement() const = 0;
  virtual int64_t chunks_per_step() const = 0;

  // A copy of the particles as an ensemble on the same device.
  virtual absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Snapshot() = 0;
  // The state of the last completed step, on the host; and back. Restore drops a step under way.
  // INVALID_ARGUMENT when the sizes are not this flow's.
  virtual absl::StatusOr<FlowState> Save() = 0;
  virtual absl::Status Restore(const FlowState& state) = 0;
};

// Predicted before anything is allocated, so that memory is reserved in a ledger and `auto` can
// pick.
struct WorkEstimate {
  int64_t scratch_bytes = 0;  // allocated by New..., result included
  double seconds = 0;         // rough; for ordering and for choosing a method, not a promise
  int64_t chunks = 0;
};

struct BackendReport {
  std::string name;          // "reference", "cpu", "cuda:0"
  std::string description;   // processor and instruction set, or GPU model
  int threads = 0;           // worker threads; 0 where that has no meaning
  int64_t memory_bytes = 0;  // of the device, or of this process's limit on the host
  // Everything that fixes the bits of a result beside spec and seed: backend, instruction set,
  // threads where they matter, chunk sizes, GPU model, library versions.
  std::string determinism_fingerprint;
};

// Shapes of x (n, d) and y (m, d).
struct ProblemShape {
  int64_t n = 0;
  int64_t m = 0;
  int64_t d = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual BackendReport Report() const = 0;

  // Memory for count * dim floats, content undefined until written. RESOURCE_EXHAUSTED.
  virtual absl::StatusOr<std::unique_ptr<EnsembleBuffer>> NewEnsemble(int64_t count,
                                                                      int64_t dim) = 0;
  // Copies rows [first_row, first_row + out.size() / d) to the host. OUT_OF_RANGE.
  virtual absl::Status Download(const DeviceEnsemble& ensemble, int64_t first_row,
                                std::span<float> out) = 0;

  virtual absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> NewEnergyDistance(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const EnergyDistanceSpec& spec) = 0;
  virtual absl::StatusOr<std::unique_ptr<GradientOperation>> NewGradient(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const GradientSpec& spec) = 0;
  // Starts at a copy of `start` with velocity 0 and step 0.
  virtual absl::StatusOr<std::unique_ptr<FlowStepper>> NewFlowStepper(
      std::shared_ptr<const DeviceEnsemble> start, std::shared_ptr<const DeviceEnsemble> target,
      const FlowSpec& spec) = 0;

  virtual WorkEstimate Estimate(const ProblemShape& shape,
                                const EnergyDistanceSpec& spec) const = 0;
  virtual WorkEstimate Estimate(const ProblemShape& shape, const GradientSpec& spec) const = 0;
  // Of one step; scratch_bytes is the whole stepper's.
  virtual WorkEstimate Estimate(const ProblemShape& shape, const FlowSpec& spec) const = 0;
};

}  // namespace riesz
