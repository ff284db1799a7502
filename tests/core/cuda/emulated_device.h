// An emulated device and arrays on it, for tests of single kernels.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "core/backend/cuda/device.h"
#include "tests/support/emulated_runtime.h"

namespace riesz::cuda {

class EmulatedDevice : public testing::TestWithParam<emulated::ThreadOrder> {
 protected:
  explicit EmulatedDevice(emulated::EmulationOptions options = {})
      : device_(std::make_unique<emulated::EmulatedRuntime>(options)) {}

  template <class T>
  DeviceArray<T> OnDevice(const std::vector<T>& values) {
    auto array =
        DeviceArray<T>::Make(device_, static_cast<int64_t>(values.size()), "a test").value();
    EXPECT_TRUE(device_.CopyToDevice(array.data(), values.data(), array.bytes()).ok());
    return array;
  }
  template <class T>
  DeviceArray<T> Garbage(int64_t size) {
    return DeviceArray<T>::Make(device_, size, "a test").value();
  }
  template <class T>
  std::vector<T> OnHost(const DeviceArray<T>& array) {
    EXPECT_TRUE(device_.Synchronize().ok());
    std::vector<T> values(static_cast<size_t>(array.size()));
    EXPECT_TRUE(device_.CopyToHost(values.data(), array.data(), array.bytes()).ok());
    return values;
  }

  Device device_;
};

}  // namespace riesz::cuda
