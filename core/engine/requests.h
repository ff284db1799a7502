// What callers ask of the engine and what it tells them: values without behaviour.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/clock.h"
#include "core/discrepancy_spec.h"
#include "core/engine/error_target.h"
#include "core/flow_spec.h"

namespace riesz {

using WallTime = std::chrono::system_clock::time_point;

// Called exactly once, on an engine thread or before the call returns. It must not block.
template <typename T>
using Callback = std::function<void(absl::StatusOr<T>)>;

// Who calls, and until when. Cancel and deadline take effect inside every long operation.
struct CallContext {
  std::string tenant = "default";
  std::stop_token stop;                 // fires when the client goes away
  std::optional<Clock::Time> deadline;  // on the engine's clock
};

struct SampleShape {
  int32_t channels = 0, height = 0, width = 0;
  bool empty() const { return channels == 0; }
};

struct ValueScaling {
  double scale = 1, offset = 0;
};

// What the user says about an ensemble beside its content.
struct EnsembleTraits {
  std::string id;
  std::optional<SampleShape> sample_shape;
  std::optional<ValueScaling> value_scaling;
  std::map<std::string, std::string> metadata;
  std::optional<WallTime> expire_time;
};

struct EnsembleInfo {
  EnsembleTraits traits;
  int64_t count = 0;
  int64_t dim = 0;
  bool has_weights = false;
  bool has_labels = false;
  bool non_finite = false;  // holds NaN or infinities; computations refuse it
  int64_t size_bytes = 0;
  uint32_t crc32c = 0;
  std::string source;
  std::string device;
  WallTime create_time, update_time;
};

// --- operands
// -------------------------------------------------------------------------------------

struct EnsembleRef {
  std::string id;
};
struct FlowRef {
  std::string id;
  std::optional<int64_t> step;
};
struct InlineTensor {
  int64_t rows = 0, columns = 0;
  std::string bytes;  // rows * columns little-endian float32
};
using ParticlesRef = std::variant<EnsembleRef, FlowRef, InlineTensor>;

// An operand made concrete. Holding it keeps the particles alive even if the ensemble is deleted.
struct ResolvedParticles {
  std::shared_ptr<const DeviceEnsemble> particles;
  int64_t count = 0, dim = 0;
  std::optional<int64_t> flow_step;
  std::optional<SampleShape> sample_shape;
  std::shared_ptr<const std::vector<float>> weights;   // null without weights
  std::shared_ptr<const std::vector<int32_t>> labels;  // null without labels
  bool non_finite = false;
};

struct ResolvedShape {
  int64_t count = 0, dim = 0;
  std::optional<int64_t> flow_step;
};

// --- creating ensembles
// ---------------------------------------------------------------------------

struct GeneratorSource {
  enum class Distribution { kNormal, kUniform };
  Distribution distribution = Distribution::kNormal;
  int64_t count = 0, dim = 0;
  std::optional<uint64_t> seed;
  double mean = 0, scale = 1;
};
struct DataSetSource {
  std::string name, split = "train";
  int64_t count = 0;  // 0: all
  std::optional<uint64_t> seed;
  int64_t offset = 0;
  std::vector<int32_t> labels;
};
using EnsembleSource = std::variant<GeneratorSource, DataSetSource, ParticlesRef>;

struct UploadRequest {
  EnsembleTraits traits;
  int64_t count = 0, dim = 0;
  bool has_weights = false, has_labels = false, allow_non_finite = false;
};
struct UploadInfo {
  std::string id, ensemble_id;
  int64_t total_bytes = 0, committed_bytes = 0;
  uint32_t committed_crc32c = 0;
  WallTime expire_time;
};

// --- computing
// ------------------------------------------------------------------------------------

enum class MethodChoice { kAuto, kExact, kSliced };

// A DirectionSpec with parts left to the server.
struct DirectionRequest {
  std::optional<DirectionKind> kind;
  int64_t count = 0;  // 0: the default
  std::optional<uint64_t> seed;
};

struct EnergyDistanceRequest {
  ParticlesRef x, y;
  MethodChoice method = MethodChoice::kAuto;
  Estimator estimator = Estimator::kV;
  double exponent = 1;
  DirectionRequest directions;
  // Slices are added until it is met; directions.count must be 0 then.
  std::optional<ErrorTarget> error_target;
};
struct ComputeTimes {
  double queue_seconds = 0, compute_seconds = 0;
  std::string device;
};
struct EnergyDistanceReply {
  EnergyDistance value;
  EnergyDistanceSpec spec;  // as chosen; all rounds' slices
  std::optional<bool> target_met;
  ResolvedShape x, y;
  ComputeTimes times;
};

struct GradientRequest {
  ParticlesRef x, y;
  MethodChoice method = MethodChoice::kAuto;
  double exponent = 1;
  DirectionRequest directions;
  std::optional<EnsembleTraits> keep_as;
};
struct GradientReply {
  std::shared_ptr<const DeviceEnsemble> gradient;
  GradientSummary summary;
  GradientSpec spec;
  ResolvedShape x, y;
  ComputeTimes times;
  std::optional<EnsembleInfo> kept;
};

// --- flows
// ----------------------------------------------------------------------------------------

// The life of a flow; core/engine/flow_lifecycle.h has the transitions.
enum class FlowPhase { kReady, kQueued, kRunning, kFailed };

struct FlowParametersRequest {
  double step_size = 1, momentum = 0, exponent = 1;
  DirectionRequest directions;
  std::vector<CoordinateRange> frozen;
  int64_t measure_every = 10;
};
struct NewFlowRequest {
  std::string id;
  ParticlesRef start;
  std::string target;
  FlowParametersRequest parameters;
};
struct ForkFlowRequest {
  std::string source_id, id;
  std::optional<FlowParametersRequest> parameters;
};
struct FlowInfo {
  std::string id;
  FlowPhase phase = FlowPhase::kReady;
  int64_t step = 0, target_step = 0;
  FlowSpec spec;
  int64_t measure_every = 10;
  std::string start, target;
  int64_t count = 0, dim = 0;
  std::optional<StepMeasurement> measurement;
  double steps_per_second = 0;
  int64_t size_bytes = 0;
  std::string error;
  std::string device;
  std::string determinism_fingerprint;
  WallTime create_time, update_time;
  std::optional<SampleShape> sample_shape;
  uint64_t version = 0;  // grows with every change
};

// A page ends where its items would take more in a message: gRPC clients refuse messages beyond 4
// MiB unless told otherwise. It always has one item where there is one.
inline constexpr int64_t kMaxPageBytes = int64_t{1} << 20;

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  // empty at the end
};
struct PageRequest {
  int64_t size = 0;  // 0: 50; at most 1000
  std::string token;
};

struct DeviceInfo {
  BackendReport report;
  int64_t memory_limit_bytes = 0, memory_used_bytes = 0, queue_depth = 0;
  bool lost = false;
};

}  // namespace riesz
