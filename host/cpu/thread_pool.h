// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace touchstone::cpu {

/// A fixed number of threads that share the tasks of one parallel region after another. The caller is one of them.
///
/// Each thread begins with tasks of its own, the same in every region of as many tasks, so that what they work on stays
/// in its core's caches; whoever has no more of these takes over another's. A region costs a few microseconds while
/// regions follow each other closely: waiting threads spin that long before they sleep. A sleeping worker that wakes
/// too late finds nothing left to do, and the region does not wait for it.
class ThreadPool {
 public:
  /// `threads` at least 1, the caller included: with 1 everything runs in the caller.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  [[nodiscard]] int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls function(task, thread) for each task in 0..tasks-1, where `thread` in 0..threads()-1 says which thread runs
  /// it (0 is the caller). Returns when all are done. The first exception that a
  /// task throws is thrown here, after the tasks in progress; tasks not yet begun are dropped then.
  /// Not to be called from inside a task, nor from two threads at once.
  template <class Function>
  void parallel_for(std::int64_t tasks, Function&& function) {
    using Plain = std::remove_reference_t<Function>;
    run(tasks,
        {.call = [](void* context, std::int64_t task, int thread) { (*static_cast<Plain*>(context))(task, thread); },
         .context = const_cast<void*>(static_cast<const void*>(std::addressof(function)))});
  }

 private:
  struct Job {
    void (*call)(void* context, std::int64_t task, int thread) = nullptr;
    void* context = nullptr;
  };

  void run(std::int64_t tasks, Job job);
  void work(int thread);
  void claim_tasks(int thread);
  void claim_tasks_of(int owner, int thread);
  [[nodiscard]] std::int64_t end_of_tasks(int owner) const;
  void run_task(std::int64_t task, int thread);
  void wait_for_unfinished();

  Job job_;
  std::int64_t tasks_ = 0;
  /// Of one thread's tasks: the region's number in the upper half, how many nobody has claimed in the lower. One
  /// compare-and-swap claims a task of this region and of no other, so that late workers do no harm.
  struct alignas(64) Ticket {
    std::atomic<std::uint64_t> value{0};
  };
  std::vector<Ticket> tickets_;               // [thread]
  std::atomic<std::uint32_t> unfinished_{0};  // tasks of the region that have not returned
  std::atomic<std::uint32_t> region_{0};      // what sleeping workers watch
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::vector<std::thread> workers_;
};

}  // namespace touchstone::cpu
