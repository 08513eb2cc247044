// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/thread_pool.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "touchstone/error.h"

namespace touchstone::cpu {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t tasks : {0, 1, 2, 3, 16, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      std::atomic<bool> thread_in_range{true};
      pool.parallel_for(tasks, [&](std::int64_t task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        if (thread < 0 || thread >= threads) {
          thread_in_range = false;
        }
      });
      EXPECT_TRUE(thread_in_range);
      for (const std::atomic<int>& count : runs) {
        ASSERT_EQ(count, 1) << threads << " threads, " << tasks << " tasks";
      }
    }
  }
}

TEST(ThreadPool, SurvivesManyShortRegions) {
  ThreadPool pool(4);
  std::vector<std::int64_t> sums(7);
  for (int region = 0; region < 20000; ++region) {
    pool.parallel_for(7, [&](std::int64_t task, int /*thread*/) { sums[static_cast<std::size_t>(task)] += task + 1; });
  }
  for (std::size_t task = 0; task < sums.size(); ++task) {
    EXPECT_EQ(sums[task], 20000 * (static_cast<std::int64_t>(task) + 1));
  }
}

TEST(ThreadPool, WakesThreadsThatHaveGoneToSleep) {
  ThreadPool pool(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  // Each task waits until the other has begun: only two threads can finish them.
  std::atomic<int> begun{0};
  pool.parallel_for(2, [&](std::int64_t /*task*/, int /*thread*/) {
    ++begun;
    while (begun < 2) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(begun, 2);
}

TEST(ThreadPool, GivesThreadsDifferentNumbers) {
  constexpr int threads = 3;
  ThreadPool pool(threads);
  std::mutex mutex;
  std::set<int> numbers;
  std::set<std::thread::id> ids;
  std::atomic<int> begun{0};
  pool.parallel_for(threads, [&](std::int64_t /*task*/, int thread) {
    {
      const std::lock_guard lock(mutex);
      numbers.insert(thread);
      ids.insert(std::this_thread::get_id());
    }
    ++begun;
    while (begun < threads) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(numbers, (std::set<int>{0, 1, 2}));
  EXPECT_EQ(ids.size(), 3U);
}

TEST(ThreadPool, ThrowsWhatATaskThrowsAndGoesOn) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::string message;
      try {
        pool.parallel_for(100, [](std::int64_t task, int /*thread*/) {
          if (task == 7) {
            throw std::runtime_error("task seven");
          }
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      ASSERT_EQ(message, "task seven");
      std::atomic<std::int64_t> sum{0};
      pool.parallel_for(10, [&](std::int64_t task, int /*thread*/) { sum += task; });
      ASSERT_EQ(sum, 45);
    }
  }
}

TEST(ThreadPool, RefusesFewerThanOneThread) { EXPECT_THROW(ThreadPool(0), Error); }

}  // namespace
}  // namespace touchstone::cpu
