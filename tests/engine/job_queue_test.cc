#include "core/engine/job_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/error.h"
#include "tests/support/fake_clock.h"

namespace riesz {
namespace {

// A job that needs some quanta and may be abandoned.
class ScriptedJob : public Job {
 public:
  ScriptedJob(char name, JobClass job_class, int quanta)
      : name(name), class_(job_class), quanta_(quanta) {}
  JobClass job_class() const override { return class_; }
  bool RunQuantum(Clock::Time) override { return --quanta_ == 0; }
  bool Abandoned(Clock::Time) const override { return abandoned; }
  const char name;
  bool abandoned = false;

 private:
  const JobClass class_;
  int quanta_;
};

std::shared_ptr<ScriptedJob> Interactive(char name, int quanta) {
  return std::make_shared<ScriptedJob>(name, JobClass::kInteractive, quanta);
}
std::shared_ptr<ScriptedJob> FlowOf(char name, int quanta) {
  return std::make_shared<ScriptedJob>(name, JobClass::kFlow, quanta);
}

// The order in which quanta are given, at most `most` of them.
std::string Serve(JobQueue& queue, int most = 100) {
  std::string order;
  for (int i = 0; i < most; ++i) {
    std::shared_ptr<Job> job = queue.Next(Clock::Time());
    if (job == nullptr) break;
    order += static_cast<ScriptedJob&>(*job).name;
    if (job->RunQuantum(Clock::Time())) {
      queue.Finish();
    } else {
      queue.Return(std::move(job));
    }
  }
  return order;
}

TEST(JobQueueTest, OneClassTakesTurnsByQuantum) {
  JobQueue queue("cpu", 8, std::chrono::milliseconds(500));
  ASSERT_TRUE(queue.Admit(Interactive('a', 3)).ok());
  ASSERT_TRUE(queue.Admit(Interactive('b', 1)).ok());
  ASSERT_TRUE(queue.Admit(Interactive('c', 2)).ok());
  EXPECT_EQ(Serve(queue), "abcaca");
  EXPECT_EQ(queue.admitted(), 0);
}

TEST(JobQueueTest, ClassesAlternateWhileBothWait) {
  JobQueue queue("cpu", 8, std::chrono::milliseconds(500));
  ASSERT_TRUE(queue.Admit(FlowOf('F', 4)).ok());
  ASSERT_TRUE(queue.Admit(FlowOf('G', 4)).ok());
  ASSERT_TRUE(queue.Admit(Interactive('a', 2)).ok());
  EXPECT_EQ(Serve(queue), "aFaGFGFGFG");
}

TEST(JobQueueTest, AnInteractiveJobWaitsForOneFlowQuantumAtMost) {
  JobQueue queue("cpu", 100, std::chrono::milliseconds(500));
  for (char name = 'A'; name < 'K'; ++name) ASSERT_TRUE(queue.Admit(FlowOf(name, 1000)).ok());
  Serve(queue, 57);
  ASSERT_TRUE(queue.Admit(Interactive('a', 1)).ok());
  EXPECT_LE(Serve(queue, 10).find('a'), 1u);
}

TEST(JobQueueTest, AFlowIsNotStarvedByManyInteractiveJobs) {
  JobQueue queue("cpu", 100, std::chrono::milliseconds(500));
  for (char name = 'a'; name < 'k'; ++name) ASSERT_TRUE(queue.Admit(Interactive(name, 1000)).ok());
  ASSERT_TRUE(queue.Admit(FlowOf('F', 1000)).ok());
  const std::string order = Serve(queue, 20);
  EXPECT_EQ(std::count(order.begin(), order.end(), 'F'), 10);
}

TEST(JobQueueTest, AnAbandonedJobGoesFirst) {
  JobQueue queue("cpu", 8, std::chrono::milliseconds(500));
  ASSERT_TRUE(queue.Admit(Interactive('a', 1)).ok());
  ASSERT_TRUE(queue.Admit(Interactive('b', 1)).ok());
  auto flow = FlowOf('F', 1);
  ASSERT_TRUE(queue.Admit(FlowOf('G', 1)).ok());
  ASSERT_TRUE(queue.Admit(flow).ok());
  flow->abandoned = true;
  EXPECT_EQ(Serve(queue), "FaGb");
}

TEST(JobQueueTest, AFullQueueRefusesAndSaysWhenToRetry) {
  JobQueue queue("cpu", 2, std::chrono::milliseconds(500));
  ASSERT_TRUE(queue.Admit(Interactive('a', 2)).ok());
  ASSERT_TRUE(queue.Admit(FlowOf('F', 2)).ok());
  // A job that runs still counts: it comes back.
  std::shared_ptr<Job> running = queue.Next(Clock::Time());
  const absl::Status refused = queue.Admit(Interactive('b', 1));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(), "queue of device cpu is full (2 jobs)");
  EXPECT_EQ(DetailOf(refused)->reason, ErrorReason::kLimit);
  EXPECT_EQ(DetailOf(refused)->metadata.at("retry_after_ms"), "500");
  queue.AdmitAlways(Interactive('d', 1));
  EXPECT_EQ(queue.admitted(), 3) << "work that frees something is let in";
  queue.Finish();
  queue.Finish();
  EXPECT_TRUE(queue.Admit(Interactive('b', 1)).ok());
}

}  // namespace
}  // namespace riesz
