#include "core/backend/cuda/cuda_runtime.h"

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backend/cuda/blas_call.h"
#include "core/backend/cuda/cuda_status.h"
#include "core/backend/cuda/segment_sort.h"
#include "core/status_macros.h"

namespace riesz::cuda {
namespace {

constexpr int kOldestMajor = 8;  // sm_80: what the library is compiled for at least
// Kernels may have this much without asking.
constexpr int64_t kPlainSharedBytes = 48 << 10;
// What NVIDIA recommends for Hopper; given to cuBLAS up front, so that a step allocates nothing and
// results do not depend on what it would have got.
constexpr size_t kBlasWorkspaceBytes = size_t{32} << 20;

// Rates are a share of what the data sheet promises, since none was measured: half of the
// multiply-adds, 60 % of the bandwidth, and 3e7 keys a second and multiprocessor.
DeviceSpeed SpeedOf(const cudaDeviceProp& p, int clock_khz, int memory_clock_khz) {
  const double processors = p.multiProcessorCount;
  const double multiply_adds = p.major == 8 && p.minor == 0 ? 64 : 128;
  return {.flops = 0.5 * processors * multiply_adds * 2 * clock_khz * 1e3,
          .bytes = 0.6 * 2 * memory_clock_khz * 1e3 * p.memoryBusWidth / 8,
          .sorted_keys = 3e7 * processors};
}

absl::StatusOr<DeviceFacts> FactsOf(int index) {
  cudaDeviceProp p;
  RIESZ_RETURN_IF_ERROR(StatusOf(cudaGetDeviceProperties(&p, index), "cudaGetDeviceProperties"));
  int clock_khz = 0, memory_clock_khz = 0, runtime = 0, driver = 0;
  int blas_major = 0, blas_minor = 0, blas_patch = 0;
  for (const auto& [part, value] : {std::pair{MAJOR_VERSION, &blas_major},
                                    {MINOR_VERSION, &blas_minor},
                                    {PATCH_LEVEL, &blas_patch}}) {
    RIESZ_RETURN_IF_ERROR(StatusOf(cublasGetProperty(part, value), "cublasGetProperty"));
  }
  RIESZ_RETURN_IF_ERROR(StatusOf(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, index),
                                 "cudaDeviceGetAttribute"));
  RIESZ_RETURN_IF_ERROR(
      StatusOf(cudaDeviceGetAttribute(&memory_clock_khz, cudaDevAttrMemoryClockRate, index),
               "cudaDeviceGetAttribute"));
  RIESZ_RETURN_IF_ERROR(StatusOf(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion"));
  RIESZ_RETURN_IF_ERROR(StatusOf(cudaDriverGetVersion(&driver), "cudaDriverGetVersion"));
  return DeviceFacts{
      .name = absl::StrCat("cuda:", index),
      .description = absl::StrCat(p.name, ", compute capability ", p.major, ".", p.minor, ", ",
                                  p.multiProcessorCount, " multiprocessors"),
      .libraries = absl::StrCat("runtime=", runtime, " driver=", driver, " cublas=", blas_major,
                                ".", blas_minor, ".", blas_patch),
      .memory_bytes = static_cast<int64_t>(p.totalGlobalMem),
      .shared_bytes_per_block = static_cast<int64_t>(p.sharedMemPerBlockOptin),
      .speed = SpeedOf(p, clock_khz, memory_clock_khz)};
}

class CudaRuntime final : public DeviceRuntime {
 public:
  CudaRuntime(int index, DeviceFacts facts) : index_(index), facts_(std::move(facts)) {}
  ~CudaRuntime() override;
  absl::Status Open();

  const DeviceFacts& facts() const override { return facts_; }
  absl::StatusOr<void*> Allocate(int64_t bytes) override;
  void Free(void* memory) override;
  int64_t FreeBytes() override;
  absl::StatusOr<void*> AllocatePinned(int64_t bytes) override;
  void FreePinned(void* memory) override;
  absl::Status CopyToDevice(void* to, const void* from, int64_t bytes) override {
    return CopyNow(to, from, bytes, cudaMemcpyHostToDevice);
  }
  absl::Status CopyToHost(void* to, const void* from, int64_t bytes) override {
    return CopyNow(to, from, bytes, cudaMemcpyDeviceToHost);
  }
  absl::Status EnqueueToDevice(void* to, const void* from, int64_t bytes) override {
    return Copy(to, from, bytes, cudaMemcpyHostToDevice, compute_);
  }
  absl::Status EnqueueToHost(void* to, const void* from, int64_t bytes) override {
    return Copy(to, from, bytes, cudaMemcpyDeviceToHost, compute_);
  }
  absl::Status EnqueueCopy(void* to, const void* from, int64_t bytes) override {
    return Copy(to, from, bytes, cudaMemcpyDeviceToDevice, compute_);
  }
  absl::Status EnqueueClear(void* memory, int64_t bytes) override;
  absl::Status Launch(const KernelCall& call) override;
  absl::Status Multiply(const MatrixProduct& product) override;
  absl::Status SortSegments(const SegmentSort& sort) override;
  absl::Status Synchronize() override;

 private:
  // CUDA's current device belongs to a thread, and any thread may call.
  absl::Status Use() const { return StatusOf(cudaSetDevice(index_), "cudaSetDevice"); }
  absl::Status Copy(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind,
                    cudaStream_t stream) const;
  absl::Status CopyNow(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind) const;

  const int index_;
  const DeviceFacts facts_;
  cudaMemPool_t pool_ = nullptr;
  // Kernels; copies of particles in and out; and nothing but memory, so that an allocation waits
  // for no kernel.
  cudaStream_t compute_ = nullptr, transfer_ = nullptr, memory_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  void* blas_workspace_ = nullptr;
};

absl::Status CudaRuntime::Open() {
  RIESZ_RETURN_IF_ERROR(Use());
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;  // CUDA's word for memory that stays put
  properties.location = {.type = cudaMemLocationTypeDevice, .id = index_};
  RIESZ_RETURN_IF_ERROR(StatusOf(cudaMemPoolCreate(&pool_, &properties), "cudaMemPoolCreate"));
  // Keeps what operations give back for the next ones: the engine's ledger bounds the whole.
  uint64_t keep = UINT64_MAX;
  RIESZ_RETURN_IF_ERROR(
      StatusOf(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep),
               "cudaMemPoolSetAttribute"));
  for (cudaStream_t* stream : {&compute_, &transfer_, &memory_}) {
    RIESZ_RETURN_IF_ERROR(
        StatusOf(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "cudaStreamCreate"));
  }
  RIESZ_RETURN_IF_ERROR(StatusOf(cublasCreate(&blas_), "cublasCreate"));
  RIESZ_RETURN_IF_ERROR(StatusOf(cublasSetStream(blas_, compute_), "cublasSetStream"));
  RIESZ_ASSIGN_OR_RETURN(blas_workspace_, Allocate(kBlasWorkspaceBytes));
  return StatusOf(cublasSetWorkspace(blas_, blas_workspace_, kBlasWorkspaceBytes),
                  "cublasSetWorkspace");
}

// Errors at the end tell nobody anything.
CudaRuntime::~CudaRuntime() {
  cudaSetDevice(index_);
  if (blas_ != nullptr) cublasDestroy(blas_);
  if (blas_workspace_ != nullptr) Free(blas_workspace_);
  for (cudaStream_t stream : {compute_, transfer_, memory_}) {
    if (stream == nullptr) continue;
    cudaStreamSynchronize(stream);
    cudaStreamDestroy(stream);
  }
  if (pool_ != nullptr) cudaMemPoolDestroy(pool_);
}

absl::StatusOr<void*> CudaRuntime::Allocate(int64_t bytes) {
  RIESZ_RETURN_IF_ERROR(Use());
  void* memory = nullptr;
  const cudaError_t error =
      cudaMallocFromPoolAsync(&memory, static_cast<size_t>(bytes), pool_, memory_);
  if (error != cudaSuccess) {
    cudaGetLastError();  // a refusal would otherwise be reported again by the next launch
    return StatusOf(error, "cudaMallocFromPoolAsync");
  }
  // From here on it may be used on every stream.
  RIESZ_RETURN_IF_ERROR(StatusOf(cudaStreamSynchronize(memory_), "cudaStreamSynchronize"));
  return memory;
}

void CudaRuntime::Free(void* memory) {
  cudaSetDevice(index_);
  cudaFreeAsync(memory, memory_);
}

int64_t CudaRuntime::FreeBytes() {
  size_t free = 0, total = 0;
  uint64_t reserved = 0, used = 0;
  cudaSetDevice(index_);
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return 0;
  cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved);
  cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used);
  return static_cast<int64_t>(free + (reserved - used));
}

