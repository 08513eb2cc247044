// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include <sched.h>

#include "touchstone/device.h"

namespace touchstone {
namespace {

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // more than 1,024 processors
}

/// "max 100000" or "200000 100000": quota and period in microseconds; nothing where there is no limit.
std::optional<double> quota_in(const std::filesystem::path& cpu_max) {
  std::ifstream stream(cpu_max);
  double quota = 0;
  double period = 0;
  if (!(stream >> quota >> period) || period <= 0) return std::nullopt;
  return quota / period;
}

/// The smallest CPU quota of this process's cgroup (version 2) and those above it.
std::optional<double> cgroup_quota() {
  std::ifstream membership("/proc/self/cgroup");
  std::string line;
  std::optional<double> smallest;
  while (std::getline(membership, line)) {
    if (!line.starts_with("0::/")) continue;
    const std::filesystem::path root = "/sys/fs/cgroup";
    for (std::filesystem::path group = root / line.substr(4);; group = group.parent_path()) {
      const std::optional<double> quota = quota_in(group / "cpu.max");
      if (quota) smallest = std::min(smallest.value_or(*quota), *quota);
      if (group == root || !group.has_relative_path()) break;
    }
  }
  return smallest;
}

}  // namespace

int usable_cores() {
  const int cores = affinity_cores();
  const std::optional<double> quota = cgroup_quota();
  const int allowed = quota ? static_cast<int>(std::ceil(*quota)) : cores;
  return std::max(1, std::min(cores, allowed));
}

}  // namespace touchstone
