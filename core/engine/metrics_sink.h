// Where the engine reports what it did; the server exports it. The engine knows no metrics library.
//
// Thread safety: implementations are thread-safe and never block.
#pragma once

#include <cstdint>
#include <string_view>

namespace riesz {

class MetricsSink {
 public:
  virtual ~MetricsSink() = default;
  // A computation left the device: "energy_distance", "gradient", "flow_step", "snapshot"; outcome
  // "ok" or a status code's name in lower case.
  virtual void Computed(std::string_view operation, std::string_view device,
                        std::string_view outcome, double queue_seconds, double compute_seconds) = 0;
  virtual void FlowSteps(std::string_view device, int64_t steps) = 0;
  virtual void Transferred(std::string_view direction, int64_t bytes) = 0;  // "upload", "download"
  virtual void LedgerChanged(std::string_view device, int64_t used_bytes, int64_t limit_bytes) = 0;
  virtual void DeviceUp(std::string_view device, bool up) = 0;  // false: lost
  virtual void QueueChanged(std::string_view device, int64_t jobs) = 0;
  virtual void Resources(std::string_view kind,
                         int64_t count) = 0;  // "ensembles", "flows", "uploads"
};

}  // namespace riesz
