// How long an operation may go on before it hands the device back.
//
// An operation is planned into chunks of at most about 20 ms. After each chunk it asks its Budget;
// when that is spent, Run returns kYield and a later Run goes on from the same place. The result
// never depends on where it yielded.
//
// Thread safety: none; a Budget belongs to one Run call.
#pragma once

#include <cstdint>
#include <limits>

#include "core/clock.h"

namespace riesz {

enum class RunResult {
  kDone,     // the result is there
  kYield,    // the budget is spent; call Run again
  kStopped,  // the stop token fired; the operation may be dropped or run again
};

class Budget {
 public:
  static Budget Unlimited() { return Budget(std::numeric_limits<int64_t>::max(), nullptr, {}); }
  static Budget OfChunks(int64_t chunks) { return Budget(chunks, nullptr, {}); }
  // Spent at the first chunk that ends at or after `until`. `clock` must outlive the budget.
  static Budget Until(const Clock& clock, Clock::Time until) {
    return Budget(std::numeric_limits<int64_t>::max(), &clock, until);
  }

  // Called once after every chunk; true when the operation must yield now.
  bool SpendChunk() {
    --chunks_left_;
    return chunks_left_ <= 0 || (clock_ != nullptr && clock_->Now() >= until_);
  }

 private:
  Budget(int64_t chunks, const Clock* clock, Clock::Time until)
      : chunks_left_(chunks), clock_(clock), until_(until) {}

  int64_t chunks_left_;
  const Clock* clock_;
  Clock::Time until_;
};

}  // namespace riesz
