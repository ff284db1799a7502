#include "core/backend/cpu/processor.h"

#include <fstream>

#include "hwy/targets.h"

namespace riesz::cpu {

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::string InstructionSet() {
  const int64_t supported = hwy::SupportedTargets();
  for (const int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_SSSE3}) {
    if ((supported & target) != 0) return hwy::TargetName(target);
  }
  return "baseline";
}

}  // namespace riesz::cpu