absl::StatusOr<void*> CudaRuntime::AllocatePinned(int64_t bytes) {
  RIESZ_RETURN_IF_ERROR(Use());
  void* memory = nullptr;
  const cudaError_t error =
      cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocPortable);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return StatusOf(error, "cudaHostAlloc");
  }
  return memory;
}

void CudaRuntime::FreePinned(void* memory) {
  cudaSetDevice(index_);
  cudaFreeHost(memory);
}

absl::Status CudaRuntime::Copy(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind,
                               cudaStream_t stream) const {
  RIESZ_RETURN_IF_ERROR(Use());
  return StatusOf(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream),
                  "cudaMemcpyAsync");
}

absl::Status CudaRuntime::CopyNow(void* to, const void* from, int64_t bytes,
                                  cudaMemcpyKind kind) const {
  RIESZ_RETURN_IF_ERROR(Copy(to, from, bytes, kind, transfer_));
  return StatusOf(cudaStreamSynchronize(transfer_), "a copy");
}

absl::Status CudaRuntime::EnqueueClear(void* memory, int64_t bytes) {
  RIESZ_RETURN_IF_ERROR(Use());
  return StatusOf(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), compute_),
                  "cudaMemsetAsync");
}

absl::Status CudaRuntime::Launch(const KernelCall& call) {
  RIESZ_RETURN_IF_ERROR(Use());
  const LaunchShape& shape = call.shape;
  if (shape.shared_bytes > kPlainSharedBytes) {
    RIESZ_RETURN_IF_ERROR(
        StatusOf(cudaFuncSetAttribute(call.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(shape.shared_bytes)),
                 "cudaFuncSetAttribute"));
  }
  const dim3 grid(static_cast<unsigned>(shape.blocks), static_cast<unsigned>(shape.rows));
  return StatusOf(
      cudaLaunchKernel(call.kernel, grid, dim3(static_cast<unsigned>(shape.threads)),
                       call.arguments, static_cast<size_t>(shape.shared_bytes), compute_),
      "a kernel launch");
}

