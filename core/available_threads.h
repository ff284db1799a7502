// What this process may use of the machine: processors, which pools are sized by, and memory, which
// ledgers are. hardware_concurrency and the number of pages know neither a container's limits nor
// an affinity mask.
//
// Thread safety: the functions are pure but for reading files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace riesz {

// The smaller of the affinity mask and the cgroup's quota (rounded up to whole processors), at
// least 1.
int AvailableThreads();

// Whole processors that a cgroup allows, rounded up; nothing where it sets no limit or the text is
// not understood. `cpu_max` is version 2's "<quota|max> <period>".
std::optional<int> ProcessorsOfCpuMax(std::string_view cpu_max);
// Version 1's cpu.cfs_quota_us and cpu.cfs_period_us; a quota of -1 is no limit.
std::optional<int> ProcessorsOfCfsQuota(std::string_view quota_us, std::string_view period_us);
// The smallest limit of a cgroup and its ancestors under `root` (/sys/fs/cgroup), the group named
// by the text of /proc/self/cgroup.
std::optional<int> CgroupProcessors(const std::string& root, std::string_view proc_self_cgroup);

// Bytes: the smaller of the machine's memory and the cgroup's limit.
int64_t AvailableMemory();
// The smallest memory.max (version 2) or memory.limit_in_bytes (version 1) of a cgroup and its
// ancestors, as CgroupProcessors.
std::optional<int64_t> CgroupMemory(const std::string& root, std::string_view proc_self_cgroup);

}  // namespace riesz
