// SPDX-License-Identifier: Apache-2.0
#include "host/train/run_directory.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "host/model/toml_reader.h"
#include "host/model/write_file.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

namespace fs = std::filesystem;

toml::table idx_paths_table(const IdxPaths& paths) {
  return toml::table{{"training_images", fs::absolute(paths.training_images).string()},
                     {"training_labels", fs::absolute(paths.training_labels).string()},
                     {"test_images", fs::absolute(paths.test_images).string()},
                     {"test_labels", fs::absolute(paths.test_labels).string()}};
}

toml::table run_table(const RunConfiguration& run) {
  toml::table table{{"device", run.device.name},
                    {"threads", run.device.threads},
                    {"graph", run.device.graph},
                    {"tf32", run.device.tf32},
                    {"tensor_cores", run.device.tensor_cores},
                    {"path", std::string(to_string(run.device.path))},
                    {"persistent", run.device.persistent},
                    {"seed", static_cast<std::int64_t>(run.settings.seed)},
                    {"shuffle", run.settings.shuffle},
                    {"validation", run.settings.validation}};
  if (run.settings.target_accuracy) table.insert("target_accuracy", *run.settings.target_accuracy);
  if (run.initial_weights) table.insert("initial_weights", fs::absolute(*run.initial_weights).string());
  if (run.data.directory) table.insert("data", fs::absolute(*run.data.directory).string());
  if (run.data.files) table.insert("files", idx_paths_table(*run.data.files));
  return table;
}

/// The network's text as a TOML string: as it stands where it can, so that it stays readable.
std::string network_string(const std::string& text) {
  if (text.find("'''") == std::string::npos && text.find('\r') == std::string::npos) return "'''\n" + text + "'''";
  std::ostringstream escaped;
  escaped << toml::value<std::string>(text);
  return escaped.str();
}

std::optional<fs::path> maybe_path(TomlReader& reader, std::string_view key) {
  if (!reader.has(key)) return std::nullopt;
  return fs::path(reader.string(key));
}

IdxPaths read_idx_paths(const toml::table& table, const std::string& origin) {
  TomlReader reader(table, origin, "[run.files]");
  IdxPaths paths{reader.string("training_images"), reader.string("training_labels"), reader.string("test_images"),
                 reader.string("test_labels")};
  reader.finish();
  return paths;
}

void read_run(const toml::table& table, const std::string& origin, RunConfiguration& run) {
  TomlReader reader(table, origin, "[run]");
  run.device.name = reader.string("device");
  std::int64_t threads = 0;
  reader.maybe("threads", threads, 0);
  run.device.threads = static_cast<int>(std::min<std::int64_t>(threads, std::numeric_limits<int>::max()));
  reader.maybe("graph", run.device.graph);
  reader.maybe("tf32", run.device.tf32);
  reader.maybe("tensor_cores", run.device.tensor_cores);
  if (reader.has("path")) run.device.path = path_named(reader.string("path"));
  reader.maybe("persistent", run.device.persistent);
  run.settings.seed = static_cast<std::uint64_t>(reader.integer("seed", 0));
  reader.maybe("shuffle", run.settings.shuffle);
  reader.maybe("validation", run.settings.validation, 0);
  if (reader.has("target_accuracy")) {
    double target = 0;
    reader.maybe("target_accuracy", target, 0);
    run.settings.target_accuracy = target;
  }
  run.initial_weights = maybe_path(reader, "initial_weights");
  run.data.directory = maybe_path(reader, "data");
  const toml::table* files = reader.maybe_table("files");
  if (files != nullptr) run.data.files = read_idx_paths(*files, origin);
  reader.finish();
}

}  // namespace

Dataset DataSource::load() const {
  if (files) return load_dataset(*files, files->training_images.stem().string());
  return directory ? load_dataset(*directory) : load_mnist();
}

std::string DataSource::describe() const {
  if (files) return files->training_images.string();
  return directory ? directory->string() : "the bundled MNIST";
}

void RunConfiguration::save(const fs::path& directory) const {
  std::ostringstream text;
  text << "# What this run was asked for, in full; `touchstone train --resume` takes it from here.\n";
  text << toml::table{{"run", run_table(*this)}} << "\n\n";
  text << "[training]\n" << write_recipe(settings.recipe) << "\n";
  text << "[network]\ntoml = " << network_string(network.toml()) << "\n";
  write_file(directory / config_file, text.str());
}

RunConfiguration RunConfiguration::load(const fs::path& directory) {
  const fs::path file = directory / config_file;
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    throw Error(fmt::format("{}: cannot be read: is {} a run directory?", file.string(), directory.string()));
  }
  const std::string origin = file.string();
  const toml::table document = parse_toml(text.str(), origin);
  TomlReader reader(document, origin, "configuration");
  const auto required = [&](std::string_view key) {
    const toml::table* table = reader.maybe_table(key);
    if (table == nullptr) reader.fail(key, "the table is missing");
    return table;
  };
  TomlReader network_reader(*required("network"), origin, "[network]");
  RunConfiguration run{.network =
                           Network::parse(network_reader.string("toml"), origin + " (the network's description)")};
  network_reader.finish();
  TomlReader training_reader(*required("training"), origin, "[training]");
  read_recipe(training_reader, run.settings.recipe);
  training_reader.finish();
  read_run(*required("run"), origin, run);
  reader.finish();
  return run;
}

fs::path default_run_directory(const std::string& dataset, const std::string& network) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  ::localtime_r(&now, &local);
  const fs::path base = fs::path("runs") / fmt::format("{:%Y-%m-%dT%H-%M-%S}-{}-{}", local, dataset, network);
  fs::path directory = base;
  for (int number = 2; fs::exists(directory); ++number) directory = fmt::format("{}-{}", base.string(), number);
  return directory;
}

void create_run_directory(const fs::path& directory) {
  for (const std::string_view file : {config_file, checkpoint_file}) {
    if (fs::exists(directory / file)) {
      throw Error(fmt::format("{}: holds a run already ({}); go on with it by --resume, or choose another --out",
                              directory.string(), file));
    }
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error || !fs::is_directory(directory)) {
    throw Error(fmt::format("{}: cannot create the run directory: {}", directory.string(),
                            error ? error.message() : "it is not a directory"));
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    throw Error(fmt::format("{}: the run directory cannot be written", directory.string()));
  }
}

}  // namespace touchstone
