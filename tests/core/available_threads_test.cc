#include "core/available_threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

namespace riesz {
namespace {

TEST(AvailableThreads, CpuMaxIsRoundedUpToWholeProcessors) {
  EXPECT_EQ(ProcessorsOfCpuMax("200000 100000\n"), 2);
  EXPECT_EQ(ProcessorsOfCpuMax("150000 100000\n"), 2);
  EXPECT_EQ(ProcessorsOfCpuMax("5000 100000\n"), 1);
}

TEST(AvailableThreads, NoQuotaAndNonsenseAreNoLimit) {
  for (const char* text : {"max 100000\n", "", "\n", "100000", "x y", "-1 100000", "100000 0"}) {
    EXPECT_EQ(ProcessorsOfCpuMax(text), std::nullopt) << text;
  }
  EXPECT_EQ(ProcessorsOfCfsQuota("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(ProcessorsOfCfsQuota("300000\n", "100000\n"), 3);
}

class Cgroup : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  const std::filesystem::path root_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("riesz-cgroup-") +
       testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Cgroup, TheTightestAncestorBinds) {
  Write("pod/cpu.max", "300000 100000\n");
  Write("pod/app/cpu.max", "max 100000\n");
  EXPECT_EQ(CgroupProcessors(root_, "0::/pod/app\n"), 3);
  Write("cpu.max", "100000 100000\n");
  EXPECT_EQ(CgroupProcessors(root_, "0::/pod/app\n"), 1);
}

TEST_F(Cgroup, AHostPathThatIsNotThereFallsBackToTheRoot) {
  Write("cpu.max", "200000 100000\n");
  EXPECT_EQ(CgroupProcessors(root_, "0::/kubepods/pod1/abc\n"), 2);
}

TEST_F(Cgroup, VersionOneIsReadFromItsOwnHierarchy) {
  Write("cpu/box/cpu.cfs_quota_us", "400000\n");
  Write("cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupProcessors(root_, "3:memory:/m\n2:cpu,cpuacct:/box\n"), 4);
}

TEST_F(Cgroup, MemoryHasTheTightestLimitOfEitherVersion) {
  EXPECT_EQ(CgroupMemory(root_, "0::/app\n"), std::nullopt);
  Write("app/memory.max", "max\n");
  EXPECT_EQ(CgroupMemory(root_, "0::/app\n"), std::nullopt);
  Write("memory.max", "4294967296\n");
  EXPECT_EQ(CgroupMemory(root_, "0::/app\n"), int64_t{4} << 30);
  Write("memory/box/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(CgroupMemory(root_, "5:memory:/box\n0::/app\n"), int64_t{1} << 30);
}

TEST(AvailableThreads, StaysWithinTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &before)) {
      CPU_SET(i, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(AvailableThreads(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

}  // namespace
}  // namespace riesz
