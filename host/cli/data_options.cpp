// SPDX-License-Identifier: Apache-2.0
#include "host/cli/data_options.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/cli/option_types.h"
#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

/// The four options with their values, in the order of IdxPaths.
using NamedFile = std::pair<const char*, const std::optional<std::filesystem::path>*>;

std::array<NamedFile, 4> named_files(const DataOptions& options) {
  return {NamedFile{"--train-images", &options.training_images}, NamedFile{"--train-labels", &options.training_labels},
          NamedFile{"--test-images", &options.test_images}, NamedFile{"--test-labels", &options.test_labels}};
}

}  // namespace

bool DataOptions::given() const { return data || training_images || training_labels || test_images || test_labels; }

DataSource DataOptions::source() const {
  std::vector<std::string> present;
  std::vector<std::string> missing;
  for (const NamedFile& file : named_files(*this)) (*file.second ? present : missing).emplace_back(file.first);
  if (present.empty()) return data ? named_data(*data) : DataSource{};
  if (data) throw UsageError(fmt::format("{}: DATA is given already, as {}", present.front(), data->string()));
  if (!missing.empty()) {
    throw UsageError(fmt::format("{} needs {} beside it", fmt::join(present, ", "), fmt::join(missing, ", ")));
  }
  DataSource source;
  source.files = IdxPaths{*training_images, *training_labels, *test_images, *test_labels};
  return source;
}

void add_data_options(CLI::App& app, DataOptions& options, const char* fallback) {
  constexpr const char* group = "Data";
  add_path(app, "DATA", "[DATA]", options.data,
           "Directory with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
           "t10k-labels-idx1-ubyte, each plain or with .gz; or mnist, which comes with Touchstone")
      ->group(group)
      ->default_str(fallback);
  const auto add_file = [&app](const char* name, std::optional<std::filesystem::path>& value, const char* description) {
    add_path(app, name, "FILE", value, description)->group(group);
  };
  add_file("--train-images", options.training_images, "IDX file, in place of DATA (all four are needed)");
  add_file("--train-labels", options.training_labels, "IDX file");
  add_file("--test-images", options.test_images, "IDX file");
  add_file("--test-labels", options.test_labels, "IDX file");
}

DataSource named_data(const std::filesystem::path& name) {
  DataSource source;
  if (name != "mnist") source.directory = name;
  return source;
}

Dataset load_data(const DataSource& source) {
  if (source.directory && !std::filesystem::is_directory(*source.directory)) {
    throw Error(fmt::format("{}: no such directory of data", source.directory->string()));
  }
  return source.load();
}

}  // namespace touchstone::cli
