// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/data_options.h"
#include "host/cli/model_argument.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/cli/version.h"
#include "host/report/dataset_report.h"
#include "host/report/network_report.h"
#include "host/report/table.h"
#include "host/report/units.h"
#include "touchstone/device.h"
#include "touchstone/error.h"
#include "touchstone/model.h"
#include "touchstone/network.h"

namespace touchstone::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* examples =
    "  touchstone info                   version, devices, networks\n"
    "  touchstone info devices\n"
    "  touchstone info seed              the layers of a network\n"
    "  touchstone info runs/NAME         a trained model\n"
    "  touchstone info mnist             a data set, with a few of its images";

/// Where a result goes: as text for people, or as data.
void show(const Console& console, const std::string& text, const Json& json) {
  console.print_json(json);
  if (!console.wants_json()) console.print(text);
}

std::string devices_text(const report::Style& style) {
  report::Table table(
      {{"device", report::Align::left}, {"state", report::Align::left}, {"description", report::Align::left}});
  for (const DeviceInfo& device : list_devices()) {
    table.add_row({device.name, device.available ? style.green("ready") : style.yellow("missing"), device.description});
  }
  return table.to_string(style);
}

Json devices_json() {
  Json all = Json::array();
  for (const DeviceInfo& device : list_devices()) {
    Json json;
    json["name"] = device.name;
    json["available"] = device.available;
    json["description"] = device.description;
    all.push_back(std::move(json));
  }
  return all;
}

void show_overview(const Console& console) {
  const report::Style style = console.style();
  report::Table networks({{"network", report::Align::left}, {"parameters"}, {"description", report::Align::left}});
  Json networks_json = Json::array();
  for (const std::string& name : Network::names()) {
    const Network network = Network::named(name);
    networks.add_row({name, report::group_digits(network.parameter_count()), network.description()});
    Json json;
    json["name"] = name;
    json["description"] = network.description();
    json["parameters"] = network.parameter_count();
    networks_json.push_back(std::move(json));
  }
  Json json = version_json();
  json["devices"] = devices_json();
  json["networks"] = std::move(networks_json);
  show(console, version_text() + "\n" + devices_text(style) + "\n" + networks.to_string(style), json);
}

/// How each device that is there runs a network, and why.
std::vector<std::pair<std::string, ExecutionPath>> paths_of(const Network& network) {
  std::vector<std::pair<std::string, ExecutionPath>> paths;
  const ExecutionPlan plan = make_plan(network);
  for (const DeviceInfo& device : list_devices()) {
    if (device.available) paths.emplace_back(device.name, execution_path({.name = device.name}, plan));
  }
  return paths;
}

std::string paths_text(const Network& network, const report::Style& style) {
  report::Table table({{"device", report::Align::left}, {"path", report::Align::left}, {"", report::Align::left}});
  for (const auto& [device, path] : paths_of(network)) table.add_row({device, path.name, path.detail});
  return table.to_string(style);
}

Json paths_json(const Network& network) {
  Json all = Json::array();
  for (const auto& [device, path] : paths_of(network)) {
    Json json;
    json["device"] = device;
    json["path"] = path.name;
    json["detail"] = path.detail;
    all.push_back(std::move(json));
  }
  return all;
}

void show_network(const Console& console, const Network& network) {
  Json json = report::network_json(network);
  json["paths"] = paths_json(network);
  show(console, report::network_text(network, console.style()) + "\n" + paths_text(network, console.style()), json);
}

void show_model(const Console& console, const std::filesystem::path& file) {
  const Model model = Model::load(file);
  const Normalisation& normalisation = model.normalisation;
  Json json = report::network_json(model.network);
  json["file"] = file.string();
  json["file_bytes"] = std::filesystem::file_size(file);
  json["normalisation"]["mean"] = normalisation.mean;
  json["normalisation"]["std"] = normalisation.std;
  const std::string text =
      fmt::format("file       {}, {}\npixels     scaled to 0..1, less {}, divided by {}\n\n", file.string(),
                  report::format_bytes(static_cast<std::int64_t>(std::filesystem::file_size(file))),
                  report::format_number(normalisation.mean), report::format_number(normalisation.std));
  show(console, text + report::network_text(model.network, console.style()), json);
}

void show_data(const Console& console, const DataSource& source) {
  const Dataset dataset = load_data(source);
  show(console, report::dataset_text(dataset, console.traits()), report::dataset_json(dataset));
}

/// What an argument can be beside a file or directory.
std::vector<std::string> known_words() {
  std::vector<std::string> words = {"devices", "mnist"};
  for (const std::string& name : Network::names()) words.push_back(name);
  return words;
}

void show_subject(const Console& console, const std::string& subject) {
  const std::vector<std::string> networks = Network::names();
  const std::filesystem::path path = subject;
  if (subject == "devices") {
    show(console, devices_text(console.style()), devices_json());
  } else if (std::find(networks.begin(), networks.end(), subject) != networks.end()) {
    show_network(console, Network::named(subject));
  } else if (subject == "mnist") {
    show_data(console, named_data(subject));
  } else if (std::filesystem::is_directory(path)) {
    const bool is_run = std::filesystem::exists(path / model_file) || std::filesystem::exists(path / config_file);
    is_run ? show_model(console, find_model(path)) : show_data(console, named_data(path));
  } else if (path.extension() == ".safetensors") {
    show_model(console, path);
  } else if (path.extension() == ".toml") {
    show_network(console, Network::load(path));
  } else {
    throw UsageError(fmt::format("{}: neither a directory of data or of a run, nor a .safetensors or .toml file{}",
                                 subject, spelling_hint(subject, known_words())));
  }
}

int run_info(const std::optional<std::string>& subject, const Console& console) {
  if (subject) {
    show_subject(console, *subject);
  } else {
    show_overview(console);
  }
  return exit_success;
}

}  // namespace

Command define_info(CLI::App& program) {
  CLI::App* app = program.add_subcommand("info", "Describe a network, a model, a data set or the devices");
  app->footer(examples);
  const auto subject = std::make_shared<std::optional<std::string>>();
  add_text(
      *app, "SUBJECT", "[SUBJECT]", *subject,
      "devices, or a network (a name or .toml file), a model (.safetensors or a run directory) or data (mnist or a "
      "directory)")
      ->group("Arguments");
  return {app,
          [subject](const GlobalOptions& /*global*/, const Console& console) { return run_info(*subject, console); }};
}

}  // namespace touchstone::cli
