// The contract suite on the cuda backend over a device that is emulated on the host. No GPU takes
// part: it shows that kernels and host code are right, and nothing about a GPU.
#include "core/backend/cuda/cuda_backend.h"
#include "tests/contract/contract_backends.h"
#include "tests/support/emulated_runtime.h"

namespace riesz::contract {

std::vector<std::string_view> ContractBackends() { return {"cuda-emulated"}; }

// core/backend/cuda/sliced_pass.h says why.
bool KnowsGradientError(DirectionKind kind) { return kind != DirectionKind::kLowDiscrepancy; }

std::unique_ptr<Backend> MakeContractBackend(std::string_view name, int threads) {
  return cuda::MakeBackendOn(std::make_unique<emulated::EmulatedRuntime>(
                                 emulated::EmulationOptions{.name = std::string(name)}),
                             {.threads = threads});
}

}  // namespace riesz::contract
