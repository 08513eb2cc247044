// SPDX-License-Identifier: Apache-2.0
#include "host/bench/profile.h"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/device_text.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/cli/rates.h"
#include "host/cli/status_line.h"
#include "host/model/write_file.h"
#include "host/report/table.h"
#include "host/report/units.h"
#include "touchstone/network.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone profile\n"
    "  touchstone profile --network wide --batch-size 256 --threads 1\n"
    "  touchstone profile --steps 5 --trace trace.json    for https://ui.perfetto.dev\n"
    "  scripts/nsight systems                           the same under Nsight Systems";

constexpr std::int64_t default_steps = 20;

struct ProfileOptions {
  std::optional<std::string> network;
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> steps;
  std::optional<std::filesystem::path> trace;
};

void add_line(const bench::ProfileLine& line, double total_seconds, report::Table& table) {
  table.add_row({line.operation, line.layer, report::group_digits(line.calls), duration_text(line.seconds),
                 report::format_percent(line.seconds / total_seconds), rate_text(line.flops, line.seconds),
                 rate_text(line.bytes, line.seconds)});
}

/// A line an operation and layer, the longest first, and their sum.
std::string profile_text(const bench::ProfileReport& report, const report::Style& style) {
  using report::Align;
  report::Table table(
      {{"operation", Align::left}, {"layer", Align::left}, {"calls"}, {"total"}, {"share"}, {"GFLOP/s"}, {"GB/s"}});
  const bench::ProfileLine total = report.total();
  for (const bench::ProfileLine& line : report.lines) add_line(line, total.seconds, table);
  table.set_total({"total", "", report::group_digits(total.calls), duration_text(total.seconds), "100.00 %",
                   rate_text(total.flops, total.seconds), rate_text(total.bytes, total.seconds)});
  return table.to_string(style);
}

std::string summary_text(const bench::ProfileReport& report) {
  const std::string lanes = report.lanes == 1 ? "" : fmt::format(" on {} threads", report.lanes);
  return fmt::format("\na step takes {}; operations fill {} of that time{}\n",
                     duration_text(report.seconds / static_cast<double>(report.steps)),
                     report::format_percent(report.busy()), lanes);
}

int run_profile(const ProfileOptions& options, const GlobalOptions& global, const Console& console) {
  const DeviceRequest device = resolve_device(global.device_request());
  const Network network = Network::find(options.network.value_or(Network::names().front()));
  const bench::SessionSettings settings{.batch_size = options.batch_size.value_or(network.recipe().batch_size),
                                        .seed = global.seed.value_or(1),
                                        .device = device};
  const std::int64_t steps = options.steps.value_or(default_steps);
  std::optional<StatusLine> status(console);
  status->show(fmt::format("{} steps of {} on {}", steps, network.name(), device.name));
  const bench::ProfileReport report = bench::profile(network, settings, steps);
  status.reset();

  nlohmann::ordered_json json = bench::to_json(report);
  json["path"] = path_text(device, network);
  std::string text =
      fmt::format("device   {}\npath     {}\nnetwork  {}, batches of {}\nsteps    {}\n\n", device_text(device),
                  path_text(device, network), report.network, report.batch_size, report.steps);
  text += profile_text(report, console.style()) + summary_text(report);
  if (options.trace) {
    write_file(*options.trace, bench::chrome_trace(report).dump() + "\n");
    text += fmt::format("trace    {} (open it at https://ui.perfetto.dev)\n", options.trace->string());
    json["trace"] = options.trace->string();
  }
  console.print(text);
  console.print_json(json);
  return exit_success;
}

}  // namespace

Command define_profile(CLI::App& program) {
  CLI::App* app = program.add_subcommand("profile", "Train a few steps: where does the time go?");
  app->footer(examples);
  constexpr const char* group = "Profile";
  constexpr Range<std::int64_t> batch_sizes = {1, std::numeric_limits<std::int32_t>::max()};
  const auto options = std::make_shared<ProfileOptions>();
  add_text(*app, "--network", "NAME|FILE", options->network,
           fmt::format("Network to train: {}, or a description in TOML", list_words(Network::names())))
      ->group(group)
      ->default_str(Network::names().front());
  add_whole(*app, "--batch-size", options->batch_size, batch_sizes, "Images a step")
      ->group(group)
      ->default_str("the network's recipe");
  add_whole(*app, "--steps", options->steps, {1, 100'000}, "Steps that are timed, after some that are not")
      ->group(group)
      ->default_str(std::to_string(default_steps));
  add_path(*app, "--trace", "FILE", options->trace, "Write a timeline in Chrome's trace format, for Perfetto")
      ->group(group);
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_profile(*options, global, console);
          }};
}

}  // namespace touchstone::cli
