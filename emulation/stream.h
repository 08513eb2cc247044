// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emulation/runtime_api.h"

namespace touchstone::emulation {

/// A piece of work on a stream: a kernel, a copy, a library call.
struct Task {
  std::function<std::string()> name;  ///< for reports: asked for when there is one
  std::function<void()> work;         ///< throws Defect
};
using SharedTask = std::shared_ptr<const Task>;

struct Capture;

}  // namespace touchstone::emulation

namespace touchstone::emulation::runtime {

using SharedStream = std::shared_ptr<CUstream_st>;

/// Work of a stream up to and including number `number`.
struct Dependency {
  SharedStream stream;
  std::uint64_t number = 0;
};

/// A stream: work that waits until something asks for its outcome.
struct CUstream_st {
  struct Entry {
    SharedTask task;
    std::vector<Dependency> dependencies;
  };

  bool blocking = true;  ///< ordered with the null stream
  std::deque<Entry> pending;
  std::uint64_t finished = 0;              ///< entries that have run
  std::vector<Dependency> next_waits_for;  ///< cudaStreamWaitEvent since the last entry
  std::shared_ptr<Capture> capture;

  /// The number of the last entry; entries are numbered from 1.
  [[nodiscard]] std::uint64_t last() const { return finished + pending.size(); }
};

/// An event: a place in a stream, and when it was reached.
struct CUevent_st {
  bool timed = true;
  Dependency place;
  std::chrono::steady_clock::time_point reached;
  std::shared_ptr<Capture> capture;  ///< in which it was last recorded
};

struct CUgraph_st {
  std::vector<SharedTask> nodes;
};

struct CUgraphExec_st {
  std::shared_ptr<const CUgraph_st> graph;
};

}  // namespace touchstone::emulation::runtime

namespace touchstone::emulation {

/// A capture under way. Work is kept in the order in which it was captured, which respects all its dependencies.
struct Capture {
  runtime::CUstream_st* origin = nullptr;
  runtime::cudaStreamCaptureMode mode = runtime::cudaStreamCaptureModeGlobal;
  bool invalidated = false;
  std::vector<SharedTask> tasks;
  /// The other streams that were drawn in, and whether the origin has waited for their last work.
  std::map<runtime::CUstream_st*, bool> joined;
};

/// The streams of the device. The null stream is the legacy default stream: it waits for, and is waited for by, every
/// blocking stream. Nothing runs before a call that must wait for it.
class Streams {
 public:
  Streams();

  runtime::cudaStream_t create(bool blocking);
  /// What is pending still runs, no sooner than with the next cudaDeviceSynchronize.
  void destroy(runtime::cudaStream_t stream);
  void reset();

  /// The stream of a handle (nullptr: the null stream). Throws Defect where there is none.
  runtime::SharedStream get(runtime::cudaStream_t handle) const;

  /// Queues a task, or captures it. Throws Defect where a capture does not permit it.
  void enqueue(const runtime::SharedStream& stream, SharedTask task);
  /// Makes what is queued from now on wait for `dependency`.
  static void wait_for(runtime::CUstream_st& stream, const runtime::Dependency& dependency);

  /// Runs the stream's entries up to number `number`, and what they depend on.
  void run(const runtime::SharedStream& stream, std::uint64_t number);
  void run(const runtime::SharedStream& stream) { run(stream, stream->last()); }
  void run_all();

  [[nodiscard]] bool capturing() const;
  /// Whether a capture forbids calls that might synchronise; such a call also spoils it.
  bool forbid_unsafe_call();

 private:
  using Dependency = runtime::Dependency;

  [[nodiscard]] std::vector<Dependency> implicit_dependencies(const runtime::SharedStream& stream) const;
  void capture(runtime::CUstream_st& stream, SharedTask task);

  runtime::SharedStream null_;
  std::map<runtime::CUstream_st*, runtime::SharedStream> streams_;
  std::vector<runtime::SharedStream> destroyed_;  ///< that still have work
};

}  // namespace touchstone::emulation
