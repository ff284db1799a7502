#include "core/available_threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace riesz {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

std::optional<long> Number(std::string_view text) {
  text = Trimmed(text);
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> Processors(std::optional<long> quota, std::optional<long> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<int>(std::min(*quota / *period + (*quota % *period != 0), 1L << 20));
}

template <typename T>
std::optional<T> Smaller(std::optional<T> a, std::optional<T> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// The smallest of limit_of(path) over a group and its ancestors: a limit of any of them binds.
// Inside a container the path is often the host's and not there: then only the root, which is the
// container's own group, answers.
template <typename LimitOf>
auto SmallestLimit(std::string path, LimitOf limit_of) -> decltype(limit_of(path)) {
  decltype(limit_of(path)) least;
  for (;; path.resize(path.rfind('/'))) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    least = Smaller(least, limit_of(path));
    if (path.empty()) return least;
  }
}

// The path behind the last ':' of the line of /proc/self/cgroup that names the controller.
std::string GroupPath(std::string_view text, std::string_view controller) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t first = line.find(':'), last = line.find(':', first + 1);
    if (first == line.npos || last == line.npos) continue;
    const std::string_view names = line.substr(first + 1, last - first - 1);
    if (names == controller ||
        (!controller.empty() && names.find(std::string(controller) + ",") == 0)) {
      return std::string(line.substr(last + 1));
    }
  }
  return "/";
}

}  // namespace

std::optional<int> ProcessorsOfCpuMax(std::string_view cpu_max) {
  const size_t space = cpu_max.find(' ');
  if (space == cpu_max.npos) return std::nullopt;
  return Processors(Number(cpu_max.substr(0, space)), Number(cpu_max.substr(space + 1)));
}

std::optional<int> ProcessorsOfCfsQuota(std::string_view quota_us, std::string_view period_us) {
  return Processors(Number(quota_us), Number(period_us));
}

std::optional<int> CgroupProcessors(const std::string& root, std::string_view proc_self_cgroup) {
  return Smaller(SmallestLimit(GroupPath(proc_self_cgroup, ""),
                               [&](const std::string& path) {
                                 return ProcessorsOfCpuMax(ReadText(root + path + "/cpu.max"));
                               }),
                 SmallestLimit(GroupPath(proc_self_cgroup, "cpu"), [&](const std::string& path) {
                   const std::string group = root + "/cpu" + path;
                   return ProcessorsOfCfsQuota(ReadText(group + "/cpu.cfs_quota_us"),
                                               ReadText(group + "/cpu.cfs_period_us"));
                 }));
}

std::optional<int64_t> CgroupMemory(const std::string& root, std::string_view proc_self_cgroup) {
  const auto limit_in = [&](const std::string& folder, const char* file) {
    return [=](const std::string& path) -> std::optional<int64_t> {
      return Number(ReadText(folder + path + "/" + file));  // "max" is no number, so no limit
    };
  };
  return Smaller(SmallestLimit(GroupPath(proc_self_cgroup, ""), limit_in(root, "memory.max")),
                 SmallestLimit(GroupPath(proc_self_cgroup, "memory"),
                               limit_in(root + "/memory", "memory.limit_in_bytes")));
}

int AvailableThreads() {
  int processors = 1;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) processors = CPU_COUNT(&set);
  const auto quota = CgroupProcessors("/sys/fs/cgroup", ReadText("/proc/self/cgroup"));
  return std::max(1, quota ? std::min(processors, *quota) : processors);
}

int64_t AvailableMemory() {
  const int64_t machine =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<int64_t>(sysconf(_SC_PAGE_SIZE));
  const auto limit = CgroupMemory("/sys/fs/cgroup", ReadText("/proc/self/cgroup"));
  return limit ? std::min(machine, *limit) : machine;
}

}  // namespace riesz
