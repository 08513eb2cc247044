// SPDX-License-Identifier: Apache-2.0
#include "touchstone/execution_path.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "touchstone/error.h"

namespace touchstone {
namespace {

constexpr std::array requests = {PathRequest::automatic, PathRequest::layered, PathRequest::fused};

}  // namespace

std::string_view to_string(PathRequest request) {
  switch (request) {
    case PathRequest::automatic:
      return "auto";
    case PathRequest::layered:
      return "layered";
    case PathRequest::fused:
      return "fused";
  }
  return "";
}

PathRequest path_named(std::string_view name) {
  const auto* const found = std::find_if(requests.begin(), requests.end(),
                                         [name](PathRequest request) { return to_string(request) == name; });
  if (found == requests.end()) {
    throw UsageError(fmt::format("unknown path `{}` (known: {})", name, fmt::join(path_names(), ", ")));
  }
  return *found;
}

std::vector<std::string> path_names() {
  std::vector<std::string> names;
  for (const PathRequest request : requests) {
    names.emplace_back(to_string(request));
  }
  return names;
}

std::string describe(const ExecutionPath& path) {
  return path.detail.empty() ? path.name : fmt::format("{}: {}", path.name, path.detail);
}

}  // namespace touchstone
