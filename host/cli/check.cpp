// SPDX-License-Identifier: Apache-2.0
#include "host/check/check.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/check/devices.h"
#include "host/cli/command.h"
#include "host/cli/device_text.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/cli/status_line.h"
#include "host/report/table.h"
#include "host/report/units.h"
#include "touchstone/device.h"
#include "touchstone/network.h"
#include "touchstone/plan.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone check\n"
    "  touchstone check --device emulated --operation conv2d_forward,maxpool_forward\n"
    "  touchstone check --operation conv2d_forward --seed 1 --case 57     one case, as a failure names it\n"
    "  touchstone check --json | jq .passed";

struct CheckOptions {
  std::vector<std::string> operations;
  std::optional<std::int64_t> cases;
  std::optional<std::int64_t> only_case;
  std::optional<std::int64_t> steps;
};

/// A ratio of an error to its bound: "0.48", "1.2e+06", or that something is unequal that has no bound.
std::string ratio_text(double ratio) { return std::isinf(ratio) ? "unequal" : fmt::format("{:.2g}", ratio); }

std::string verdict(bool passed, const report::Style& style) {
  return passed ? style.green("passed") : style.red("FAILED");
}

std::string followed_text(std::int64_t followed) {
  return followed == 0 ? std::string() : fmt::format("; followed in {} close choices", report::group_digits(followed));
}

void add_operation(const check::OperationReport& operation, report::Table& table, const report::Style& style) {
  const bool passed = operation.failed_cases == 0;
  table.add_row({operation.operation, report::group_digits(operation.cases),
                 report::group_digits(operation.failed_cases), ratio_text(operation.worst_ratio),
                 verdict(passed, style), operation.worst_shape + followed_text(operation.followed)});
}

/// Which network is meant, and which of a device's paths.
template <class Report>
std::string suffix(const Report& report) {
  return fmt::format(", {}{}{}", report.network, report.path.empty() ? "" : ", ", report.path);
}

void add_property(const check::PropertyReport& property, report::Table& table, const report::Style& style) {
  const bool passed = property.problem.empty();
  table.add_row({property.property + suffix(property), "1", passed ? "0" : "1", "", verdict(passed, style), ""});
}

/// At which parameters the gradients are.
std::string place_text(const check::GradientReport& gradients) {
  return gradients.ties ? "with ties" : fmt::format("after {} steps", gradients.step);
}

void add_network(const check::NetworkReport& network, report::Table& table, const report::Style& style) {
  for (const check::GradientReport& gradients : network.gradients) {
    table.add_row({fmt::format("gradients {}{}", place_text(gradients), suffix(network)), "1",
                   gradients.problem.empty() ? "0" : "1", ratio_text(gradients.worst_ratio),
                   verdict(gradients.problem.empty(), style),
                   fmt::format("bounds up to {:.1g} of the largest gradient; {} samples passed over",
                               gradients.loosest_bound, gradients.passed_over)});
  }
  if (network.exactness) {
    const bool passed = network.exactness->problem.empty();
    table.add_row(
        {"exactness of gradients" + suffix(network), "1", passed ? "0" : "1",
         ratio_text(network.exactness->worst_ratio), verdict(passed, style),
         fmt::format("errors up to {:.2g} times those of {}",
                     check::ExactnessReport::allowance * network.exactness->worst_ratio, network.exactness->other)});
  }
  const check::TrajectoryReport& trajectory = network.trajectory;
  table.add_row(
      {fmt::format("trajectory of {} steps{}", trajectory.steps, suffix(network)), "1",
       trajectory.problem.empty() ? "0" : "1", ratio_text(trajectory.worst_ratio),
       verdict(trajectory.problem.empty(), style),
       fmt::format("step {}; drift {:.2g}, the reference's own {:.2g}; {} samples passed over", trajectory.worst_step,
                   trajectory.drift, trajectory.reference_drift, trajectory.passed_over)});
}

std::string network_failures_text(const check::CheckReport& report, const check::NetworkReport& network,
                                  const report::Style& style) {
  std::string text;
  const std::string repeat = fmt::format("  repeat with: {}\n", check::repeat_command(report, "network"));
  for (const check::GradientReport& gradients : network.gradients) {
    if (gradients.problem.empty()) continue;
    text += fmt::format("\n{} {}: {} of {} are wrong, first\n  {}\n{}", style.bold("gradients" + suffix(network)),
                        place_text(gradients), gradients.wrong, gradients.parameters, gradients.problem, repeat);
  }
  if (network.exactness && !network.exactness->problem.empty()) {
    text += fmt::format("\n{}: {}\n{}", style.bold("exactness of gradients" + suffix(network)),
                        network.exactness->problem, repeat);
  }
  if (const std::string& problem = network.trajectory.problem; !problem.empty()) {
    text += fmt::format("\n{}: {}\n{}", style.bold("trajectory" + suffix(network)), problem, repeat);
  }
  return text;
}

