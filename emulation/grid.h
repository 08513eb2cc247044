// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "emulation/block.h"

namespace touchstone::emulation {

/// Runs the blocks of grids on a few host threads, the caller's among them; those of a cooperative launch, which must
/// all be under way at a time, on the caller's alone.
class GridRunner {
 public:
  GridRunner() = default;
  GridRunner(const GridRunner&) = delete;
  GridRunner& operator=(const GridRunner&) = delete;
  ~GridRunner();

  /// Runs every block of a launch; the defect of the first block (in grid order) that has one.
  std::optional<Defect> run(const KernelLaunch& launch, const Options& options);

 private:
  /// A launch that is running.
  struct Job {
    const KernelLaunch* launch = nullptr;
    const Options* options = nullptr;
    std::uint64_t blocks = 0;
    std::uint64_t share = 1;  ///< blocks that a host thread takes at a time
    std::atomic<std::uint64_t> next = 0;
    std::atomic<bool> failed = false;
    std::mutex lock;
    std::uint64_t defect_block = 0;
    std::optional<Defect> defect;
  };

  void start_threads(int threads);
  void stop_threads();
  void serve(std::uint64_t seen);
  static void work(Job& job, BlockRunner& runner);

  std::optional<Defect> run_cooperative(const KernelLaunch& launch, const Options& options);
  [[nodiscard]] std::optional<Defect> find_defect(std::uint64_t blocks) const;

  BlockRunner runner_;                                     ///< of the thread that calls run()
  std::vector<std::unique_ptr<BlockRunner>> cooperative_;  ///< a runner a block
  std::vector<std::thread> threads_;
  int threads_wanted_ = 0;
  std::mutex lock_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::uint64_t generation_ = 0;
  std::size_t busy_ = 0;
  Job* job_ = nullptr;
  bool stopping_ = false;
};

}  // namespace touchstone::emulation
