// SPDX-License-Identifier: Apache-2.0
#include "emulation/grid.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "emulation/memory_faults.h"
#include "emulation/turn_order.h"

namespace touchstone::emulation {
namespace {

constexpr int most_threads = 16;

int wanted_threads(const Options& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return options.threads > 0 ? options.threads : std::clamp(cores, 1, most_threads);
}

}  // namespace

GridRunner::~GridRunner() { stop_threads(); }

void GridRunner::stop_threads() {
  {
    const std::lock_guard guard(lock_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
  stopping_ = false;
}

void GridRunner::start_threads(int threads) {
  if (threads == threads_wanted_) {
    return;
  }
  stop_threads();
  threads_wanted_ = threads;
  for (int index = 1; index < threads; ++index) {
    threads_.emplace_back([this, seen = generation_] { serve(seen); });
  }
}

void GridRunner::serve(std::uint64_t seen) {
  BlockRunner runner;
  std::unique_lock guard(lock_);
  while (true) {
    wake_.wait(guard, [&] { return stopping_ || generation_ != seen; });
    if (stopping_) {
      return;
    }
    seen = generation_;
    Job& job = *job_;
    guard.unlock();
    work(job, runner);
    guard.lock();
    if (--busy_ == 0) {
      done_.notify_all();
    }
  }
}

void GridRunner::work(Job& job, BlockRunner& runner) {
  const Options& options = *job.options;
  while (!job.failed.load(std::memory_order_relaxed)) {
    const std::uint64_t first = job.next.fetch_add(job.share, std::memory_order_relaxed);
    const std::uint64_t last = std::min(first + job.share, job.blocks);
    for (std::uint64_t index = first; index < last; ++index) {
      const std::uint64_t block = block_at(options.schedule, options.seed, job.blocks, index);
      std::optional<Defect> defect = runner.run(*job.launch, options, block);
      if (defect) {
        const std::lock_guard guard(job.lock);
        if (!job.defect || block < job.defect_block) {
          job.defect = std::move(defect);
          job.defect_block = block;
        }
        job.failed = true;
        return;
      }
    }
    if (last == job.blocks || first >= job.blocks) {
      return;
    }
  }
}

std::optional<Defect> GridRunner::run(const KernelLaunch& launch, const Options& options) {
  catch_memory_faults();
  if (launch.cooperative) {
    return run_cooperative(launch, options);
  }
  start_threads(wanted_threads(options));
  Job job;
  job.launch = &launch;
  job.options = &options;
  job.blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  job.share = std::max<std::uint64_t>(1, job.blocks / (8 * (threads_.size() + 1)));
  const bool shared = job.blocks > 1 && !threads_.empty();
  if (shared) {
    const std::lock_guard guard(lock_);
    job_ = &job;
    busy_ = threads_.size();
    ++generation_;
  }
  if (shared) {
    wake_.notify_all();
  }
  work(job, runner_);
  if (shared) {
    std::unique_lock guard(lock_);
    done_.wait(guard, [this] { return busy_ == 0; });
    job_ = nullptr;
  }
  return std::move(job.defect);
}

/// The defect of the first block that has one; also where blocks wait for others that have ended or wait elsewhere.
std::optional<Defect> GridRunner::find_defect(std::uint64_t blocks) const {
  const auto* const end = cooperative_.data() + blocks;
  const auto* const broken =
      std::find_if(cooperative_.data(), end, [](const auto& block) { return block->defect().has_value(); });
  if (broken != end) {
    return (*broken)->defect();
  }
  const Place* const first = cooperative_.front()->grid_barrier_place();
  const auto* const elsewhere = std::find_if(cooperative_.data(), end, [first](const auto& block) {
    const Place* const place = block->grid_barrier_place();
    return (place == nullptr) != (first == nullptr) || (place != nullptr && place->line != first->line);
  });
  if (elsewhere == end) {
    return std::nullopt;
  }
  const auto describe = [](const Place* place) {
    return place == nullptr ? std::string("has ended") : fmt::format("waits at {}:{}", place->file, place->line);
  };
  return Defect{runtime::cudaErrorLaunchFailure,
                fmt::format("divergent barrier of the grid: block 0 {}, block {} {}", describe(first),
                            elsewhere - cooperative_.data(), describe((*elsewhere)->grid_barrier_place())),
                nullptr};
}

/// Every block runs to the first barrier of the grid, then every block to the second, and so on, each time in the
/// schedule's order.
std::optional<Defect> GridRunner::run_cooperative(const KernelLaunch& launch, const Options& options) {
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  while (cooperative_.size() < blocks) {
    cooperative_.push_back(std::make_unique<BlockRunner>());
  }
  std::optional<Defect> defect;
  for (std::uint64_t round = 0; round == 0 || (cooperative_.front()->grid_barrier_place() != nullptr && !defect);
       ++round) {
    for (std::uint64_t index = 0; index < blocks; ++index) {
      const std::uint64_t number = block_at(options.schedule, options.seed + round, blocks, index);
      BlockRunner& block = *cooperative_[number];
      if (round == 0) {
        block.start(launch, options, number);
      } else {
        block.resume();
      }
    }
    defect = find_defect(blocks);
  }
  for (std::uint64_t number = 0; defect && number < blocks; ++number) {
    if (cooperative_[number]->grid_barrier_place() != nullptr) {
      cooperative_[number]->abandon();
    }
  }
  return defect;
}

}  // namespace touchstone::emulation
