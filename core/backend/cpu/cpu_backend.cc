#include "core/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/available_threads.h"
#include "core/backend/cpu/cost_model.h"
#include "core/backend/cpu/cpu_ensemble.h"
#include "core/backend/cpu/exact_operations.h"
#include "core/backend/cpu/flow_stepper.h"
#include "core/backend/cpu/matrix_unit.h"
#include "core/backend/cpu/processor.h"
#include "core/backend/cpu/sliced_operations.h"
#include "core/backend/cpu/thread_pool.h"
#include "core/validate.h"

namespace riesz {

namespace {

using cpu::CpuEnsemble;

// Runs `make`, which allocates, and turns a refusal of memory into a status.
template <typename Result, typename Make>
absl::StatusOr<Result> OrExhausted(int64_t bytes, const Make& make) {
  try {
    return Result(make());
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the host has no memory for ", bytes, " bytes more"));
  }
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : pool_(threads) {}

  BackendReport Report() const override {
    BackendReport report;
    report.name = "cpu";
    const std::string instructions =
        absl::StrCat(cpu::InstructionSet(), cpu::MatrixUnitAvailable() ? "+AMX" : "");
    report.description = absl::StrCat(cpu::ProcessorName(), ", ", instructions);
    report.threads = pool_.threads();
    report.memory_bytes = AvailableMemory();
    // Threads are absent on purpose: they do not change a bit of any result.
    report.determinism_fingerprint =
        absl::StrCat("cpu/2 ", instructions, " panels=", cpu::kPanelRows);
    return report;
  }

  absl::StatusOr<std::unique_ptr<EnsembleBuffer>> NewEnsemble(int64_t count, int64_t dim) override {
    if (absl::Status status = ValidateShape(count, dim, "ensemble"); !status.ok()) return status;
    return OrExhausted<std::unique_ptr<EnsembleBuffer>>(count * dim * 4, [&] {
      return std::make_unique<cpu::CpuEnsembleBuffer>(Matrix::Uninitialized(count, dim));
    });
  }

  absl::Status Download(const DeviceEnsemble& ensemble, int64_t first_row,
                        std::span<float> out) override {
    const MatrixView rows = cpu::RowsOf(ensemble);
    const auto size = static_cast<int64_t>(out.size());
    if (size % rows.cols != 0 || first_row < 0 || first_row > rows.rows ||
        size / rows.cols > rows.rows - first_row) {
      return absl::OutOfRangeError(absl::StrCat("rows from ", first_row, " in ", size,
                                                " floats lie outside an ensemble of ", rows.rows,
                                                " x ", rows.cols));
    }
    std::copy_n(rows.data + first_row * rows.cols, size, out.data());
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> NewEnergyDistance(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const EnergyDistanceSpec& spec) override {
    if (absl::Status status = Validate(spec, x->count(), y->count(), x->dim(), y->dim());
        !status.ok()) {
      return status;
    }
    const int64_t bytes = Estimate(ShapeOf(*x, *y), spec).scratch_bytes;
    return OrExhausted<std::unique_ptr<EnergyDistanceOperation>>(
        bytes, [&]() -> std::unique_ptr<EnergyDistanceOperation> {
          if (spec.method == Method::kExact) {
            return std::make_unique<cpu::ExactEnergyDistance>(pool_, x, y, spec);
          }
          return std::make_unique<cpu::SlicedEnergyDistance>(pool_, x, y, spec);
        });
  }

  absl::StatusOr<std::unique_ptr<GradientOperation>> NewGradient(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const GradientSpec& spec) override {
    if (absl::Status status = Validate(spec, x->count(), y->count(), x->dim(), y->dim());
        !status.ok()) {
      return status;
    }
    const int64_t bytes = Estimate(ShapeOf(*x, *y), spec).scratch_bytes;
    return OrExhausted<std::unique_ptr<GradientOperation>>(
        bytes, [&]() -> std::unique_ptr<GradientOperation> {
          if (spec.method == Method::kExact) {
            return std::make_unique<cpu::ExactGradient>(pool_, x, y, spec);
          }
          return std::make_unique<cpu::SlicedGradient>(pool_, x, y, spec);
        });
  }

  absl::StatusOr<std::unique_ptr<FlowStepper>> NewFlowStepper(
      std::shared_ptr<const DeviceEnsemble> start, std::shared_ptr<const DeviceEnsemble> target,
      const FlowSpec& spec) override {
    if (absl::Status status =
            Validate(spec, start->count(), target->count(), start->dim(), target->dim());
        !status.ok()) {
      return status;
    }
    const int64_t bytes = Estimate(ShapeOf(*start, *target), spec).scratch_bytes;
    return OrExhausted<std::unique_ptr<FlowStepper>>(
        bytes, [&] { return std::make_unique<cpu::CpuFlowStepper>(pool_, *start, target, spec); });
  }

  WorkEstimate Estimate(const ProblemShape& shape, const EnergyDistanceSpec& spec) const override {
    return cpu::EstimateWork(pool_, shape, spec);
  }
  WorkEstimate Estimate(const ProblemShape& shape, const GradientSpec& spec) const override {
    return cpu::EstimateWork(pool_, shape, spec);
  }
  WorkEstimate Estimate(const ProblemShape& shape, const FlowSpec& spec) const override {
    return cpu::EstimateWork(pool_, shape, spec);
  }

 private:
  static ProblemShape ShapeOf(const DeviceEnsemble& x, const DeviceEnsemble& y) {
    return {.n = x.count(), .m = y.count(), .d = x.dim()};
  }

  mutable cpu::ThreadPool pool_;
};

}  // namespace

std::unique_ptr<Backend> MakeCpuBackend(const BackendOptions& options) {
  const int threads = options.threads > 0 ? options.threads : AvailableThreads();
  return std::make_unique<CpuBackend>(threads);
}

}  // namespace riesz
