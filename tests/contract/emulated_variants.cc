// The laws again on the emulated cuda backend, where it takes its other ways:
//
//   cuda-emulated-small    shared memory for 128 particles: others by the segmented sort
//   cuda-emulated-3xtf32   products of split factors, whose rounding the bounds of fp32 cover
#include "core/backend/cuda/cuda_backend.h"
#include "tests/contract/contract_backends.h"
#include "tests/support/emulated_runtime.h"

namespace riesz::contract {
namespace {

constexpr std::string_view kSmall = "cuda-emulated-small";
constexpr std::string_view kSplit = "cuda-emulated-3xtf32";

}  // namespace

std::vector<std::string_view> ContractBackends() { return {kSmall, kSplit}; }

// core/backend/cuda/sliced_pass.h says why.
bool KnowsGradientError(DirectionKind kind) { return kind != DirectionKind::kLowDiscrepancy; }

std::unique_ptr<Backend> MakeContractBackend(std::string_view name, int threads) {
  emulated::EmulationOptions options{.name = std::string(name)};
  cuda::CudaOptions cuda{.threads = threads};
  if (name == kSmall) options.shared_bytes_per_block = 9 << 10;  // what exact tiles take, too
  if (name == kSplit) cuda.precision = MatrixPrecision::kTf32x3;
  return cuda::MakeBackendOn(std::make_unique<emulated::EmulatedRuntime>(options), cuda);
}

}  // namespace riesz::contract
