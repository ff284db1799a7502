#include "core/engine/ledger.h"

#include <cstdio>
#include <utility>

#include "core/check.h"
#include "core/error.h"

namespace riesz {
namespace {

std::string Gibibytes(int64_t bytes) {
  char text[48];
  if (bytes < (int64_t{1} << 20)) {
    std::snprintf(text, sizeof(text), "%lld bytes", static_cast<long long>(bytes));
  } else if (bytes < (int64_t{1} << 30)) {
    std::snprintf(text, sizeof(text), "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  } else {
    std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  }
  return text;
}

}  // namespace

Reservation::Reservation(Reservation&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    ledger_ = std::exchange(other.ledger_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Reservation::ShrinkTo(int64_t bytes) {
  RIESZ_CHECK(bytes >= 0 && bytes <= bytes_, "a reservation only shrinks");
  if (bytes == bytes_) return;
  ledger_->GiveBack(bytes_ - bytes);
  bytes_ = bytes;
}

void Reservation::Merge(Reservation other) {
  RIESZ_CHECK(ledger_ == other.ledger_ || bytes_ == 0 || other.bytes_ == 0,
              "one reservation is of one ledger");
  if (other.bytes_ == 0) return;
  ledger_ = other.ledger_;
  bytes_ += std::exchange(other.bytes_, 0);
}

Reservation Reservation::Split(int64_t bytes) {
  RIESZ_CHECK(bytes >= 0 && bytes <= bytes_, "a part is not larger than the whole");
  bytes_ -= bytes;
  return Reservation(ledger_, bytes);
}

Ledger::Ledger(int64_t limit_bytes, Observer observer)
    : limit_bytes_(limit_bytes), observer_(std::move(observer)) {
  if (observer_) observer_(0, limit_bytes_);
}

absl::StatusOr<Reservation> Ledger::Reserve(int64_t bytes, const std::string& what) {
  RIESZ_CHECK(bytes >= 0, "a size is not negative");
  absl::StatusOr<Reservation> reserved = TryReserve(bytes, what);
  if (reserved.ok() || reclaimer_ == nullptr || bytes > limit_bytes_) return reserved;
  reclaimer_();
  return TryReserve(bytes, what);
}

absl::StatusOr<Reservation> Ledger::TryReserve(int64_t bytes, const std::string& what) {
  std::lock_guard lock(mutex_);
  const int64_t free = limit_bytes_ - used_bytes_;
  if (bytes > free) {
    return WithDetail(absl::ResourceExhaustedError("device memory: " + Gibibytes(bytes) +
                                                   " wanted for " + what + ", " + Gibibytes(free) +
                                                   " of " + Gibibytes(limit_bytes_) + " free"),
                      {.reason = ErrorReason::kMemory,
                       .metadata = {{"what", what},
                                    {"wanted_bytes", std::to_string(bytes)},
                                    {"free_bytes", std::to_string(free)},
                                    {"limit_bytes", std::to_string(limit_bytes_)}}});
  }
  used_bytes_ += bytes;
  if (observer_) observer_(used_bytes_, limit_bytes_);
  return Reservation(this, bytes);
}

int64_t Ledger::used_bytes() const {
  std::lock_guard lock(mutex_);
  return used_bytes_;
}

void Ledger::GiveBack(int64_t bytes) {
  std::lock_guard lock(mutex_);
  used_bytes_ -= bytes;
  RIESZ_CHECK(used_bytes_ >= 0, "more bytes came back than were reserved");
  if (observer_) observer_(used_bytes_, limit_bytes_);
}

}  // namespace riesz
