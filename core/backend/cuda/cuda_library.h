// What libriesz_cuda.so and whoever loads it agree on.
//
// Why a library that is opened at run time, and not two builds: one release serves machines with
// and without a GPU. A binary that is linked with CUDA does not start where libcublas is missing,
// and CUDA's libraries weigh 600 MB that nobody without a GPU should carry. The library is opened
// only when a GPU is asked for, and a failure is an error text, or the way to the cpu.
//
// C++ objects cross the border, so both sides must come from one compiler and one backend.h: the
// factory compares kCudaLibraryBuild first, whose number grows with every change of backend.h.
#pragma once

#include "absl/status/status.h"
#include "core/backend/backend.h"
#include "core/backend/matrix_precision.h"

namespace riesz {

inline constexpr char kCudaLibraryName[] = "libriesz_cuda.so";
inline constexpr char kCudaLibraryBuild[] = "riesz backend 2, compiler " __VERSION__;

struct CudaLibraryRequest {
  const char* build = kCudaLibraryBuild;  // first and a C string: read before anything is believed
  int gpu = 0;
  int threads = 1;
  MatrixPrecision precision = MatrixPrecision::kFp32;
};

inline constexpr char kCudaFactoryName[] = "riesz_make_cuda_backend";
// A new Backend that the caller owns; or null and *error: NOT_FOUND where there is no such GPU,
// FAILED_PRECONDITION when the library is of another build.
using CudaFactory = Backend* (*)(const CudaLibraryRequest* request, absl::Status* error);

}  // namespace riesz
