// SPDX-License-Identifier: Apache-2.0
#include "host/check/sweep.h"

#include <cstddef>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "host/check/compare.h"

namespace touchstone::check {
namespace {

/// So many failures are told in full; the others are only counted.
constexpr std::size_t detailed_failures = 5;

/// How one trial went; without a problem it passed.
struct TrialResult {
  Comparison comparison;
  std::string problem;
};

TrialResult run_trial(const Trial& trial, DeviceOperations& device, const std::vector<std::string>& variants) {
  device.select_variant(0);
  const Outputs outputs = trial.run(device);
  if (const std::string name = written_beside(outputs); !name.empty()) {
    return {{}, fmt::format("elements beside {} were written", name)};
  }
  const Comparison comparison = compare(outputs, trial.expected(outputs, device));
  if (comparison.wrong > 0) return {comparison, describe(comparison)};
  if (std::string violation = trial.violation(outputs); !violation.empty()) {
    return {comparison, std::move(violation)};
  }
  for (std::size_t variant = 1; variant < variants.size(); ++variant) {
    device.select_variant(variant);
    if (const std::string name = first_difference(outputs, trial.run(device)); !name.empty()) {
      return {comparison, fmt::format("{} has other bits with {} than with {}", name, variants[variant], variants[0])};
    }
  }
  return {comparison, {}};
}

TrialResult run_guarded(const Trial& trial, DeviceOperations& device, const std::vector<std::string>& variants) {
  try {
    return run_trial(trial, device, variants);
  } catch (const std::exception& error) {
    return {{}, error.what()};
  }
}

void run_case(const OperationCheck& check, std::int64_t index, const CaseRange& range, DeviceOperations& device,
              const std::vector<std::string>& variants, OperationReport& report) {
  CaseRandom random(range.seed, check.operation, index);
  const Case one = check.make_case(index, random);
  bool failed = false;
  for (const auto& trial : one.trials) {
    TrialResult result = run_guarded(*trial, device, variants);
    ++report.trials;
    report.followed += result.comparison.followed;
    if (result.comparison.worst_ratio > report.worst_ratio) {
      report.worst_ratio = result.comparison.worst_ratio;
      report.worst_shape = one.shape;
    }
    if (result.problem.empty()) continue;
    failed = true;
    if (report.details.size() < detailed_failures) {
      report.details.push_back({index, one.shape, trial->name(), std::move(result.problem)});
    }
  }
  ++report.cases;
  report.failed_cases += failed ? 1 : 0;
}

}  // namespace

OperationReport sweep(const OperationCheck& check, DeviceOperations& device, const CaseRange& range,
                      const CaseObserver& observer) {
  OperationReport report;
  report.operation = check.operation;
  const std::vector<std::string> variants = device.variants();
  const std::int64_t first = range.only.value_or(0);
  const std::int64_t end = range.only ? first + 1 : range.cases;
  for (std::int64_t index = first; index < end; ++index) {
    if (observer) observer(report.operation, index - first, end - first);
    run_case(check, index, range, device, variants, report);
  }
  device.select_variant(0);
  return report;
}

}  // namespace touchstone::check