absl::Status CudaRuntime::Multiply(const MatrixProduct& p) {
  RIESZ_RETURN_IF_ERROR(Use());
  const BlasCall call = BlasCallOf(p);
  const float one = 1, zero = 0;
  const float* beta = p.accumulate ? &one : &zero;
  // Pedantic: float32 throughout, and no other algorithm for other shapes' sake.
  const cublasComputeType_t compute =
      p.kind == ProductKind::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC;
  return StatusOf(cublasGemmEx_64(blas_, call.transpose_first ? CUBLAS_OP_T : CUBLAS_OP_N,
                                  call.transpose_second ? CUBLAS_OP_T : CUBLAS_OP_N, call.m, call.n,
                                  call.k, &one, call.first, CUDA_R_32F, call.first_stride,
                                  call.second, CUDA_R_32F, call.second_stride, beta, p.c,
                                  CUDA_R_32F, p.c_stride, compute, CUBLAS_GEMM_DEFAULT),
                  "cublasGemmEx");
}

absl::Status CudaRuntime::SortSegments(const SegmentSort& sort) {
  RIESZ_RETURN_IF_ERROR(Use());
  return StatusOf(EnqueueSegmentSort(sort, compute_), "a segmented sort");
}

absl::Status CudaRuntime::Synchronize() {
  RIESZ_RETURN_IF_ERROR(Use());
  return StatusOf(cudaStreamSynchronize(compute_), "a kernel");
}

}  // namespace

absl::StatusOr<int> CountGpus() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    return absl::NotFoundError(absl::StrCat("no CUDA device: ", cudaGetErrorString(error)));
  }
  if (count == 0) return absl::NotFoundError("no CUDA device");
  return count;
}

absl::StatusOr<std::unique_ptr<DeviceRuntime>> OpenGpu(int index) {
  RIESZ_ASSIGN_OR_RETURN(const int count, CountGpus());
  if (index < 0 || index >= count) {
    return absl::NotFoundError(
        absl::StrCat("no CUDA device ", index, ": there are ", count, ", counted from 0"));
  }
  cudaDeviceProp properties;
  RIESZ_RETURN_IF_ERROR(
      StatusOf(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties"));
  if (properties.major < kOldestMajor) {
    return absl::NotFoundError(absl::StrCat("CUDA device ", index, " has compute capability ",
                                            properties.major, ".", properties.minor,
                                            "; 8.0 is the least"));
  }
  RIESZ_ASSIGN_OR_RETURN(DeviceFacts facts, FactsOf(index));
  auto runtime = std::make_unique<CudaRuntime>(index, std::move(facts));
  RIESZ_RETURN_IF_ERROR(runtime->Open());
  return runtime;
}

}  // namespace riesz::cuda
