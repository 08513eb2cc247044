// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/thread_pool.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone::cpu {

namespace {

/// Tells the core that this is a spinning wait.
inline void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How often a waiting thread looks before it sleeps: some 40 microseconds where a pause takes 40 ns. That is longer
/// than the serial part between two regions of a training step, and as long as it takes to wake up a sleeping thread.
constexpr int spins = 1000;

/// Waits until `value` differs from `seen`: spinning first, then asleep.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t seen) {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != seen) {
      return;
    }
    pause_briefly();
  }
  value.wait(seen, std::memory_order_acquire);
}

std::size_t number_of_tickets(int threads) {
  if (threads < 1) {
    throw Error(fmt::format("the cpu device was asked for {} threads; there must be at least 1", threads));
  }
  return static_cast<std::size_t>(threads);
}

}  // namespace

ThreadPool::ThreadPool(int threads) : tickets_(number_of_tickets(threads)) {
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  for (int thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { work(thread); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  region_.fetch_add(1, std::memory_order_release);
  region_.notify_all();
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

void ThreadPool::run(std::int64_t tasks, Job job) {
  if (tasks > std::numeric_limits<std::int32_t>::max()) {
    throw Error(fmt::format("a parallel region of {} tasks was asked for; at most 2^31 - 1 are possible", tasks));
  }
  if (workers_.empty() || tasks <= 1) {
    for (std::int64_t task = 0; task < tasks; ++task) {
      job.call(job.context, task, 0);
    }
    return;
  }
  job_ = job;
  tasks_ = tasks;
  failed_.store(false, std::memory_order_relaxed);
  unfinished_.store(static_cast<std::uint32_t>(tasks), std::memory_order_relaxed);
  const std::uint32_t region = region_.load(std::memory_order_relaxed) + 1;
  for (int owner = 0; owner < threads(); ++owner) {
    const std::int64_t begin = owner == 0 ? 0 : end_of_tasks(owner - 1);
    const auto count = static_cast<std::uint64_t>(end_of_tasks(owner) - begin);
    tickets_[static_cast<std::size_t>(owner)].value.store((std::uint64_t{region} << 32U) | count,
                                                          std::memory_order_release);
  }
  region_.store(region, std::memory_order_release);
  region_.notify_all();
  claim_tasks(0);
  wait_for_unfinished();
  if (failed_.load(std::memory_order_relaxed)) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::work(int thread) {
  std::uint32_t seen = 0;
  while (true) {
    wait_for_change(region_, seen);
    seen = region_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) {
      return;
    }
    claim_tasks(thread);
  }
}

std::int64_t ThreadPool::end_of_tasks(int owner) const { return tasks_ * (owner + 1) / threads(); }

void ThreadPool::claim_tasks(int thread) {
  for (int i = 0; i < threads(); ++i) {
    claim_tasks_of((thread + i) % threads(), thread);
  }
}

void ThreadPool::claim_tasks_of(int owner, int thread) {
  constexpr std::uint64_t unclaimed_mask = 0xFFFFFFFFU;
  std::atomic<std::uint64_t>& claims = tickets_[static_cast<std::size_t>(owner)].value;
  std::uint64_t ticket = claims.load(std::memory_order_acquire);
  while ((ticket & unclaimed_mask) != 0) {
    if (!claims.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      continue;
    }
    // The claim holds the region open: job_ and tasks_ stay until this task is done.
    run_task(end_of_tasks(owner) - static_cast<std::int64_t>(ticket & unclaimed_mask), thread);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      unfinished_.notify_one();
    }
    ticket = claims.load(std::memory_order_acquire);
  }
}

void ThreadPool::run_task(std::int64_t task, int thread) {
  if (failed_.load(std::memory_order_relaxed)) {
    return;
  }
  try {
    job_.call(job_.context, task, thread);
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    if (!failed_.load(std::memory_order_relaxed)) {
      failure_ = std::current_exception();
      failed_.store(true, std::memory_order_relaxed);
    }
  }
}

void ThreadPool::wait_for_unfinished() {
  std::uint32_t left = unfinished_.load(std::memory_order_acquire);
  while (left != 0) {
    wait_for_change(unfinished_, left);
    left = unfinished_.load(std::memory_order_acquire);
  }
}

}  // namespace touchstone::cpu
