#include "core/engine/request_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/error.h"

namespace riesz {
namespace {

using Kind = RequestLog::Kind;

void Ignore(const absl::StatusOr<std::string>&) {}

class RequestLogTest : public ::testing::Test {
 protected:
  RequestLog::Begun Begin(const std::string& id, const std::string& request = "q",
                          const std::string& tenant = "t") {
    return log.Begin(tenant, id, Fingerprint("Create", request), Ignore);
  }
  RequestLog log{{.calls_per_tenant = 3, .answer_bytes_per_tenant = 100}};
};

TEST_F(RequestLogTest, ARepeatGetsTheFirstAnswer) {
  auto first = Begin("r");
  ASSERT_EQ(first.kind, Kind::kNew);
  first.call.Succeed("answer");
  const auto repeat = Begin("r");
  EXPECT_EQ(repeat.kind, Kind::kFinished);
  EXPECT_EQ(repeat.answer, "answer");
}

TEST_F(RequestLogTest, ARepeatOfARunningCallWaitsForItsAnswer) {
  auto first = Begin("r");
  std::string heard;
  const auto repeat =
      log.Begin("t", "r", Fingerprint("Create", "q"),
                [&](const absl::StatusOr<std::string>& answer) { heard = *answer; });
  EXPECT_EQ(repeat.kind, Kind::kRunning);
  EXPECT_EQ(heard, "");
  first.call.Succeed("answer");
  EXPECT_EQ(heard, "answer");
}

TEST_F(RequestLogTest, AFailedCallIsForgottenAndItsWaitersGetTheError) {
  auto first = Begin("r");
  absl::Status heard;
  log.Begin("t", "r", Fingerprint("Create", "q"),
            [&](const absl::StatusOr<std::string>& answer) { heard = answer.status(); });
  first.call.Fail(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(heard.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Begin("r").kind, Kind::kNew);
}

TEST_F(RequestLogTest, ADroppedCallIsForgotten) {
  { auto first = Begin("r"); }
  EXPECT_EQ(Begin("r").kind, Kind::kNew);
}

TEST_F(RequestLogTest, AnIdUsedForAnotherRequestIsRefused) {
  Begin("r").call.Succeed("answer");
  const auto reused = Begin("r", "another");
  EXPECT_EQ(reused.kind, Kind::kReused);
  EXPECT_EQ(reused.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(reused.status)->reason, ErrorReason::kRequestIdReused);
  EXPECT_EQ(log.Begin("t", "r", Fingerprint("Delete", "q"), Ignore).kind, Kind::kReused);
}

TEST_F(RequestLogTest, AnEmptyIdIsNeverRemembered) {
  EXPECT_EQ(Begin("").kind, Kind::kNone);
  EXPECT_EQ(Begin("").kind, Kind::kNone);
}

TEST_F(RequestLogTest, TenantsDoNotShareIds) {
  Begin("r").call.Succeed("mine");
  EXPECT_EQ(Begin("r", "q", "other").kind, Kind::kNew);
}

TEST_F(RequestLogTest, TheLeastRecentlyUsedAnswerGoesFirst) {
  for (const char* id : {"a", "b", "c"}) Begin(id).call.Succeed("x");
  EXPECT_EQ(Begin("a").kind, Kind::kFinished);  // used: now b is the oldest
  Begin("d").call.Succeed("x");
  EXPECT_EQ(Begin("a").kind, Kind::kFinished);
  EXPECT_EQ(Begin("c").kind, Kind::kFinished);
  EXPECT_EQ(Begin("b").kind, Kind::kNew);
}

TEST_F(RequestLogTest, AnswersAreBoundedInBytes) {
  Begin("a").call.Succeed(std::string(60, 'x'));
  Begin("b").call.Succeed(std::string(60, 'x'));
  EXPECT_EQ(Begin("b").kind, Kind::kFinished);
  EXPECT_EQ(Begin("a").kind, Kind::kNew);
}

TEST_F(RequestLogTest, OfManyConcurrentCallersOneRunsAndAllHearTheAnswer) {
  std::atomic<int> ran = 0, heard = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      auto begun = log.Begin("t", "r", Fingerprint("Create", "q"),
                             [&](const absl::StatusOr<std::string>& answer) {
                               if (*answer == "answer") ++heard;
                             });
      if (begun.kind == Kind::kNew) {
        ++ran;
        begun.call.Succeed("answer");
      } else if (begun.kind == Kind::kFinished && begun.answer == "answer") {
        ++heard;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(heard, 7);
}

}  // namespace
}  // namespace riesz
