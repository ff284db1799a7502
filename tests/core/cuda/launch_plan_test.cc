#include "core/backend/cuda/launch_plan.h"

#include "tests/core/cuda/emulated_device.h"

namespace riesz::cuda {
namespace {

class LaunchPlanTest : public EmulatedDevice {
 protected:
  // A step that notes its number.
  LaunchPlan::Step Note(int number) {
    return [this, number] {
      done_.push_back(number);
      return absl::OkStatus();
    };
  }
  std::vector<int> done_;
  LaunchPlan plan_{device_};
};

TEST_F(LaunchPlanTest, StepsShareAChunkUpToItsTime) {
  for (int i = 0; i < 5; ++i) plan_.Add(kChunkSeconds / 2, Note(i));
  EXPECT_EQ(plan_.chunks_planned(), 3);
  Budget one = Budget::OfChunks(1);
  EXPECT_EQ(plan_.Run(one, {}).value(), RunResult::kYield);
  EXPECT_EQ(done_, (std::vector<int>{0, 1}));
}

TEST_F(LaunchPlanTest, AStepBeyondAChunksTimeIsAChunk) {
  plan_.Add(0, Note(0));
  plan_.Add(5 * kChunkSeconds, Note(1));
  plan_.Add(0, Note(2));
  EXPECT_EQ(plan_.chunks_planned(), 3);
}

TEST_F(LaunchPlanTest, TilesRunInOrderInChunksOfTheirOwn) {
  plan_.Add(0, Note(-1));
  plan_.AddTiles(7, kChunkSeconds / 3, [this](int64_t tile) { return Note(int(tile))(); });
  plan_.Add(0, Note(-2));
  EXPECT_EQ(plan_.chunks_planned(), 5);
  Budget all = Budget::Unlimited();
  EXPECT_EQ(plan_.Run(all, {}).value(), RunResult::kDone);
  EXPECT_EQ(plan_.chunks_done(), 5);
  EXPECT_EQ(done_, (std::vector<int>{-1, 0, 1, 2, 3, 4, 5, 6, -2}));
}

TEST_F(LaunchPlanTest, TheHostReadsWhatTheDeviceHasFinished) {
  auto host = PinnedArray<int>::Make(device_, 1, "a test").value();
  auto value = OnDevice(std::vector<int>{7});
  *host.data() = 0;
  int early = -1, read = -1;
  plan_.Add(0, [&] {
    const absl::Status status = device_.EnqueueToHost(host.data(), value.data(), value.bytes());
    early = *host.data();
    return status;
  });
  plan_.AddOnHost([&] { read = *host.data(); });
  Budget all = Budget::Unlimited();
  EXPECT_EQ(plan_.Run(all, {}).value(), RunResult::kDone);
  EXPECT_EQ(early, 0);
  EXPECT_EQ(read, 7);
}

TEST_F(LaunchPlanTest, AFailedChunkLeavesNothingQueued) {
  plan_.Add(0, [this] {
    auto freed = Garbage<int>(4);  // the emulated device aborts if it is given back too early
    EXPECT_TRUE(device_.EnqueueClear(freed.data(), freed.bytes()).ok());
    EXPECT_TRUE(device_.Synchronize().ok());
    return absl::InternalError("nonsense");
  });
  Budget all = Budget::Unlimited();
  EXPECT_EQ(plan_.Run(all, {}).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(plan_.chunks_done(), 0);
}

}  // namespace
}  // namespace riesz::cuda
