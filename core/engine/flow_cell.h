// The latest state of one flow, and those who want to know when it changes.
//
// Writing never waits for a reader: a change marks each watch once and posts its notification to an
// executor; until the watcher has looked (Latest), further changes post nothing. A slow reader
// skips states, a gone one is forgotten.
//
// Thread safety: thread-safe. Ownership: watches share the cell, which holds no particles: a watch
// on a deleted flow keeps a few strings alive.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/engine/engine.h"
#include "core/engine/io_executor.h"

namespace riesz {

class FlowCell : public std::enable_shared_from_this<FlowCell> {
 public:
  // `notifier` runs the watchers' callbacks; it must outlive every watch. Its bound must admit one
  // task a watch.
  FlowCell(FlowInfo info, IoExecutor* notifier) : notifier_(notifier), info_(std::move(info)) {}

  FlowInfo Get() const;
  void Set(FlowInfo info);
  // From now on watches answer NOT_FOUND.
  void MarkDeleted();
  // See Engine::WatchFlow.
  std::unique_ptr<FlowWatch> Watch(std::function<void()> on_change);

 private:
  class Watcher;
  class Handle;
  // Requires the lock.
  void Notify();

  IoExecutor* const notifier_;
  mutable std::mutex mutex_;
  FlowInfo info_;
  bool deleted_ = false;
  std::vector<std::shared_ptr<Watcher>> watchers_;
};

}  // namespace riesz
