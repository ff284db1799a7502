// Launches a kernel on a device's compute queue: Launch(device, kernel, shape, arguments...).
//
// Included by kernel files alone, which are compiled by nvcc for a GPU, and by the host's compiler
// for the emulation in tests.
#pragma once

#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/kernel_language.h"

namespace riesz::cuda {

// Arguments convert to the kernel's parameters here, since a launch takes their addresses.
template <class... Parameters, class... Arguments>
absl::Status Launch(Device& device, void (*kernel)(Parameters...), const LaunchShape& shape,
                    Arguments... arguments) {
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  return std::apply(
      [&](Parameters&... value) {
        void* pointers[] = {const_cast<void*>(static_cast<const void*>(&value))...};
        KernelCall call;
        call.kernel = reinterpret_cast<const void*>(kernel);
        call.shape = shape;
        call.arguments = pointers;
#ifndef __CUDACC__
        call.emulated_thread = [kernel, values] { std::apply(kernel, values); };
#endif
        return device.Launch(call);
      },
      values);
}

}  // namespace riesz::cuda
