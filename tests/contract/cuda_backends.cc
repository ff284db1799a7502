// The contract suite on the GPU. Without one the suite has no test and says so: "skipped: no CUDA
// device"; with RIESZ_REQUIRE_GPU in the environment that is a failure.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "core/backend/make_backend.h"
#include "tests/contract/contract_backends.h"

namespace riesz::contract {
namespace {

constexpr std::string_view kGpu = "cuda:0";

// Why there is none; empty where there is one.
const std::string& WhyNoGpu() {
  static const std::string why(MakeBackend(kGpu).status().message());
  return why;
}

TEST(Gpu, IsThereIfItMustBe) {
  if (WhyNoGpu().empty()) return;
  if (std::getenv("RIESZ_REQUIRE_GPU") != nullptr) FAIL() << WhyNoGpu();
  std::printf("skipped: no CUDA device (%s)\n", WhyNoGpu().c_str());
  GTEST_SKIP() << "no CUDA device";
}

}  // namespace

std::vector<std::string_view> ContractBackends() {
  if (!WhyNoGpu().empty()) return {};
  return {kGpu};
}

// core/backend/cuda/sliced_pass.h says why.
bool KnowsGradientError(DirectionKind kind) { return kind != DirectionKind::kLowDiscrepancy; }

std::unique_ptr<Backend> MakeContractBackend(std::string_view name, int threads) {
  return MakeBackend(name, {.threads = threads}).value();
}

}  // namespace riesz::contract
