// SPDX-License-Identifier: Apache-2.0
#include "host/bench/bench.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/device_text.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/cli/rates.h"
#include "host/cli/status_line.h"
#include "host/report/table.h"
#include "host/report/units.h"
#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

using report::Align;

constexpr const char* examples =
    "  touchstone bench\n"
    "  touchstone bench --operation conv2d_forward,sgd --shapes wide,large\n"
    "  touchstone bench --device cuda --against cpu      the GPU beside the processor\n"
    "  touchstone bench --shapes seed --against reference --operation sigmoid_forward\n"
    "  touchstone bench --operation epoch --epoch-batches 64,256\n"
    "  touchstone bench --json | jq '.operations[] | {operation, shape, seconds}'";

struct BenchOptions {
  std::vector<std::string> operations;
  std::vector<std::string> shapes;
  std::vector<std::string> epoch_batches;
  std::optional<std::string> against;
  std::optional<std::int64_t> batch_size;
  std::optional<double> seconds;
};

constexpr std::int64_t largest_batch = std::int64_t{1} << 16U;

std::vector<std::int64_t> batch_sizes_of(const std::vector<std::string>& words) {
  std::vector<std::int64_t> sizes;
  for (const std::string& word : words) {
    const std::optional<std::int64_t> size = parse_number<std::int64_t>(word);
    if (!size || *size < 1 || *size > largest_batch) {
      throw UsageError(
          fmt::format("--epoch-batches: expected whole numbers from 1 to {}, got {}", largest_batch, word));
    }
    sizes.push_back(*size);
  }
  return sizes.empty() ? bench::default_batch_sizes() : sizes;
}

bench::BenchSettings settings_of(const BenchOptions& options, const GlobalOptions& global) {
  bench::BenchSettings settings;
  settings.device = resolve_device(global.device_request());
  if (options.against) {
    settings.against = settings.device;
    settings.against->name = *options.against;
    settings.against->path = PathRequest::automatic;
    settings.against = resolve_device(*settings.against);
  }
  settings.names = options.operations;
  settings.sets = options.shapes;
  settings.batch = options.batch_size.value_or(settings.batch);
  settings.batch_sizes = batch_sizes_of(options.epoch_batches);
  settings.seed = global.seed.value_or(settings.seed);
  settings.sampling.most_seconds = options.seconds.value_or(settings.sampling.most_seconds);
  settings.most_epoch_seconds = options.seconds.value_or(settings.most_epoch_seconds);
  return settings;
}

std::string spread_text(const bench::Measurement& time) { return fmt::format("{:.0f} %", 100 * time.spread); }
std::string ratio_text(double ratio) { return fmt::format("{:.{}f}x", ratio, ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0); }
std::string error_text(double error) { return error == 0 ? "0" : fmt::format("{:.1e}", error); }

/// The columns that another device adds.
void add_comparison_columns(const bench::BenchReport& report, std::vector<report::Column>& columns) {
  if (!report.against) return;
  columns.push_back({report.against->name});
  columns.push_back({"speed-up"});
  columns.push_back({"worst error"});
}

std::string operations_text(const bench::BenchReport& report, const report::Style& style) {
  if (report.operations.empty()) return "";
  std::vector<report::Column> columns = {
      {"operation", Align::left}, {"shape", Align::left}, {"time"}, {"+-"}, {"GFLOP/s"}, {"GB/s"}, {"of roof"}};
  add_comparison_columns(report, columns);
  report::Table table(columns);
  for (const bench::OperationLine& line : report.operations) {
    std::vector<std::string> cells = {line.cost.operation,
                                      fmt::format("{}: {}", line.set, line.shape),
                                      duration_text(line.time.median),
                                      spread_text(line.time),
                                      rate_text(line.cost.flops, line.time.median),
                                      rate_text(line.cost.bytes, line.time.median),
                                      fmt::format("{:.0f} %", 100 * line.roof_share)};
    if (line.against) {
      cells.push_back(duration_text(line.against->time.median));
      cells.push_back(ratio_text(line.against->speedup));
      cells.push_back(error_text(line.against->worst_error));
    }
    table.add_row(cells);
  }
  return table.to_string(style) + "\n";
}

std::string blocks_text(const bench::BenchReport& report, const report::Style& style) {
  if (report.blocks.empty()) return "";
  report::Table table({{"block", Align::left}, {"pass", Align::left}, {"layered"}, {"fused"}, {"speed-up"}});
  for (const bench::BlockLine& line : report.blocks) {
    table.add_row({fmt::format("{}: {}", line.set, line.block), line.forward ? "forward" : "backward",
                   duration_text(line.layered_seconds), duration_text(line.fused_seconds), ratio_text(line.speedup())});
  }
  return table.to_string(style) + "\n";
}

