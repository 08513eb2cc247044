// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace touchstone {

/// How a device is to run a network, as --path says it.
enum class PathRequest : std::uint8_t {
  automatic,  ///< the device decides
  layered,    ///< one operation at a time
  fused       ///< as much at a time as the device can; Error where it can do nothing else than layered
};

/// How a device runs a network, and why.
struct ExecutionPath {
  std::string name;    ///< "layered" or "fused"
  std::string detail;  ///< "persistent: 40 KB of parameters and 46 KB for a sample in 227 KB of shared memory"
};

/// "fused, persistent: ...", or the name alone.
[[nodiscard]] inline std::string describe(const ExecutionPath& path) {
  return path.detail.empty() ? path.name : path.name + ": " + path.detail;
}

}  // namespace touchstone
