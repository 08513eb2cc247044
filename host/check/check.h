// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/check/executor_check.h"
#include "host/check/network_check.h"
#include "host/check/sweep.h"
#include "touchstone/device_operations.h"

namespace touchstone::check {

/// What is checked.
struct CheckSettings {
  std::vector<std::string> names = {};  ///< of check_names(); empty: all
  CaseRange range = {};
  std::int64_t steps = NetworkRun::default_steps;  ///< of the trajectory
  /// Whether the autoencoders are checked beside `seed`: they have no fused path.
  bool autoencoders = true;
};

/// The operations, "executor": what executors promise beside right gradients, and "network": the gradients and the
/// trajectory of a whole network.
std::vector<std::string> check_names();

/// How right a device is.
struct CheckReport {
  std::string device;
  std::uint64_t seed = 1;
  std::vector<std::string> variants;
  std::vector<OperationReport> operations;
  std::vector<PropertyReport> executor;
  std::vector<NetworkReport> networks;  ///< one a network and path; empty where the network was not checked

  [[nodiscard]] bool passed() const;
};

/// Hears how a check goes.
struct CheckObserver {
  CaseObserver on_case = {};
  StageObserver on_stage = {};
};

/// Checks single operations, the executor, and the training of `seed`, of a network that fuses only in part, of one of
/// different blocks and of the autoencoders on MNIST. Throws UsageError for an unknown name.
CheckReport run_check(DeviceOperations& operations, const ExecutorMaker& make_executor, const CheckSettings& settings,
                      const CheckObserver& observer = {});

/// The same for a device with several paths: each keeps the executor's promises and trains all but the autoencoders,
/// which the last trains.
CheckReport run_check(DeviceOperations& operations, const std::vector<ExecutorPath>& paths,
                      const CheckSettings& settings, const CheckObserver& observer = {});

/// The command that repeats one case, or with "executor" or "network" all that belongs to it.
std::string repeat_command(const CheckReport& report, const std::string& name,
                           std::optional<std::int64_t> case_index = std::nullopt);

/// {"device", "operations": [{"operation", "cases", "failures", "worst_ratio", ...}], "executor": [...],
/// "gradients": [...], "trajectories": [...], "trajectory", "passed"}. A ratio is null where it is infinite: what must
/// be equal is not. What is said of an executor names its path, which is empty where the device has only one.
nlohmann::ordered_json to_json(const CheckReport& report);

}  // namespace touchstone::check
