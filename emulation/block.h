// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "emulation/defect.h"
#include "emulation/fiber.h"
#include "emulation/kernel.h"
#include "emulation/options.h"
#include "emulation/shared_arena.h"
#include "emulation/turn_order.h"
#include "emulation/warp.h"

namespace touchstone::emulation {

/// Runs blocks, one after another, on the host thread that calls it. Each thread of a block runs on a fiber until it
/// waits for others or ends; a fiber whose thread has ended goes on with the next, so that a kernel without barriers
/// needs one fiber and no switch.
class BlockRunner {
 public:
  BlockRunner();
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;
  ~BlockRunner();

  /// Runs block `number` (x fastest) of a launch; the first defect, if there is one, with kernel, block and thread.
  std::optional<Defect> run(const KernelLaunch& launch, const Options& options, std::uint64_t number);

  // A block of a cooperative launch: runs from one barrier of the grid to the next.
  /// Begins the block and runs it until it waits for the grid, ends or fails.
  void start(const KernelLaunch& launch, const Options& options, std::uint64_t number);
  /// Goes on behind the barrier of the grid.
  void resume();
  /// Unwinds the threads of a block that waits for the grid.
  void abandon();
  /// The barrier of the grid that all threads of the block wait at; nullptr where it does not wait.
  [[nodiscard]] const Place* grid_barrier_place() const { return waits_for_grid() ? &barrier_.place : nullptr; }
  [[nodiscard]] const std::optional<Defect>& defect() const { return defect_; }

  /// The runner whose threads run on this host thread, or nullptr.
  static BlockRunner* current();

  // For the thread that runs.
  void* take_shared(std::size_t begin, std::size_t end, std::size_t bytes, Content content);
  int barrier(const char* name, Place place, bool predicate);
  void grid_barrier(const char* name, Place place);
  Warp::Result meet(const Warp::Arrival& arrival);
  [[nodiscard]] int lane() const;

  /// A memory fault of the thread that runs: leaves it for good, and with it the signal handler that calls this.
  /// Returns only where no thread of a kernel runs.
  void abandon_thread(const void* address);

 private:
  enum class State : std::uint8_t { not_started, ready, running, at_barrier, in_warp, ended };
  /// A fiber and the thread that it runs.
  struct Stack {
    explicit Stack(std::size_t colour);
    Fiber fiber;
    int thread = 0;
  };
  struct Thread {
    State state = State::not_started;
    Stack* stack = nullptr;  ///< while it runs or waits
  };
  /// The barrier that threads wait at.
  struct Barrier {
    const char* name = "";
    Place place;
    int arrived = 0;
    int votes = 0;
    bool grid = false;  ///< of the grid, not of the block alone
  };

  void begin_block(std::uint64_t number);
  void set_block_coordinates() const;
  void drive_here();
  void set_coordinates(int thread) const;
  void drive();
  void run_stack();
  // A stack may serve one host thread after another, and must not carry over where that keeps its thread-local data.
  [[gnu::noinline]] void run_thread(int thread);
  void end_thread(int thread);
  [[nodiscard]] int next_thread();
  [[nodiscard]] Stack& stack_for(int thread);
  void leave_for(int thread);
  void wait(State state);
  [[nodiscard]] bool arrive(const char* name, Place place, bool predicate, bool grid);
  void release_barrier();
  [[nodiscard]] bool waits_for_grid() const {
    return barrier_.grid && barrier_.arrived == static_cast<int>(threads_.size());
  }
  void record(int thread, const Defect& defect);
  void record_memory_fault();
  void record_stall();

  [[nodiscard]] Thread& at(int thread) { return threads_[static_cast<std::size_t>(thread)]; }
  [[nodiscard]] Warp& warp_of(int thread) { return warps_[static_cast<std::size_t>(thread) / 32]; }

  // The launch.
  const KernelLaunch* launch_ = nullptr;
  Options options_;
  std::uint64_t number_ = 0;
  runtime::dim3 shape_ = 0;
  std::vector<runtime::uint3> coordinates_;  ///< of each thread in a block of that shape

  // The block.
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  TurnOrder turns_;
  SharedArena shared_;
  Barrier barrier_;
  int barrier_result_ = 0;
  int running_ = 0;  ///< the thread that runs
  int ended_ = 0;
  bool abandoning_ = false;  ///< a defect was found: threads that wait unwind, others never start
  std::optional<Defect> defect_;

  // The stacks.
  Fiber host_;
  std::vector<std::unique_ptr<Stack>> stacks_;
  std::vector<Stack*> free_stacks_;
  Stack* active_ = nullptr;   ///< nullptr: the host thread's own
  Stack* crashed_ = nullptr;  ///< left from a signal handler
  const void* fault_address_ = nullptr;
};

}  // namespace touchstone::emulation
