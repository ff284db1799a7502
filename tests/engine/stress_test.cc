// Several threads do everything at once: for the sanitizers, and for the law that every call is
// answered and all memory comes back.
#include <thread>

#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

class StressTest : public EngineFixture {
 protected:
  // One client's mixture of calls; `who` keeps its ids apart, "shared" is everybody's.
  void Client(int who) {
    const std::string mine = "c" + std::to_string(who);
    for (int round = 0; round < 20; ++round) {
      Await<EnsembleInfo> made;
      engine->CreateEnsemble(context, {.id = mine}, GeneratorSource{.count = 4, .dim = 2},
                             made.callback());
      NewFlowRequest request;
      request.id = mine;
      request.start = EnsembleRef{"x"};
      request.target = "y";
      Await<FlowInfo> flow;
      engine->CreateFlow(context, request, flow.callback());
      ASSERT_TRUE(made.Get().ok()) << made.Get().status();
      ASSERT_TRUE(flow.Get().ok()) << flow.Get().status();
      std::atomic<int> told = 0;
      auto watch = engine->WatchFlow(context, mine, [&told] { ++told; });
      ASSERT_TRUE(engine->AdvanceFlow(context, mine, 30 + round).ok());
      (void)engine->AdvanceFlow(context, "shared", 10 * round + who);

      EnergyDistanceRequest distance;
      distance.x = FlowRef{mine, std::nullopt};
      distance.y = EnsembleRef{mine};
      std::stop_source client;
      CallContext leaving = context;
      leaving.stop = client.get_token();
      Await<EnergyDistanceReply> answered, left;
      engine->ComputeEnergyDistance(context, distance, answered.callback());
      engine->ComputeEnergyDistance(leaving, distance, left.callback());
      client.request_stop();
      Await<FlowInfo> cancelled, cancelled_shared;
      if (round % 2 == 0) {
        engine->CancelFlow(context, mine, cancelled.callback());
        engine->CancelFlow(context, "shared", cancelled_shared.callback());
      }
      EXPECT_TRUE((*watch)->Latest().ok());
      EXPECT_TRUE(answered.Get().ok()) << answered.Get().status();
      (void)left.Get();
      if (round % 2 == 0) {
        EXPECT_TRUE(cancelled.Get().ok());
        EXPECT_TRUE(cancelled_shared.Get().ok());
      }
      if (round % 3 == 0) watch->reset();
      Await<std::monostate> deleted;
      engine->DeleteFlow(context, mine, deleted.callback());
      EXPECT_TRUE(deleted.Get().ok());
      EXPECT_TRUE(engine->DeleteEnsemble(context, mine).ok());
      EXPECT_TRUE(engine->ListFlows(context, {}).ok());
      EXPECT_EQ(engine->Devices().size(), 1u);
    }
  }
};

TEST_F(StressTest, ManyClientsAtOnceAreAllAnsweredAndAllMemoryComesBack) {
  FakeBackendOptions fake;
  fake.chunks_per_step = 2;
  EngineOptions options;
  options.io_threads = 2;
  Start(fake, options);
  ASSERT_TRUE(Generate("x").ok());
  ASSERT_TRUE(Generate("y").ok());
  const int64_t before = UsedBytes();
  ASSERT_TRUE(NewFlow("shared").ok());
  std::vector<std::thread> clients;
  for (int who = 0; who < 4; ++who) clients.emplace_back([this, who] { Client(who); });
  for (std::thread& client : clients) client.join();
  Await<std::monostate> deleted;
  engine->DeleteFlow(context, "shared", deleted.callback());
  ASSERT_TRUE(deleted.Get().ok());
  EXPECT_EQ(UsedBytes(), before);
}

TEST_F(StressTest, DrainingWhileClientsCallLosesNoAnswer) {
  Start();
  ASSERT_TRUE(Generate("x").ok());
  ASSERT_TRUE(Generate("y").ok());
  ASSERT_TRUE(NewFlow("f").ok());
  std::atomic<bool> refused = false;
  std::vector<std::thread> clients;
  for (int who = 0; who < 3; ++who) {
    clients.emplace_back([this, &refused] {
      for (int64_t step = 1; !refused; ++step) {
        (void)engine->AdvanceFlow(context, "f", 1000 * step);
        Await<EnergyDistanceReply> distance;
        engine->ComputeEnergyDistance(context, Distance(), distance.callback());
        if (!distance.Get().ok()) refused = true;
      }
    });
  }
  engine->Drain(clock.Now());
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(refused);
}

TEST_F(StressTest, AFlowDeletedWhileTheEngineDrainsIsFreedOnce) {
  for (int round = 0; round < 50; ++round) {
    Start();
    ASSERT_TRUE(Generate("x").ok());
    ASSERT_TRUE(Generate("y").ok());
    ASSERT_TRUE(NewFlow("f").ok());
    ASSERT_TRUE(engine->AdvanceFlow(context, "f", 1'000'000'000).ok());
    std::thread draining([this] { engine->Drain(Clock::Time::max()); });
    Await<std::monostate> deleted;
    engine->DeleteFlow(context, "f", deleted.callback());
    (void)deleted.Get();  // deleted, or refused by the drain
    draining.join();
    EXPECT_EQ(engine->Devices()[0].queue_depth, 0);
  }
}

}  // namespace
}  // namespace riesz
