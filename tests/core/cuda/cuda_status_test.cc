#include "core/backend/cuda/cuda_status.h"

#include <gtest/gtest.h>

namespace riesz::cuda {
namespace {

TEST(CudaStatus, MemoryThatRanOutFailsTheRequest) {
  EXPECT_EQ(StatusOf(cudaErrorMemoryAllocation, "x").code(), absl::StatusCode::kResourceExhausted);
}

TEST(CudaStatus, NonsenseOfOursIsInternalAndTheDeviceGoesOn) {
  for (const cudaError_t error :
       {cudaErrorInvalidValue, cudaErrorInvalidConfiguration, cudaErrorLaunchOutOfResources}) {
    EXPECT_EQ(StatusOf(error, "x").code(), absl::StatusCode::kInternal) << error;
  }
  EXPECT_EQ(StatusOf(CUBLAS_STATUS_INVALID_VALUE, "x").code(), absl::StatusCode::kInternal);
}

TEST(CudaStatus, WhatAContextDoesNotSurviveLosesTheDevice) {
  for (const cudaError_t error :
       {cudaErrorIllegalAddress, cudaErrorLaunchFailure, cudaErrorECCUncorrectable,
        cudaErrorHardwareStackError, cudaErrorDevicesUnavailable, cudaErrorUnknown}) {
    EXPECT_EQ(StatusOf(error, "x").code(), absl::StatusCode::kUnavailable) << error;
  }
  EXPECT_EQ(StatusOf(CUBLAS_STATUS_EXECUTION_FAILED, "x").code(), absl::StatusCode::kUnavailable);
}

TEST(CudaStatus, TheTextNamesTheCallAndCudasReason) {
  EXPECT_EQ(StatusOf(cudaErrorIllegalAddress, "a kernel").message(),
            "a kernel: an illegal memory access was encountered");
  EXPECT_TRUE(StatusOf(cudaSuccess, "x").ok());
  EXPECT_TRUE(StatusOf(CUBLAS_STATUS_SUCCESS, "x").ok());
}

}  // namespace
}  // namespace riesz::cuda
