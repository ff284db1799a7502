#include "core/backend/cuda/cuda_status.h"

#include "absl/strings/str_cat.h"

namespace riesz::cuda {

absl::Status StatusOf(cudaError_t error, const char* call) {
  switch (error) {
    case cudaSuccess:
      return absl::OkStatus();
    case cudaErrorMemoryAllocation:
      return absl::ResourceExhaustedError("");
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorLaunchOutOfResources:
      return absl::InternalError(absl::StrCat(call, ": ", cudaGetErrorString(error)));
    default:
      return absl::UnavailableError(absl::StrCat(call, ": ", cudaGetErrorString(error)));
  }
}

absl::Status StatusOf(cublasStatus_t status, const char* call) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return absl::OkStatus();
    case CUBLAS_STATUS_INVALID_VALUE:
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return absl::InternalError(absl::StrCat(call, ": ", cublasGetStatusString(status)));
    default:
      return absl::UnavailableError(absl::StrCat(call, ": ", cublasGetStatusString(status)));
  }
}

}  // namespace riesz::cuda
