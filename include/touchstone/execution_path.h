// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace touchstone {

/// How a device is to run a network, as --path says it.
enum class PathRequest : std::uint8_t {
  automatic,  ///< the device decides
  layered,    ///< one operation at a time
  fused       ///< as much at a time as the device can; Error where it can do nothing else than layered
};

/// "auto", "layered" or "fused".
std::string_view to_string(PathRequest request);
/// The request of this name. Throws UsageError for another.
PathRequest path_named(std::string_view name);
/// The names of the requests.
std::vector<std::string> path_names();

/// How sums of products are taken, each with roundings of its own.
enum class SumMethod : std::uint8_t {
  plain,        ///< as they are, in any order
  winograd,     ///< by Winograd's method (host/cpu/winograd.h)
  tensor_cores  ///< of factors as two TF32 numbers each (kernels/tensor_core.h)
};

/// How a device runs a network, and why.
struct ExecutionPath {
  std::string name;           ///< "layered" or "fused"
  std::string detail;         ///< "persistent: 40 KB of parameters and 46 KB for a sample in 227 KB of shared memory"
  bool tensor_cores = false;  ///< they take the convolutions' products
};

/// Name and detail, or the name alone.
std::string describe(const ExecutionPath& path);

}  // namespace touchstone
