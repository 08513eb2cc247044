// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "host/check/network_check.h"
#include "touchstone/device_operations.h"

namespace touchstone::check {

/// One promise of an executor.
struct PropertyReport {
  std::string property;
  std::string problem;  ///< empty where it is kept
  std::string network;  ///< its name
  std::string path;     ///< that of ExecutorPath
};

/// What an executor promises beside right gradients, looked at over several mini-batches of which the last is smaller:
/// - logits of a sample do not depend on those asked for along with it in earlier mini-batches;
/// - loss and accuracy of an evaluation, and of each step, are those of the device's own logits, whose loss is bounded
///   by its roundings (rounded_softmax.h);
/// - several steps at once leave the same bits as one at a time, whatever their learning rates;
/// - a loss that is NaN is reported with its step;
/// - a step is the rule of its optimizer, applied to the device's own gradients (rounded_optimizer.h).
///
/// They need no reference for the network, so no window is too close for them. All but the last use Adam, whose steps
/// depend on their number. Throws Error where `run` has too few images for a training and a test set.
std::vector<PropertyReport> check_executor(const NetworkRun& run, const ExecutorMaker& make_executor);

/// That a few steps of training leave the same bits with each of the device's variants (the schedules of the
/// emulation). Chooses the first of them again.
PropertyReport check_variants(const NetworkRun& run, const ExecutorMaker& make_executor, DeviceOperations& operations);

}  // namespace touchstone::check
