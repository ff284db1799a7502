// The reference backend's calculations as operations that can be paused.
//
// A chunk is one particle against all others (exact) or one slice (sliced): the smallest pieces
// with a name, not pieces of equal time.
//
// Thread safety: an operation belongs to one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/reference/sliced_pass.h"

namespace riesz::reference {

class HostEnsemble final : public DeviceEnsemble {
 public:
  explicit HostEnsemble(Matrix particles) : particles_(std::move(particles)) {}
  int64_t count() const override { return particles_.rows(); }
  int64_t dim() const override { return particles_.cols(); }
  std::span<const std::byte> host_bytes() const override {
    return std::as_bytes(std::span(particles_.data(), static_cast<size_t>(particles_.size())));
  }
  MatrixView view() const { return particles_.view(); }

 private:
  Matrix particles_;
};

using Particles = std::shared_ptr<const HostEnsemble>;

// Runs chunk(done), ..., chunk(planned - 1) within the budget, counting in `done`.
RunResult RunChunks(int64_t& done, int64_t planned, Budget& budget, const std::stop_token& stop,
                    const std::function<void(int64_t)>& chunk);

class ExactEnergyDistance final : public EnergyDistanceOperation {
 public:
  ExactEnergyDistance(Particles x, Particles y, const EnergyDistanceSpec& spec);
  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return done_; }
  int64_t chunks_planned() const override { return x_->count() + y_->count(); }
  const EnergyDistance& result() const override { return result_; }

 private:
  const Particles x_, y_;
  const EnergyDistanceSpec spec_;
  int64_t done_ = 0;
  double between_ = 0, within_x_ = 0, within_y_ = 0;  // sums of |.|^r over all ordered pairs
  EnergyDistance result_;
};

class SlicedEnergyDistance final : public EnergyDistanceOperation {
 public:
  SlicedEnergyDistance(Particles x, Particles y, const EnergyDistanceSpec& spec);
  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return done_; }
  int64_t chunks_planned() const override { return pass_.slices(); }
  const EnergyDistance& result() const override { return result_; }

 private:
  const Particles x_, y_;
  const EnergyDistanceSpec spec_;
  SlicedPass pass_;
  int64_t done_ = 0;
  EnergyDistance result_;
};

class ExactGradient final : public GradientOperation {
 public:
  ExactGradient(Particles x, Particles y, const GradientSpec& spec);
  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return done_; }
  int64_t chunks_planned() const override { return x_->count(); }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  void RunParticle(int64_t i);

  const Particles x_, y_;
  const GradientSpec spec_;
  int64_t done_ = 0;
  std::vector<double> velocity_;  // (d) n g_i of the current particle
  double square_sum_ = 0;
  Matrix rows_;
  std::shared_ptr<const DeviceEnsemble> gradient_;
  GradientSummary summary_;
};

class SlicedGradient final : public GradientOperation {
 public:
  SlicedGradient(Particles x, Particles y, const GradientSpec& spec);
  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return done_; }
  int64_t chunks_planned() const override { return pass_.slices(); }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  const Particles x_, y_;
  const GradientSpec spec_;
  SlicedPass pass_;
  int64_t done_ = 0;
  Matrix rows_;
  std::shared_ptr<const DeviceEnsemble> gradient_;
  GradientSummary summary_;
};

}  // namespace riesz::reference
