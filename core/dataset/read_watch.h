// How a reading is watched: what it takes of memory, and whether it may go on. Either function may
// be left out.
//
// Thread safety: a value; its functions are called on the thread that reads.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"

namespace riesz {

struct ReadWatch {
  // Called before `bytes` more of memory are taken. What is asked for in all covers everything that
  // lies in memory at any time of the reading, and the data set that comes out, but for a few
  // hundred KiB of buffers.
  std::function<absl::Status(int64_t bytes)> reserve;
  // Called about once a mebibyte.
  std::function<absl::Status()> proceed;

  // An error of either ends the reading with it.
  absl::Status Reserve(int64_t bytes) const { return reserve ? reserve(bytes) : absl::OkStatus(); }
  absl::Status Proceed() const { return proceed ? proceed() : absl::OkStatus(); }
};

}  // namespace riesz
