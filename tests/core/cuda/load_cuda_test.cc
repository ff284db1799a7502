// The library that holds the cuda backend: what is said where it, or a GPU, is missing.
#include "core/backend/load_cuda.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace riesz {
namespace {

class LoadCuda : public testing::Test {
 protected:
  ~LoadCuda() override { unsetenv("RIESZ_CUDA_LIBRARY"); }
  static absl::Status LoadFrom(const std::string& path) {
    setenv("RIESZ_CUDA_LIBRARY", path.c_str(), 1);
    return OpenCudaLibrary().status();
  }
};

TEST_F(LoadCuda, AMissingLibraryIsNamed) {
  const absl::Status status = LoadFrom("/nowhere/libriesz_cuda.so");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("/nowhere/libriesz_cuda.so"), absl::string_view::npos) << status;
}

TEST_F(LoadCuda, AFileThatIsNoLibraryIsNamed) {
  const std::string path = std::filesystem::temp_directory_path() /
                           ("riesz-no-library-" + std::to_string(getpid()) + ".so");
  std::ofstream(path) << "not a library";
  const absl::Status status = LoadFrom(path);
  std::remove(path.c_str());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find(path), absl::string_view::npos) << status;
}

TEST_F(LoadCuda, NamesOfGpusAreCudaAndANumber) {
  EXPECT_EQ(GpuNamed("cuda"), 0);
  EXPECT_EQ(GpuNamed("cuda:0"), 0);
  EXPECT_EQ(GpuNamed("cuda:13"), 13);
  for (const char* other : {"", "cpu", "cuda:", "cuda:-1", "cuda:1x", "cuda1", "cudax", "CUDA"}) {
    EXPECT_EQ(GpuNamed(other), std::nullopt) << other;
  }
}

#ifdef RIESZ_BUILT_CUDA_LIBRARY
TEST_F(LoadCuda, TheLibraryLoadsWithoutAGpuAndSaysWhatIsMissing) {
  ASSERT_TRUE(LoadFrom(RIESZ_BUILT_CUDA_LIBRARY).ok());
  const CudaFactory factory = OpenCudaLibrary().value();
  CudaLibraryRequest request{.gpu = 999};
  absl::Status error;
  EXPECT_EQ(factory(&request, &error), nullptr);
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound) << error;
  EXPECT_NE(error.message().find("no CUDA device"), absl::string_view::npos) << error;
  request.build = "another build";
  EXPECT_EQ(factory(&request, &error), nullptr);
  EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition) << error;
}
#endif

TEST_F(LoadCuda, AGpuThatNobodyHasIsNotFound) {
  const absl::Status status = MakeBackend("cuda:999").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
}

}  // namespace
}  // namespace riesz
