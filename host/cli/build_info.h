// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace touchstone::cli {

/// How this program was built.
struct BuildInfo {
  std::string_view version;
  std::string_view commit;              ///< "unknown" outside a git work tree
  std::string_view compiler;            ///< with its version and the build type
  std::string_view cuda_architectures;  ///< "75 90 120"; empty without CUDA
};

extern const BuildInfo build_info;

}  // namespace touchstone::cli