std::string epochs_text(const bench::BenchReport& report, const report::Style& style) {
  if (report.epochs.empty()) return "";
  std::vector<report::Column> columns = {
      {"an epoch of", Align::left}, {"path", Align::left}, {"batch"}, {"time"}, {"images/s"}, {"steps run"}};
  const bool both_paths = std::any_of(report.epochs.begin(), report.epochs.end(),
                                      [](const bench::EpochLine& line) { return line.layered_seconds.has_value(); });
  if (both_paths) {
    columns.push_back({"layered"});
    columns.push_back({"speed-up"});
  }
  add_comparison_columns(report, columns);
  report::Table table(columns);
  for (const bench::EpochLine& line : report.epochs) {
    std::vector<std::string> cells = {line.network,
                                      line.path.name,
                                      report::group_digits(line.batch_size),
                                      duration_text(line.seconds),
                                      report::group_digits(static_cast<std::int64_t>(line.images_per_second())),
                                      report::group_digits(line.measured_steps)};
    if (both_paths) {
      cells.push_back(line.layered_seconds ? duration_text(*line.layered_seconds) : "");
      cells.push_back(line.layered_seconds ? ratio_text(line.fused_speedup()) : "");
    }
    if (line.against) {
      cells.push_back(duration_text(line.against->seconds));
      cells.push_back(ratio_text(line.against->speedup));
      cells.push_back(
          fmt::format("{} after {}", error_text(line.against->worst_error), report::group_digits(line.against->steps)));
    }
    table.add_row(cells);
  }
  return table.to_string(style);
}

/// Operations of the cpu device run on one thread, so its peaks are those of one.
std::string peaks_text(const bench::BenchReport& report) {
  if (!report.peaks) return "\n";
  const bench::Peaks& peaks = *report.peaks;
  const auto fastest = std::max_element(peaks.copies.begin(), peaks.copies.end(),
                                        [](const bench::CopyPeak& left, const bench::CopyPeak& right) {
                                          return left.bytes_per_second < right.bytes_per_second;
                                        });
  const bench::CopyPeak& largest = peaks.copies.back();
  constexpr double billion = 1e9;
  return fmt::format(
      "peaks    {:.1f} GFLOP/s, {:.1f} in double precision; copies {:.1f} GB/s ({}) to {:.1f} GB/s ({}){}\n"
      "call     {}: the smallest copy\n\n",
      peaks.flops_per_second / billion, peaks.double_flops_per_second / billion, largest.bytes_per_second / billion,
      report::format_bytes(largest.bytes), fastest->bytes_per_second / billion, report::format_bytes(fastest->bytes),
      report.device.name == "cpu" ? ", on one thread, as the operations" : "", duration_text(peaks.call_seconds));
}

std::string header_text(const bench::BenchReport& report) {
  std::string text = fmt::format("device   {}\n", device_text(report.device));
  if (report.against) text += fmt::format("against  {}\n", device_text(*report.against));
  return text + peaks_text(report);
}

int run_bench(const BenchOptions& options, const GlobalOptions& global, const Console& console) {
  const bench::BenchSettings settings = settings_of(options, global);
  std::optional<StatusLine> status(console);
  const bench::BenchReport report =
      bench::run_bench(settings, [&status](const std::string& what) { status->show(what); });
  status.reset();
  console.print(header_text(report) + operations_text(report, console.style()) + blocks_text(report, console.style()) +
                epochs_text(report, console.style()));
  console.print_json(bench::to_json(report));
  return exit_success;
}

}  // namespace

Command define_bench(CLI::App& program) {
  CLI::App* app = program.add_subcommand("bench", "Measure a device: how fast is it?");
  app->footer(examples);
  constexpr const char* group = "Bench";
  const bench::BenchSettings defaults;
  const auto options = std::make_shared<BenchOptions>();
  add_words(*app, "--operation", "OP[,OP...]", options->operations,
            fmt::format("Measure this alone; may be repeated: {}", fmt::join(bench::bench_names(), ", ")))
      ->group(group);
  add_words(*app, "--shapes", "SET[,SET...]", options->shapes,
            fmt::format("Measure at these shapes: {}", list_words(bench::set_names())))
      ->group(group)
      ->default_str("all; emulated: seed");
  add_device(*app, "--against", options->against, "Another device to set beside it: its time, the worst difference")
      ->group(group);
  add_whole(*app, "--batch-size", options->batch_size, {1, largest_batch}, "Images of the networks' operations")
      ->group(group)
      ->default_str(std::to_string(defaults.batch));
  add_words(*app, "--epoch-batches", "N[,N...]", options->epoch_batches, "Batch sizes of the epochs")
      ->group(group)
      ->default_str(fmt::format("{}", fmt::join(defaults.batch_sizes, ",")));
  add_real(*app, "--seconds", options->seconds, {0, 3600}, "The most that a line may take")
      ->group(group)
      ->default_str(fmt::format("{:g}", defaults.most_epoch_seconds));
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_bench(*options, global, console);
          }};
}

}  // namespace touchstone::cli
