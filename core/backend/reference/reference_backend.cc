#include "core/backend/reference/reference_backend.h"

#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

#include "core/available_threads.h"
#include "core/backend/reference/flow_stepper.h"
#include "core/backend/reference/operations.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace reference {
namespace {

class HostBuffer final : public EnsembleBuffer {
 public:
  explicit HostBuffer(Matrix particles) : particles_(std::move(particles)) {}

  absl::StatusOr<std::span<std::byte>> Map(int64_t offset, int64_t size) override {
    if (mapped_) return absl::FailedPreconditionError("the mapped range must be committed first");
    const std::span<std::byte> all = std::as_writable_bytes(
        std::span(particles_.data(), static_cast<size_t>(particles_.size())));
    const auto bytes = static_cast<int64_t>(all.size());
    if (offset < 0 || size < 0 || offset > bytes || size > bytes - offset) {
      return absl::OutOfRangeError("the range lies outside the ensemble");
    }
    mapped_ = true;
    return all.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }
  absl::Status Commit() override {
    if (!mapped_) return absl::FailedPreconditionError("no range is mapped");
    mapped_ = false;
    return absl::OkStatus();
  }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Seal() override {
    if (mapped_) return absl::FailedPreconditionError("the mapped range must be committed first");
    return std::make_shared<HostEnsemble>(std::exchange(particles_, Matrix()));
  }

 private:
  Matrix particles_;
  bool mapped_ = false;
};

Particles OwnParticles(const std::shared_ptr<const DeviceEnsemble>& ensemble) {
  return std::static_pointer_cast<const HostEnsemble>(ensemble);
}

// Made by `make` unless memory runs out: no exception leaves this backend.
template <class T, class Make>
absl::StatusOr<std::unique_ptr<T>> OrExhausted(const Make& make) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the host has no memory for it");
  } catch (const std::length_error&) {
    return absl::ResourceExhaustedError("no memory could hold it");
  }
}

// Rough costs on one core, measured: one coordinate of a pair, and one point of a sort.
constexpr double kSecondsPerCoordinate = 1e-9;
constexpr double kSecondsPerSortedPoint = 1.5e-7;

double PairSeconds(double pairs, int64_t dim) {
  return pairs * (kSecondsPerCoordinate * static_cast<double>(dim) + 2e-8);
}

double SliceSeconds(const ProblemShape& shape, double exponent, const DirectionSpec& spec) {
  const auto points = static_cast<double>(shape.n + shape.m);
  if (exponent != 1) {
    return static_cast<double>(SliceCount(spec, shape.d)) * PairSeconds(points * points, 1);
  }
  return static_cast<double>(SliceCount(spec, shape.d)) * points *
         (kSecondsPerCoordinate * static_cast<double>(shape.d) + kSecondsPerSortedPoint);
}

class ReferenceBackend final : public Backend {
 public:
  BackendReport Report() const override {
    return {.name = "reference",
            .description = "plain loops in double precision on one processor",
            .threads = 1,
            .memory_bytes = AvailableMemory(),
            .determinism_fingerprint = "reference"};
  }

  absl::StatusOr<std::unique_ptr<EnsembleBuffer>> NewEnsemble(int64_t count, int64_t dim) override {
    RIESZ_RETURN_IF_ERROR(ValidateShape(count, dim, "ensemble"));
    return OrExhausted<EnsembleBuffer>(
        [&] { return std::make_unique<HostBuffer>(Matrix::Uninitialized(count, dim)); });
  }

