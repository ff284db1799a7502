// Runs a test on one instruction set at a time, so that the paths of lesser processors are proven
// on a better one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hwy/targets.h"

namespace riesz::cpu {

// The instruction sets compiled in that this machine has.
inline std::vector<int64_t> SupportedTargets() {
  std::vector<int64_t> targets;
  for (const int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_SSSE3}) {
    if ((hwy::SupportedTargets() & target) != 0) targets.push_back(target);
  }
  return targets;
}

inline std::string TargetLabel(int64_t target) { return hwy::TargetName(target); }

// Dispatches everything to `target` while it lives.
class OnlyTarget {
 public:
  explicit OnlyTarget(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
  ~OnlyTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  OnlyTarget(const OnlyTarget&) = delete;
  OnlyTarget& operator=(const OnlyTarget&) = delete;
};

}  // namespace riesz::cpu
