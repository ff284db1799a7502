// What this process computes on.
#pragma once

#include <string>

namespace riesz::cpu {

// The processor's model name as the kernel reports it; "unknown processor" where it does not.
std::string ProcessorName();
// The instruction set that the kernels were dispatched to: "AVX3" (AVX-512), "AVX2", "SSE4", ...
std::string InstructionSet();

}  // namespace riesz::cpu