  absl::Status Download(const DeviceEnsemble& ensemble, int64_t first_row,
                        std::span<float> out) override {
    const MatrixView rows = static_cast<const HostEnsemble&>(ensemble).view();
    const auto size = static_cast<int64_t>(out.size());
    if (first_row < 0 || first_row > rows.rows || size % rows.cols != 0 ||
        size / rows.cols > rows.rows - first_row) {
      return absl::OutOfRangeError("rows outside the ensemble");
    }
    if (size > 0) std::memcpy(out.data(), rows.data + first_row * rows.cols, out.size_bytes());
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> NewEnergyDistance(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const EnergyDistanceSpec& spec) override {
    RIESZ_RETURN_IF_ERROR(Validate(spec, x->count(), y->count(), x->dim(), y->dim()));
    return OrExhausted<EnergyDistanceOperation>([&]() -> std::unique_ptr<EnergyDistanceOperation> {
      if (spec.method == Method::kExact) {
        return std::make_unique<ExactEnergyDistance>(OwnParticles(x), OwnParticles(y), spec);
      }
      return std::make_unique<SlicedEnergyDistance>(OwnParticles(x), OwnParticles(y), spec);
    });
  }

  absl::StatusOr<std::unique_ptr<GradientOperation>> NewGradient(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const GradientSpec& spec) override {
    RIESZ_RETURN_IF_ERROR(Validate(spec, x->count(), y->count(), x->dim(), y->dim()));
    return OrExhausted<GradientOperation>([&]() -> std::unique_ptr<GradientOperation> {
      if (spec.method == Method::kExact) {
        return std::make_unique<ExactGradient>(OwnParticles(x), OwnParticles(y), spec);
      }
      return std::make_unique<SlicedGradient>(OwnParticles(x), OwnParticles(y), spec);
    });
  }

  absl::StatusOr<std::unique_ptr<FlowStepper>> NewFlowStepper(
      std::shared_ptr<const DeviceEnsemble> start, std::shared_ptr<const DeviceEnsemble> target,
      const FlowSpec& spec) override {
    RIESZ_RETURN_IF_ERROR(
        Validate(spec, start->count(), target->count(), start->dim(), target->dim()));
    return OrExhausted<FlowStepper>([&] {
      return std::make_unique<ReferenceFlowStepper>(OwnParticles(start), OwnParticles(target),
                                                    spec);
    });
  }

  WorkEstimate Estimate(const ProblemShape& shape, const EnergyDistanceSpec& spec) const override {
    if (spec.method == Method::kSliced) {
      return {.scratch_bytes =
                  SlicedPass::Bytes(shape, spec.directions, {.values = true}) + kObjectBytes,
              .seconds = SliceSeconds(shape, spec.exponent, spec.directions),
              .chunks = SliceCount(spec.directions, shape.d)};
    }
    const auto n = static_cast<double>(shape.n), m = static_cast<double>(shape.m);
    return {.scratch_bytes = kObjectBytes,
            .seconds = PairSeconds(n * n + n * m + m * m, shape.d),
            .chunks = shape.n + shape.m};
  }

  WorkEstimate Estimate(const ProblemShape& shape, const GradientSpec& spec) const override {
    const int64_t result_bytes = 4 * shape.n * shape.d;
    if (spec.method == Method::kSliced) {
      return {.scratch_bytes = SlicedPass::Bytes(shape, spec.directions, {.gradient = true}) +
                               result_bytes + kObjectBytes,
              .seconds = SliceSeconds(shape, spec.exponent, spec.directions),
              .chunks = SliceCount(spec.directions, shape.d)};
    }
    const auto n = static_cast<double>(shape.n), m = static_cast<double>(shape.m);
    return {.scratch_bytes = result_bytes + 8 * shape.d + kObjectBytes,
            .seconds = 2 * PairSeconds(n * n + n * m, shape.d),
            .chunks = shape.n};
  }

  WorkEstimate Estimate(const ProblemShape& shape, const FlowSpec& spec) const override {
    return {.scratch_bytes = ReferenceFlowStepper::Bytes(shape, spec) + kObjectBytes,
            .seconds = SliceSeconds(shape, spec.exponent, spec.directions),
            .chunks = SliceCount(spec.directions, shape.d)};
  }

 private:
  // The operation itself, and what an allocator adds to a handful of arrays.
  static constexpr int64_t kObjectBytes = 8192;
};

}  // namespace
}  // namespace reference

std::unique_ptr<Backend> MakeReferenceBackend() {
  return std::make_unique<reference::ReferenceBackend>();
}

}  // namespace riesz
