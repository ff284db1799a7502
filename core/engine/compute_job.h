// Computations in the device's queue: operands are made concrete, the rest of the request is
// chosen, memory is reserved, and the operation runs by quanta until it is done or its caller stops
// it.
//
// Thread safety: as Job. The callback is called exactly once: by RunQuantum, or by Refuse where the
// queue did not take the job. By then everything the job held is free.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/engine/device.h"
#include "core/engine/interruption.h"
#include "core/engine/job.h"
#include "core/engine/operand.h"
#include "core/engine/requests.h"

namespace riesz {

class ComputeJob : public Job {
 public:
  struct Setting {
    Device* device = nullptr;
    const Clock* clock = nullptr;
    MetricsSink* metrics = nullptr;  // may be null
    Interruption interruption;
    Operand x, y;
  };
  // `name` as metrics call it.
  ComputeJob(std::string name, Setting setting);

  JobClass job_class() const override { return JobClass::kInteractive; }
  bool RunQuantum(Clock::Time end) override;
  bool Abandoned(Clock::Time) const override { return setting_.interruption.Due(); }
  void Refuse(absl::Status status) { End(std::move(status)); }

 protected:
  Device& device() { return *setting_.device; }
  const ResolvedShape& x() const { return x_shape_; }
  const ResolvedShape& y() const { return y_shape_; }
  const ComputeTimes& times() const { return times_; }

  // Chooses, reserves and makes the operation.
  virtual absl::Status Plan(std::shared_ptr<const DeviceEnsemble> x,
                            std::shared_ptr<const DeviceEnsemble> y) = 0;
  // Null before Plan.
  virtual Operation* operation() = 0;
  // After the operation is done: whether that was all. If not, another operation stands ready.
  virtual absl::StatusOr<bool> Finished() { return true; }
  // Takes the result out of the operation.
  virtual absl::Status Collect() = 0;
  // Drops the operation and its scratch.
  virtual void Free() = 0;
  // Tells the outcome: OK after Collect.
  virtual void Answer(absl::Status status) = 0;

 private:
  absl::Status Begin();
  absl::StatusOr<bool> Work(Clock::Time end);
  void End(absl::Status status);

  const std::string name_;
  Setting setting_;
  const Clock::Time submitted_;
  bool begun_ = false;
  ResolvedShape x_shape_, y_shape_;
  ComputeTimes times_;
};

class EnergyDistanceJob : public ComputeJob {
 public:
  EnergyDistanceJob(Setting setting, EnergyDistanceRequest request,
                    Callback<EnergyDistanceReply> done)
      : ComputeJob("energy_distance", std::move(setting)),
        request_(std::move(request)),
        done_(std::move(done)) {}

 protected:
  absl::Status Plan(std::shared_ptr<const DeviceEnsemble> x,
                    std::shared_ptr<const DeviceEnsemble> y) override;
  Operation* operation() override { return operation_.get(); }
  absl::StatusOr<bool> Finished() override;
  absl::Status Collect() override;
  void Free() override;
  void Answer(absl::Status status) override;

 private:
  // Reserves for and makes the operation of `spec`, in place of the one before.
  absl::Status Prepare(const EnergyDistanceSpec& spec);
  // What the next round computes, if the target asks for one.
  std::optional<EnergyDistanceSpec> NextRound();

  const EnergyDistanceRequest request_;
  Callback<EnergyDistanceReply> done_;
  EnergyDistanceReply reply_;
  std::shared_ptr<const DeviceEnsemble> x_particles_, y_particles_;
  Reservation scratch_;
  std::unique_ptr<EnergyDistanceOperation> operation_;
};

class GradientJob : public ComputeJob {
 public:
  GradientJob(Setting setting, GradientRequest request, Callback<GradientReply> done)
      : ComputeJob("gradient", std::move(setting)),
        request_(std::move(request)),
        done_(std::move(done)) {}

 protected:
  absl::Status Plan(std::shared_ptr<const DeviceEnsemble> x,
                    std::shared_ptr<const DeviceEnsemble> y) override;
  Operation* operation() override { return operation_.get(); }
  absl::Status Collect() override;
  void Free() override;
  void Answer(absl::Status status) override;

 private:
  const GradientRequest request_;
  Callback<GradientReply> done_;
  GradientReply reply_;
  Reservation scratch_;  // the result's part outlives the operation
  std::unique_ptr<GradientOperation> operation_;
};

}  // namespace riesz