std::string failures_text(const check::CheckReport& report, const report::Style& style) {
  std::string text;
  for (const check::OperationReport& operation : report.operations) {
    for (const check::Failure& failure : operation.details) {
      text += fmt::format("\n{} case {}, {}\n  {}\n  {}\n  repeat with: {}\n", style.bold(operation.operation),
                          failure.case_index, failure.trial, failure.shape, failure.problem,
                          check::repeat_command(report, operation.operation, failure.case_index));
    }
  }
  for (const check::PropertyReport& property : report.executor) {
    if (property.problem.empty()) continue;
    text += fmt::format("\n{}: {}\n  repeat with: {}\n", style.bold(property.property + suffix(property)),
                        property.problem, check::repeat_command(report, "executor"));
  }
  for (const check::NetworkReport& network : report.networks) text += network_failures_text(report, network, style);
  return text;
}

/// A line an operation, the network's lines, then each failure with its shape and the command that repeats it.
std::string check_text(const check::CheckReport& report, const report::Style& style) {
  using report::Align;
  report::Table table({{"operation", Align::left},
                       {"cases"},
                       {"failures"},
                       {"worst error / bound"},
                       {"", Align::left},
                       {"where", Align::left}});
  for (const check::OperationReport& operation : report.operations) add_operation(operation, table, style);
  for (const check::PropertyReport& property : report.executor) add_property(property, table, style);
  for (const check::NetworkReport& network : report.networks) add_network(network, table, style);
  return table.to_string(style) + failures_text(report, style);
}

/// Says what is being checked.
check::CheckObserver show_on(StatusLine& status) {
  return {.on_case =
              [&status](const std::string& operation, std::int64_t done, std::int64_t cases) {
                status.show_now_and_then(fmt::format("{}, case {} of {}", operation, done + 1, cases));
              },
          .on_stage = [&status](const std::string& stage) { status.show("network: " + stage); }};
}

/// The paths to check: the one that is asked for, else each that the device can take with `seed`.
std::vector<check::ExecutorPath> paths_of(const DeviceRequest& device) {
  const auto maker = [](const DeviceRequest& request) {
    return [request](const ExecutorSettings& settings) { return make_executor(request, settings); };
  };
  const ExecutionPath chosen = execution_path(device, make_plan(Network::named("seed")));
  std::vector<check::ExecutorPath> paths = {{chosen.name, maker(device)}};
  if (chosen.tensor_cores) {
    paths.front().name += " by tensor cores";
    paths.front().tensor_cores = true;
    DeviceRequest without = device;
    without.tensor_cores = false;
    paths.push_back({chosen.name, maker(without)});
  }
  if (device.path == PathRequest::automatic && chosen.name != to_string(PathRequest::layered)) {
    DeviceRequest layered = device;
    layered.path = PathRequest::layered;
    paths.push_back({std::string(to_string(layered.path)), maker(layered)});
  }
  return paths;
}

int run_check(const CheckOptions& options, const GlobalOptions& global, const Console& console) {
  const DeviceRequest device = resolve_device(global.device_request());
  check::CheckSettings settings;
  settings.names = options.operations;
  settings.range.seed = global.seed.value_or(settings.range.seed);
  settings.range.cases = options.cases.value_or(settings.range.cases);
  settings.range.only = options.only_case;
  settings.steps = options.steps.value_or(settings.steps);
  settings.autoencoders = device.path != PathRequest::fused;

  const std::unique_ptr<DeviceOperations> operations = check::make_operations(device);
  const auto start = std::chrono::steady_clock::now();
  std::optional<StatusLine> status(console);
  const check::CheckReport report = check::run_check(*operations, paths_of(device), settings, show_on(*status));
  status.reset();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  console.print(fmt::format("device  {}\nseed    {}\neach    {}\n\n", device_text(device), report.seed,
                            fmt::join(report.variants, ", ")));
  console.print(check_text(report, console.style()));
  console.print(
      fmt::format("\n{} in {}\n", verdict(report.passed(), console.style()), report::format_seconds(seconds.count())));
  console.print_json(check::to_json(report));
  return report.passed() ? exit_success : exit_failure;
}

}  // namespace

Command define_check(CLI::App& program) {
  CLI::App* app = program.add_subcommand("check", "Compare a device with the reference: how right is it?");
  app->footer(examples);
  const auto options = std::make_shared<CheckOptions>();
  add_words(*app, "--operation", "OP[,OP...]", options->operations,
            fmt::format("Check this alone; may be repeated: {}", fmt::join(check::check_names(), ", ")))
      ->group("Check");
  add_whole(*app, "--cases", options->cases, {1, 1'000'000}, "Shapes an operation")->group("Check")->default_str("200");
  add_whole(*app, "--case", options->only_case, {0, 1'000'000}, "Run this case alone")->group("Check");
  add_whole(*app, "--steps", options->steps, {1, 1000}, "Steps of the trajectory")->group("Check")->default_str("50");
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_check(*options, global, console);
          }};
}

}  // namespace touchstone::cli
