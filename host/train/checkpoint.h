// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "touchstone/executor.h"
#include "touchstone/training.h"

namespace touchstone {

/// Where a run stands: after `step` steps of epoch `epoch`.
struct TrainingPosition {
  std::int64_t epoch = 1;
  std::int64_t step = 0;     ///< of this epoch, done
  Metrics metrics;           ///< of those steps
  double epoch_seconds = 0;  ///< that they took
};

/// The best weights so far on the held-out images; empty where nothing is held out or no epoch has ended.
struct BestWeights {
  std::int64_t epoch = 0;
  std::vector<double> parameters;
};

/// Everything that a run needs to go on to the same bits as if it had never stopped.
struct Checkpoint {
  ExecutorState state;
  bool double_precision = false;
  TrainingPosition position;
  BestWeights best;
  std::vector<EpochReport> history;  ///< the epochs that have ended

  /// What must be the same when the run goes on, besides the network.
  struct Identity {
    std::uint32_t data_fingerprint = 0;
    std::uint64_t seed = 0;
    std::int64_t batch_size = 0;
    std::int64_t validation = 0;
    bool shuffle = true;
    std::string optimizer;
  } identity;

  /// Writes a safetensors file: parameters, optimizer state and best weights as tensors; position, history and identity
  /// as metadata. No tensor depends on the clock. Written beside and renamed.
  void save(const std::filesystem::path& file, const Network& network) const;

  /// Throws Error naming the file and what does not fit the network.
  static Checkpoint load(const std::filesystem::path& file, const Network& network);
};

}  // namespace touchstone
