// Readers of data files against arbitrary bytes: an answer or a clear refusal, never a crash, and
// what is accepted keeps the promises of core/dataset/dataset.h.
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "core/check.h"
#include "core/dataset/dataset.h"

namespace {

// By ending, as ReadFile chooses; the first byte of the input picks one.
constexpr std::array<const char*, 6> kNames = {
    "a.npy", "a.csv", "a-images-idx3-ubyte", "a.idx", "a-labels-idx1-ubyte.gz", "a.bin"};

void Write(const std::string& path, const uint8_t* data, size_t size) {
  FILE* file = std::fopen(path.c_str(), "wb");
  RIESZ_CHECK(file != nullptr, "no room in /dev/shm");
  RIESZ_CHECK(std::fwrite(data, 1, size, file) == size, "no room in /dev/shm");
  std::fclose(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // In memory: /dev/shm, one folder a process.
  static const std::string folder = "/dev/shm/riesz-fuzz-" + std::to_string(getpid());
  static const bool made = std::filesystem::create_directories(folder);
  static_cast<void>(made);
  const std::string path = folder + "/" + kNames[data[0] % kNames.size()];
  Write(path, data + 1, size - 1);

  const auto dataset = riesz::ReadFile(path);
  if (dataset.ok()) {
    RIESZ_CHECK(dataset->rows.rows() > 0 && dataset->rows.cols() > 0, "accepted an empty matrix");
    RIESZ_CHECK(dataset->labels.empty() ||
                    static_cast<int64_t>(dataset->labels.size()) == dataset->rows.rows(),
                "one label a row");
    if (dataset->shape) {
      RIESZ_CHECK(
          int64_t{dataset->shape->channels} * dataset->shape->height * dataset->shape->width ==
              dataset->rows.cols(),
          "a shape that is not the dimension");
    }
  } else {
    RIESZ_CHECK(!dataset.status().message().empty(), "a refusal without words");
  }
  static_cast<void>(riesz::ReadLabels(path));
  std::filesystem::remove(path);
  return 0;
}
