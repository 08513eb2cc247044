// SPDX-License-Identifier: Apache-2.0
#include "host/cli/new_run.h"

#include <system_error>
#include <utility>

namespace touchstone::cli {
namespace {

std::vector<std::filesystem::path> missing_directories(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> missing;
  std::filesystem::path path = std::filesystem::absolute(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "runs/a/" and "runs/a" are the same
  while (!std::filesystem::exists(path) && path.has_relative_path()) {
    missing.push_back(path);
    path = path.parent_path();
  }
  return missing;
}

}  // namespace

NewRun::NewRun(std::filesystem::path directory, const RunConfiguration& configuration)
    : directory_(std::move(directory)), created_(missing_directories(directory_)) {
  create_run_directory(directory_);
  try {
    configuration.save(directory_);
  } catch (...) {
    take_away();
    throw;
  }
}

NewRun::~NewRun() {
  std::error_code ignored;
  if (!std::filesystem::exists(directory_ / checkpoint_file, ignored)) take_away();
}

void NewRun::take_away() const noexcept {
  std::error_code ignored;
  for (const std::string_view file : {config_file, metrics_file, model_file}) {
    std::filesystem::remove(directory_ / file, ignored);
  }
  // Removes empty directories only: what others have put there stays.
  for (const std::filesystem::path& directory : created_) std::filesystem::remove(directory, ignored);
}

}  // namespace touchstone::cli
