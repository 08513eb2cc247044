// SPDX-License-Identifier: Apache-2.0
#include "host/cli/version.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/build_info.h"
#include "touchstone/device.h"

namespace touchstone::cli {
namespace {

std::vector<std::string> backends() {
  std::vector<std::string> names = device_names();
  const bool with_cuda = !std::string_view(build_info.cuda_architectures).empty();
  const auto left_out = [&](const std::string& name) { return name == "auto" || (name == "cuda" && !with_cuda); };
  names.erase(std::remove_if(names.begin(), names.end(), left_out), names.end());
  return names;
}

/// The cpu device's description: the processor, its threads and its instruction set.
std::string processor() {
  for (const DeviceInfo& device : list_devices()) {
    if (device.name == "cpu") return device.description;
  }
  return "unknown";
}

}  // namespace

std::string version_text() {
  const std::string_view cuda = build_info.cuda_architectures;
  return fmt::format(
      "touchstone {}\n"
      "commit              {}\n"
      "compiler            {}\n"
      "backends            {}\n"
      "CUDA architectures  {}\n"
      "processor           {}\n",
      build_info.version, build_info.commit, build_info.compiler, fmt::join(backends(), " "),
      cuda.empty() ? "none: built without CUDA" : cuda, processor());
}

nlohmann::ordered_json version_json() {
  nlohmann::ordered_json json;
  json["version"] = build_info.version;
  json["commit"] = build_info.commit;
  json["compiler"] = build_info.compiler;
  json["backends"] = backends();
  json["cuda_architectures"] = build_info.cuda_architectures;
  json["processor"] = processor();
  return json;
}

}  // namespace touchstone::cli
