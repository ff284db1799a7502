// Who holds how many bytes of a device: memory is reserved here before it is allocated, so that a
// request too large is refused with figures instead of failing half-way.
//
// Thread safety: Ledger is thread-safe; a Reservation belongs to one thread at a time.
// Ownership: a Reservation gives its bytes back when it is destroyed; the ledger must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace riesz {

class Ledger;

class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { Release(); }

  int64_t bytes() const { return bytes_; }
  // Gives back all but `bytes`. Requires 0 <= bytes <= bytes().
  void ShrinkTo(int64_t bytes);
  void Release() { ShrinkTo(0); }
  // Takes over what `other` holds. Requires the same ledger, unless one of the two holds nothing.
  void Merge(Reservation other);
  // Splits off `bytes`, which the result holds from now on. Requires 0 <= bytes <= bytes().
  Reservation Split(int64_t bytes);

 private:
  friend class Ledger;
  Reservation(Ledger* ledger, int64_t bytes) : ledger_(ledger), bytes_(bytes) {}
  Ledger* ledger_ = nullptr;
  int64_t bytes_ = 0;
};

class Ledger {
 public:
  // Told of every change, in order, under the ledger's lock: it must not call back or block.
  using Observer = std::function<void(int64_t used_bytes, int64_t limit_bytes)>;

  // Gives back what is held for convenience only. Called without locks, on the thread that
  // reserves; it must not reserve.
  using Reclaimer = std::function<void()>;

  // Requires limit_bytes >= 0.
  explicit Ledger(int64_t limit_bytes, Observer observer = nullptr);

  // `what` completes "... wanted for", e.g. "ensemble 'y'". RESOURCE_EXHAUSTED (MEMORY) with what,
  // wanted, free and limit, and only after the reclaimer was called, unless `bytes` are more than
  // there can be. Requires bytes >= 0.
  absl::StatusOr<Reservation> Reserve(int64_t bytes, const std::string& what);
  // Before the first Reserve.
  void set_reclaimer(Reclaimer reclaimer) { reclaimer_ = std::move(reclaimer); }
  int64_t used_bytes() const;
  int64_t limit_bytes() const { return limit_bytes_; }

 private:
  friend class Reservation;
  absl::StatusOr<Reservation> TryReserve(int64_t bytes, const std::string& what);
  void GiveBack(int64_t bytes);

  const int64_t limit_bytes_;
  const Observer observer_;
  Reclaimer reclaimer_;
  mutable std::mutex mutex_;
  int64_t used_bytes_ = 0;
};

// The same object, which now holds `memory` until its last user lets it go.
template <typename T>
std::shared_ptr<T> HoldMemory(std::shared_ptr<T> object, Reservation memory) {
  struct Held {
    // Destroyed in reverse order: the object is gone before its bytes are free again.
    Reservation memory;
    std::shared_ptr<T> object;
  };
  auto held = std::make_shared<Held>(Held{std::move(memory), std::move(object)});
  T* const raw = held->object.get();
  return {std::move(held), raw};
}

}  // namespace riesz
