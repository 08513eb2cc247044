// SPDX-License-Identifier: Apache-2.0
#include "emulation/block.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include <fmt/format.h>

#include "emulation/device_functions.h"
#include "emulation/limits.h"
#include "emulation/pattern.h"
#include "emulation/sanitizer.h"

namespace touchstone::emulation {

namespace runtime {
constinit thread_local uint3 threadIdx = {0, 0, 0};
constinit thread_local uint3 blockIdx = {0, 0, 0};
constinit thread_local uint3 blockDim = {1, 1, 1};
constinit thread_local uint3 gridDim = {1, 1, 1};
}  // namespace runtime

namespace {

constinit thread_local BlockRunner* current_runner = nullptr;

/// Frames are larger where they are checked; only what is touched takes memory.
constexpr std::size_t stack_bytes = std::size_t{address_sanitizer ? 512 : 128} * 1024;

/// Thrown where a thread waits, so that its stack unwinds: another thread's defect has ended the kernel.
struct Abandoned {};

runtime::uint3 as_index(const runtime::dim3& size) { return {size.x, size.y, size.z}; }

std::string describe(const runtime::uint3& index) { return fmt::format("({},{},{})", index.x, index.y, index.z); }

}  // namespace

BlockRunner::Stack::Stack(std::size_t colour) : fiber(stack_bytes, colour, [] { current_runner->run_stack(); }) {}

BlockRunner::BlockRunner() = default;
BlockRunner::~BlockRunner() = default;

BlockRunner* BlockRunner::current() { return current_runner; }

std::optional<Defect> BlockRunner::run(const KernelLaunch& launch, const Options& options, std::uint64_t number) {
  start(launch, options, number);
  return defect_;
}

void BlockRunner::start(const KernelLaunch& launch, const Options& options, std::uint64_t number) {
  launch_ = &launch;
  options_ = options;
  begin_block(number);
  drive_here();
}

void BlockRunner::resume() {
  release_barrier();
  drive_here();
}

void BlockRunner::abandon() {
  abandoning_ = true;
  drive_here();
}

/// Runs the block on this host thread until it waits for the grid or ends.
void BlockRunner::drive_here() {
  current_runner = this;
  set_block_coordinates();
  drive();
  current_runner = nullptr;
  if (!defect_ && !abandoning_ && !waits_for_grid()) {
    try {
      shared_.end();
    } catch (const Defect& defect) {
      defect_ = Defect{defect.error, fmt::format("block {}: {}", describe(runtime::blockIdx), defect.text), nullptr};
    }
  }
}

void BlockRunner::set_block_coordinates() const {
  const runtime::dim3& grid = launch_->grid;
  runtime::gridDim = as_index(grid);
  runtime::blockDim = as_index(launch_->block);
  runtime::blockIdx = {static_cast<unsigned>(number_ % grid.x), static_cast<unsigned>(number_ / grid.x % grid.y),
                       static_cast<unsigned>(number_ / grid.x / grid.y)};
}

void BlockRunner::begin_block(std::uint64_t number) {
  const runtime::dim3& block = launch_->block;
  number_ = number;
  if (shape_.x != block.x || shape_.y != block.y || shape_.z != block.z) {
    shape_ = block;
    coordinates_.clear();
    for (unsigned z = 0; z < block.z; ++z) {
      for (unsigned y = 0; y < block.y; ++y) {
        for (unsigned x = 0; x < block.x; ++x) {
          coordinates_.push_back({x, y, z});
        }
      }
    }
  }
  const int count = static_cast<int>(coordinates_.size());
  threads_.assign(coordinates_.size(), Thread{});
  warps_.resize((coordinates_.size() + limits::warp_threads - 1) / limits::warp_threads);
  for (int first = 0; first < count; first += limits::warp_threads) {
    warp_of(first).begin(std::min(limits::warp_threads, count - first));
  }
  turns_.begin(options_.schedule, mixed(options_.seed ^ mixed(number)), count);
  shared_.begin(options_, launch_->shared_bytes);
  barrier_ = {};
  ended_ = 0;
  abandoning_ = false;
  defect_.reset();
}

void BlockRunner::set_coordinates(int thread) const {
  runtime::threadIdx = coordinates_[static_cast<std::size_t>(thread)];
}

void BlockRunner::drive() {
  while (true) {
    const int thread = next_thread();
    if (thread == TurnOrder::nobody) {
      if (ended_ == static_cast<int>(threads_.size()) || abandoning_ || waits_for_grid()) {
        return;
      }
      record_stall();
      continue;
    }
    active_ = &stack_for(thread);
    host_.switch_to(active_->fiber);
    active_ = nullptr;
    if (crashed_ != nullptr) {
      record_memory_fault();
    }
  }
}

int BlockRunner::next_thread() {
  if (abandoning_) {
    const auto waiting =
        std::find_if(threads_.begin(), threads_.end(), [](const Thread& thread) { return thread.stack != nullptr; });
    return waiting == threads_.end() ? TurnOrder::nobody : static_cast<int>(waiting - threads_.begin());
  }
  if (ended_ == static_cast<int>(threads_.size())) {
    return TurnOrder::nobody;
  }
  return turns_.next([this](int thread) {
    const State state = at(thread).state;
    return state == State::not_started || state == State::ready;
  });
}

BlockRunner::Stack& BlockRunner::stack_for(int thread) {
  Thread& chosen = at(thread);
  if (chosen.stack == nullptr) {
    if (free_stacks_.empty()) {
      free_stacks_.push_back(stacks_.emplace_back(std::make_unique<Stack>(stacks_.size())).get());
    }
    chosen.stack = free_stacks_.back();
    chosen.stack->thread = thread;
    free_stacks_.pop_back();
  }
  return *chosen.stack;
}

/// Switches from the stack that runs to that of `thread`, or to the host's.
void BlockRunner::leave_for(int thread) {
  Stack& here = *active_;
  if (thread == TurnOrder::nobody) {
    here.fiber.switch_to(host_);
  } else {
    Stack& there = stack_for(thread);
    active_ = &there;
    here.fiber.switch_to(there.fiber);
  }
}

/// What each stack does, for ever: run its thread, then one that has not started, or else make way for one that waits.
void BlockRunner::run_stack() {
  while (true) {
    Stack& here = *active_;
    run_thread(here.thread);
    const int thread = next_thread();
    if (thread != TurnOrder::nobody && at(thread).stack == nullptr) {
      here.thread = thread;
      at(thread).stack = &here;
      continue;
    }
    free_stacks_.push_back(&here);
    leave_for(thread);
  }
}

void BlockRunner::run_thread(int thread) {
  running_ = thread;
  at(thread).state = State::running;
  set_coordinates(thread);
  try {
    launch_->thread();
  } catch (const Abandoned&) {  // NOLINT(bugprone-empty-catch): its stack is unwound, which is all that was wanted
  } catch (const Defect& defect) {
    record(thread, defect);
  } catch (const std::exception& error) {
    record(thread, {runtime::cudaErrorLaunchFailure, error.what(), nullptr});
  }
  end_thread(thread);
}

void BlockRunner::end_thread(int thread) {
  at(thread) = {State::ended, nullptr};
  ++ended_;
  if (abandoning_) {
    return;
  }
  if (barrier_.arrived > 0) {
    record(thread, {runtime::cudaErrorLaunchFailure,
                    fmt::format("divergent barrier: the thread has ended while {} threads wait at {} at {}:{}",
                                barrier_.arrived, barrier_.name, barrier_.place.file, barrier_.place.line)});
    return;
  }
  try {
    warp_of(thread).leave(thread % limits::warp_threads);
  } catch (const Defect& defect) {
    record(thread, defect);
  }
}

void BlockRunner::wait(State state) {
  const int self = running_;
  at(self).state = state;
  const int thread = next_thread();
  if (thread != self) {
    leave_for(thread);
    running_ = self;
    set_coordinates(self);
  }
  if (abandoning_) {
    throw Abandoned{};
  }
  at(self).state = State::running;
}

void* BlockRunner::take_shared(std::size_t begin, std::size_t end, std::size_t bytes, Content content) {
  return shared_.take(begin, end, bytes, content);
}

int BlockRunner::barrier(const char* name, Place place, bool predicate) {
  State state = State::at_barrier;
  if (arrive(name, place, predicate, false)) {
    release_barrier();
    state = State::ready;
  }
  wait(state);
  return barrier_result_;
}

void BlockRunner::grid_barrier(const char* name, Place place) {
  if (!launch_->cooperative) {
    throw Defect{runtime::cudaErrorLaunchFailure,
                 fmt::format("{} at {}:{}: the launch is not cooperative", name, place.file, place.line)};
  }
  static_cast<void>(arrive(name, place, false, true));
  wait(State::at_barrier);
}

/// The thread that runs comes to a barrier; whether all threads of the block are there now.
bool BlockRunner::arrive(const char* name, Place place, bool predicate, bool grid) {
  const auto here = [&] { return fmt::format("{} at {}:{}", name, place.file, place.line); };
  if (ended_ > 0) {
    throw Defect{runtime::cudaErrorLaunchFailure,
                 fmt::format("divergent barrier: the thread waits at {}, but {} threads of the block have ended",
                             here(), ended_)};
  }
  if (barrier_.arrived == 0) {
    barrier_ = {name, place, 0, 0, grid};
  } else if (barrier_.place.line != place.line ||
             (barrier_.place.file != place.file && std::strcmp(barrier_.place.file, place.file) != 0)) {
    throw Defect{runtime::cudaErrorLaunchFailure,
                 fmt::format("divergent barrier: the thread waits at {}, others at {} at {}:{}", here(), barrier_.name,
                             barrier_.place.file, barrier_.place.line)};
  }
  ++barrier_.arrived;
  barrier_.votes += predicate ? 1 : 0;
  return barrier_.arrived == static_cast<int>(threads_.size());
}

void BlockRunner::release_barrier() {
  barrier_result_ = barrier_.votes;
  barrier_ = {};
  for (Thread& thread : threads_) {
    thread.state = State::ready;
  }
  turns_.start_over();
}

Warp::Result BlockRunner::meet(const Warp::Arrival& arrival) {
  const int self = running_;
  const int first = self - self % limits::warp_threads;
  Warp& warp = warp_of(self);
  const unsigned released = warp.arrive(self - first, arrival);
  for (int lane = 0; lane < limits::warp_threads; ++lane) {
    if ((released >> static_cast<unsigned>(lane) & 1U) != 0) {
      at(first + lane).state = State::ready;
    }
  }
  wait(released != 0 ? State::ready : State::in_warp);
  return warp.result(self - first);
}

int BlockRunner::lane() const { return running_ % limits::warp_threads; }

void BlockRunner::record(int thread, const Defect& defect) {
  abandoning_ = true;
  if (!defect_) {
    defect_ = Defect{defect.error,
                     fmt::format("block {}, thread {}: {}", describe(runtime::blockIdx),
                                 describe(coordinates_[static_cast<std::size_t>(thread)]), defect.text),
                     defect.address};
  }
}

/// No thread can go on, and not all have ended.
void BlockRunner::record_stall() {
  const auto in_warp = [](const Thread& thread) { return thread.state == State::in_warp; };
  const auto stuck = std::find_if(threads_.begin(), threads_.end(), in_warp);
  const int thread = static_cast<int>(stuck == threads_.end() ? 0 : stuck - threads_.begin());
  std::string text = "threads wait for each other: " + warp_of(thread).description();
  if (barrier_.arrived > 0) {
    text += fmt::format("; {} threads wait at {} at {}:{}", barrier_.arrived, barrier_.name, barrier_.place.file,
                        barrier_.place.line);
  }
  record(thread, {runtime::cudaErrorLaunchFailure, text});
}

void BlockRunner::abandon_thread(const void* address) {
  if (active_ == nullptr) {
    return;
  }
  fault_address_ = address;
  crashed_ = active_;
  active_->fiber.switch_to(host_);
}

void BlockRunner::record_memory_fault() {
  crashed_->fiber.restart();
  free_stacks_.push_back(crashed_);
  const int thread = crashed_->thread;
  crashed_ = nullptr;
  const std::string what = fault_address_ == nullptr
                               ? "access through a null pointer, or to an address that no process has"
                               : fmt::format("access to {}", fault_address_);
  record(thread, {runtime::cudaErrorIllegalAddress, what, fault_address_});
  end_thread(thread);
}

namespace {

BlockRunner& running(const char* function) {
  BlockRunner* const runner = BlockRunner::current();
  if (runner == nullptr) {
    throw Defect{runtime::cudaErrorLaunchFailure, fmt::format("{} was called outside a kernel", function)};
  }
  return *runner;
}

const char* name_of(ShuffleKind kind) {
  switch (kind) {
    case ShuffleKind::indexed:
      return "__shfl_sync";
    case ShuffleKind::up:
      return "__shfl_up_sync";
    case ShuffleKind::down:
      return "__shfl_down_sync";
    case ShuffleKind::exclusive_or:
      return "__shfl_xor_sync";
  }
  return "a shuffle";
}

/// The lane that lane `lane` reads from, as the CUDA Programming Guide has it: lanes outside its part of the warp give
/// way to its own, but for the indexed kind, which wraps around.
int source_lane(ShuffleKind kind, int lane, unsigned operand, int width) {
  const int first = lane - lane % width;
  const int last = first + width - 1;
  const int distance = static_cast<int>(std::min(operand, 64U));
  switch (kind) {
    case ShuffleKind::indexed:
      return first + static_cast<int>(operand % static_cast<unsigned>(width));
    case ShuffleKind::up:
      return lane - distance >= first ? lane - distance : lane;
    case ShuffleKind::down:
      return lane + distance <= last ? lane + distance : lane;
    case ShuffleKind::exclusive_or:
      return (lane ^ distance) <= last ? lane ^ distance : lane;
  }
  return lane;
}

}  // namespace

void* take_shared(std::size_t begin, std::size_t end, std::size_t bytes, Content content) {
  return running("SharedMemory::take").take_shared(begin, end, bytes, content);
}

void fail_alignment(const void* address, std::size_t alignment, std::size_t bytes) {
  throw Defect{runtime::cudaErrorMisalignedAddress,
               fmt::format("access of {} bytes at {}, which is not a multiple of {}", bytes, address, alignment),
               address};
}

int block_barrier(const char* name, Place place, bool predicate) {
  return running(name).barrier(name, place, predicate);
}

void grid_barrier(const char* name, Place place) { running(name).grid_barrier(name, place); }

unsigned warp_ballot(const char* name, Place place, unsigned mask, bool predicate) {
  BlockRunner& runner = running(name);
  return runner.meet({name, place, mask, 0, runner.lane(), predicate, nullptr}).ballot;
}

std::uint64_t warp_shuffle(ShuffleKind kind, Place place, unsigned mask, std::uint64_t bits, unsigned operand,
                           int width) {
  BlockRunner& runner = running(name_of(kind));
  if (width < 1 || width > limits::warp_threads || (width & (width - 1)) != 0) {
    throw Defect{runtime::cudaErrorLaunchFailure, fmt::format("{} at {}:{}: a width of {}, which is no power of 2 "
                                                              "up to 32",
                                                              name_of(kind), place.file, place.line, width)};
  }
  const int source = source_lane(kind, runner.lane(), operand, width);
  return runner.meet({name_of(kind), place, mask, bits, source, false, nullptr}).bits;
}

void multiply_tf32(Place place, float (&sums)[4], const float (&rows)[4], const float (&columns)[2]) {
  constexpr const char* name = "multiply_tf32";
  constexpr unsigned all_lanes = 0xFFFFFFFFU;
  BlockRunner& runner = running(name);
  const TensorOperands operands{.rows = rows, .columns = columns, .sums = sums};
  runner.meet({name, place, all_lanes, 0, runner.lane(), false, &operands});
}

}  // namespace touchstone::emulation
