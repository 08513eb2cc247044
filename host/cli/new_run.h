// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "host/train/run_directory.h"

namespace touchstone::cli {

/// The directory of a run that begins. Where the run fails before its first checkpoint, everything that was made for it
/// is taken away again, so that a mistake leaves nothing behind.
class NewRun {
 public:
  /// Creates the directory and writes config.toml. Throws Error where it holds a run already or cannot be written.
  NewRun(std::filesystem::path directory, const RunConfiguration& configuration);
  NewRun(const NewRun&) = delete;
  NewRun& operator=(const NewRun&) = delete;
  ~NewRun();

 private:
  void take_away() const noexcept;

  std::filesystem::path directory_;
  std::vector<std::filesystem::path> created_;  ///< directories that did not exist before, the innermost first
};

}  // namespace touchstone::cli
