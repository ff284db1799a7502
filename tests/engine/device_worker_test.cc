#include "core/engine/device_worker.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "core/error.h"
#include "tests/support/await.h"

namespace riesz {
namespace {

class DeviceWorkerTest : public testing::Test {
 protected:
  std::shared_ptr<Job> Task(std::function<void()> body) {
    return std::make_shared<TaskJob>(Interruption(CallContext(), SteadyClock(), drain_),
                                     [body = std::move(body)](const absl::Status&) { body(); });
  }
  DrainState drain_;
};

// As DeleteFlow does, whose flow the worker may be stepping just then.
TEST_F(DeviceWorkerTest, WhatMustRunOnTheWorkerStillDoesWhileCloseWaitsForOthers) {
  Gate gate;
  std::thread::id worker_thread, freeing_thread;
  DeviceWorker worker({.device = "fake"});
  ASSERT_TRUE(worker
                  .Submit(Task([&] {
                    worker_thread = std::this_thread::get_id();
                    gate.Pass();
                  }))
                  .ok());
  gate.AwaitArrivals(1);
  std::thread closing([&] { worker.Close(); });
  // Closed once it refuses others; before, it takes some or is full.
  while (!absl::IsUnavailable(worker.Submit(Task([] {})))) std::this_thread::yield();
  EXPECT_TRUE(worker.SubmitAlways(Task([&] { freeing_thread = std::this_thread::get_id(); })).ok());
  gate.Open();
  closing.join();
  EXPECT_EQ(freeing_thread, worker_thread) << "before Close returned";
  EXPECT_TRUE(absl::IsUnavailable(worker.SubmitAlways(Task([] {})))) << "nothing runs any more";
}

}  // namespace
}  // namespace riesz
