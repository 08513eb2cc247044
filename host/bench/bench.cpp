// SPDX-License-Identifier: Apache-2.0
#include "host/bench/bench.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/check/devices.h"
#include "host/model/spelling.h"
#include "touchstone/error.h"
#include "touchstone/network.h"

namespace touchstone::bench {
namespace {

/// The largest copy: beyond the caches of processors and GPUs; on the emulated device, which has none of its own,
/// what it can do in a moment.
std::int64_t largest_copy(const DeviceRequest& device) {
  return is_emulated(device.name) ? std::int64_t{1} << 20U : std::int64_t{256} << 20U;
}

void require_known(const std::vector<std::string>& names) {
  const std::vector<std::string> known = bench_names();
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw UsageError(
        fmt::format("unknown operation `{}`{} (known: {})", name, did_you_mean(name, known), fmt::join(known, ", ")));
  }
}

bool is_wanted(const BenchSettings& settings, const std::string& name) {
  return settings.names.empty() ||
         std::find(settings.names.begin(), settings.names.end(), name) != settings.names.end();
}

std::vector<std::string> sets_of(const BenchSettings& settings) {
  return settings.sets.empty() ? default_sets(settings.device) : settings.sets;
}

std::vector<BenchCase> wanted_cases(const BenchSettings& settings) {
  std::vector<BenchCase> wanted;
  for (const std::string& set : sets_of(settings)) {
    for (BenchCase& known : make_cases(set, settings.batch, settings.seed)) {
      if (is_wanted(settings, known.cost.operation)) wanted.push_back(std::move(known));
    }
  }
  return wanted;
}

/// Networks among the sets.
std::vector<std::string> wanted_networks(const BenchSettings& settings) {
  std::vector<std::string> wanted;
  const std::vector<std::string> networks = Network::names();
  for (const std::string& set : sets_of(settings)) {
    if (std::find(networks.begin(), networks.end(), set) != networks.end()) wanted.push_back(set);
  }
  return wanted;
}

/// Single operations are measured on one thread, as the peaks are.
DeviceRequest on_one_thread(DeviceRequest device) {
  device.threads = 1;
  return device;
}

/// A device, and how its operations are timed.
class Bench {
 public:
  Bench(const DeviceRequest& device, const SamplingSettings& sampling)
      : operations_(check::make_operations(on_one_thread(device))), sampler_(sampling) {}

  [[nodiscard]] DeviceOperations& operations() { return *operations_; }

  [[nodiscard]] Measurement time(const BenchCase& known) {
    set_timer(&sampler_);
    known.run(*operations_);
    set_timer(nullptr);
    return sampler_.take();
  }

 private:
  void set_timer(OperationTimer* timer) {
    operations_->set_timer(timer);
    operations_->gaussian().set_timer(timer);
  }

  std::unique_ptr<DeviceOperations> operations_;
  Sampler sampler_;
};

/// The largest difference, as a fraction of the largest value of `right`; infinite where one is NaN.
double worst_difference(const std::vector<float>& left, const std::vector<float>& right) {
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const double here = std::abs(static_cast<double>(left[i]) - static_cast<double>(right[i]));
    difference = std::isnan(here) ? HUGE_VAL : std::max(difference, here);
    largest = std::max(largest, std::abs(static_cast<double>(right[i])));
  }
  return largest > 0 ? difference / largest : difference;
}

OperationLine measure(const BenchCase& known, const Peaks& peaks, Bench& bench, Bench* against) {
  OperationLine line{.cost = known.cost, .set = known.set, .shape = known.shape, .time = bench.time(known)};
  line.roof_share = peaks.least_seconds(known.cost) / line.time.median;
  if (against != nullptr) {
    Comparison comparison{.time = against->time(known)};
    comparison.speedup = comparison.time.median / line.time.median;
    comparison.worst_error = worst_difference(known.run(bench.operations()), known.run(against->operations()));
    line.against = comparison;
  }
  return line;
}

/// The blocks all of whose operations were measured, `lines` in the order of `cases`.
std::vector<BlockLine> compare_blocks(const std::vector<BenchCase>& cases, const std::vector<OperationLine>& lines) {
  std::vector<BlockLine> blocks;
  std::map<std::tuple<std::string, std::string, bool>, std::size_t> places;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const BenchCase& known = cases[i];
    if (known.block.empty()) continue;
    const auto [place, is_new] = places.try_emplace({known.set, known.block, known.forward}, blocks.size());
    if (is_new) blocks.push_back({.set = known.set, .block = known.block, .forward = known.forward});
    BlockLine& line = blocks[place->second];
    (known.fused ? line.fused_seconds : line.layered_seconds) += lines[i].time.median;
  }
  return blocks;
}

void measure_operations(const BenchSettings& settings, const BenchObserver& observer, BenchReport& report) {
  const std::vector<BenchCase> cases = wanted_cases(settings);
  if (cases.empty()) return;
  Bench bench(settings.device, settings.sampling);
  std::unique_ptr<Bench> against;
  if (settings.against) against = std::make_unique<Bench>(*settings.against, settings.sampling);
  if (observer) observer("peaks");
  report.peaks = measure_peaks(bench.operations(), settings.sampling, largest_copy(settings.device));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const BenchCase& known = cases[i];
    if (observer) {
      observer(fmt::format("{} of {}: {} {}", i + 1, cases.size(), known.cost.operation, known.shape));
    }
    report.operations.push_back(measure(known, *report.peaks, bench, against.get()));
  }
  if (settings.names.empty()) report.blocks = compare_blocks(cases, report.operations);
}

}  // namespace

std::vector<std::string> bench_names() {
  std::vector<std::string> names = operation_names();
  names.emplace_back(epoch_name);
  return names;
}

std::vector<std::string> default_sets(const DeviceRequest& device) {
  return is_emulated(device.name) ? std::vector<std::string>{Network::names().front()} : set_names();
}

BenchReport run_bench(const BenchSettings& settings, const BenchObserver& observer) {
  require_known(settings.names);
  BenchReport report{.device = settings.device, .against = settings.against};
  measure_operations(settings, observer, report);
  if (is_wanted(settings, epoch_name)) {
    for (const EpochCase& epoch : epoch_cases(wanted_networks(settings), settings.batch_sizes)) {
      if (observer) observer(fmt::format("an epoch of {}, batches of {}", epoch.network, epoch.batch_size));
      report.epochs.push_back(measure_epoch(epoch, {.device = settings.device,
                                                    .against = settings.against,
                                                    .seed = settings.seed,
                                                    .most_seconds = settings.most_epoch_seconds}));
    }
  }
  return report;
}

}  // namespace touchstone::bench
