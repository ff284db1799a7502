#include "core/backend/cuda/cuda_backend.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backend/cuda/cuda_ensemble.h"
#include "core/backend/cuda/exact_operations.h"
#include "core/backend/cuda/flow_stepper.h"
#include "core/backend/cuda/sliced_operations.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz::cuda {
namespace {

// The objects and plans of an operation, in host memory.
constexpr int64_t kObjectBytes = 64 << 10;
// One core makes orthonormal rows at this rate, in double (core/directions).
constexpr double kHostFlops = 2e10;

// What `make` returns; no exception leaves this backend. (Device memory throws nothing.)
template <class Make>
auto OrExhausted(const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the host has no memory for it");
  } catch (const std::length_error&) {
    return absl::ResourceExhaustedError("no host memory could hold it");
  }
}

// Slices of other exponents run on the cpu backend only.
absl::Status CheckSlicedExponent(double exponent) {
  if (exponent == 1) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("the cuda backend slices with exponent 1 only, got ", exponent));
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::unique_ptr<DeviceRuntime> runtime, const CudaOptions& options)
      : options_(options), device_(std::move(runtime)) {}

  BackendReport Report() const override {
    const DeviceFacts& facts = device_.facts();
    return {
        .name = facts.name,
        .description = facts.description,
        .threads = 0,
        .memory_bytes = facts.memory_bytes,
        .determinism_fingerprint = absl::StrCat("cuda/1 ", facts.description, " ", facts.libraries,
                                                " matrix=", NameOf(options_.precision).data())};
  }

  absl::StatusOr<std::unique_ptr<EnsembleBuffer>> NewEnsemble(int64_t count, int64_t dim) override {
    RIESZ_RETURN_IF_ERROR(ValidateShape(count, dim, "ensemble"));
    RIESZ_ASSIGN_OR_RETURN(auto particles,
                           DeviceArray<float>::Make(device_, count * dim, "an ensemble"));
    return std::make_unique<CudaEnsembleBuffer>(device_, std::move(particles), count, dim);
  }

  absl::Status Download(const DeviceEnsemble& ensemble, int64_t first_row,
                        std::span<float> out) override {
    const auto size = static_cast<int64_t>(out.size());
    const int64_t dim = ensemble.dim();
    if (size % dim != 0 || first_row < 0 || first_row > ensemble.count() ||
        size / dim > ensemble.count() - first_row) {
      return absl::OutOfRangeError(absl::StrCat("rows from ", first_row, " in ", size,
                                                " floats lie outside an ensemble of ",
                                                ensemble.count(), " x ", dim));
    }
    if (size == 0) return absl::OkStatus();
    return device_.CopyToHost(out.data(), OnDevice(ensemble).data() + first_row * dim, size * 4);
  }

  absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> NewEnergyDistance(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const EnergyDistanceSpec& spec) override {
    RIESZ_RETURN_IF_ERROR(Validate(spec, x->count(), y->count(), x->dim(), y->dim()));
    if (spec.method == Method::kSliced) RIESZ_RETURN_IF_ERROR(CheckSlicedExponent(spec.exponent));
    return OrExhausted([&] {
      return spec.method == Method::kExact
                 ? ExactEnergyDistance::Make(device_, x, y, spec)
                 : SlicedEnergyDistance::Make(device_, x, y, spec, Pass());
    });
  }

  absl::StatusOr<std::unique_ptr<GradientOperation>> NewGradient(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const GradientSpec& spec) override {
    RIESZ_RETURN_IF_ERROR(Validate(spec, x->count(), y->count(), x->dim(), y->dim()));
    if (spec.method == Method::kSliced) RIESZ_RETURN_IF_ERROR(CheckSlicedExponent(spec.exponent));
    return OrExhausted([&] {
      return spec.method == Method::kExact ? ExactGradient::Make(device_, x, y, spec)
                                           : SlicedGradient::Make(device_, x, y, spec, Pass());
    });
  }

  absl::StatusOr<std::unique_ptr<FlowStepper>> NewFlowStepper(
      std::shared_ptr<const DeviceEnsemble> start, std::shared_ptr<const DeviceEnsemble> target,
      const FlowSpec& spec) override {
    RIESZ_RETURN_IF_ERROR(
        Validate(spec, start->count(), target->count(), start->dim(), target->dim()));
    RIESZ_RETURN_IF_ERROR(CheckSlicedExponent(spec.exponent));
    return OrExhausted(
        [&] { return CudaFlowStepper::Make(device_, *start, target, spec, Pass()); });
  }

  WorkEstimate Estimate(const ProblemShape& shape, const EnergyDistanceSpec& spec) const override {
    if (spec.method == Method::kExact) {
      return Estimated(ExactEnergyDistance::Bytes(facts(), shape),
                       ExactPass::Seconds(facts().speed, shape, false));
    }
    return Estimated(SlicedEnergyDistance::Bytes(facts(), shape, spec, Pass()),
                     SlicedSeconds(shape, spec.directions, false));
  }
  WorkEstimate Estimate(const ProblemShape& shape, const GradientSpec& spec) const override {
    if (spec.method == Method::kExact) {
      return Estimated(ExactGradient::Bytes(facts(), shape),
                       ExactPass::Seconds(facts().speed, shape, true));
    }
    return Estimated(SlicedGradient::Bytes(facts(), shape, spec, Pass()),
                     SlicedSeconds(shape, spec.directions, true));
  }
  WorkEstimate Estimate(const ProblemShape& shape, const FlowSpec& spec) const override {
    return Estimated(CudaFlowStepper::Bytes(facts(), shape, spec, Pass()),
                     SlicedSeconds(shape, spec.directions, true));
  }

 private:
  const DeviceFacts& facts() const { return device_.facts(); }
  PassOptions Pass() const {
    return {.precision = options_.precision, .threads = options_.threads};
  }

  double SlicedSeconds(const ProblemShape& shape, const DirectionSpec& spec, bool ranks) const {
    const DeviceSpeed& speed = facts().speed;
    const auto slices = static_cast<double>(SliceCount(spec, shape.d));
    const double products =
        ProjectSeconds(speed, shape) + (ranks ? ProjectBackSeconds(speed, shape) : 0);
    const double device =
        slices * (products * (options_.precision == MatrixPrecision::kTf32x3 ? 3 : 1) +
                  SortSeconds(speed, shape)) +
        3 * CopySeconds(speed, (shape.n + shape.m) * shape.d);
    if (spec.kind == DirectionKind::kIid || shape.d == 1) return device;
    const auto rows = static_cast<double>(MaxBlockRows(spec, shape.d));
    const double host = 3 * slices * rows * static_cast<double>(shape.d) / kHostFlops;
    return std::max(device, host);  // directions are made while the device works
  }

  static WorkEstimate Estimated(int64_t bytes, double seconds) {
    return {.scratch_bytes = bytes + kObjectBytes,
            .seconds = seconds,
            .chunks = 1 + static_cast<int64_t>(std::ceil(seconds / kChunkSeconds))};
  }

  const CudaOptions options_;
  Device device_;
};

}  // namespace

std::unique_ptr<Backend> MakeBackendOn(std::unique_ptr<DeviceRuntime> runtime,
                                       const CudaOptions& options) {
  return std::make_unique<CudaBackend>(std::move(runtime), options);
}

}  // namespace riesz::cuda
