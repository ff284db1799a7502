// The contract suite on every backend that runs everywhere and, where the processor has a matrix
// unit, on the cpu backend without it too.
#include "core/backend/cpu/matrix_unit.h"
#include "core/backend/make_backend.h"
#include "tests/contract/contract.h"
#include "tests/contract/contract_backends.h"

namespace riesz::contract {

namespace {

// The cpu backend as processors without a matrix unit run it.
constexpr std::string_view kCpuVectors = "cpu_vectors";

}  // namespace

std::vector<std::string_view> ContractBackends() {
  std::vector<std::string_view> names = BackendNames();
  if (cpu::MatrixUnitAvailable()) names.push_back(kCpuVectors);
  return names;
}

bool KnowsGradientError(DirectionKind) { return true; }

// Every test makes its backend first, and one at a time runs.
std::unique_ptr<Backend> MakeContractBackend(std::string_view name, int threads) {
  cpu::AllowMatrixUnit(name != kCpuVectors);
  return MakeBackend(name == kCpuVectors ? "cpu" : name, {.threads = threads}).value();
}

TEST(MakeBackend, NamesItsChoices) {
  const absl::Status status = MakeBackend("abacus").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (std::string_view name : BackendNames()) {
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos);
  }
}

}  // namespace riesz::contract
