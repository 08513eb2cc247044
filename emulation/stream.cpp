// SPDX-License-Identifier: Apache-2.0
#include "emulation/stream.h"

#include <algorithm>
#include <utility>

#include "emulation/defect.h"

namespace touchstone::emulation {
namespace {

using runtime::CUstream_st;
using runtime::SharedStream;

/// A driver's queue is bounded too: where so much waits, a further launch first lets the oldest run.
constexpr std::size_t most_pending = 4096;

}  // namespace

Streams::Streams() : null_(std::make_shared<CUstream_st>()) {}

runtime::cudaStream_t Streams::create(bool blocking) {
  auto stream = std::make_shared<CUstream_st>();
  stream->blocking = blocking;
  streams_.emplace(stream.get(), stream);
  return stream.get();
}

void Streams::destroy(runtime::cudaStream_t stream) {
  const auto found = streams_.find(stream);
  if (stream == nullptr || found == streams_.end()) {
    throw Defect{runtime::cudaErrorInvalidResourceHandle, "cudaStreamDestroy of what is no stream"};
  }
  if (!found->second->pending.empty()) {
    destroyed_.push_back(found->second);
  }
  streams_.erase(found);
}

void Streams::reset() {
  null_ = std::make_shared<CUstream_st>();
  streams_.clear();
  destroyed_.clear();
}

SharedStream Streams::get(runtime::cudaStream_t handle) const {
  if (handle == nullptr) {
    return null_;
  }
  const auto found = streams_.find(handle);
  if (found == streams_.end()) {
    throw Defect{runtime::cudaErrorInvalidResourceHandle, "a stream that was destroyed, or never created"};
  }
  return found->second;
}

/// What the rules of the legacy default stream add: it follows all blocking streams, and they follow it.
std::vector<runtime::Dependency> Streams::implicit_dependencies(const SharedStream& stream) const {
  std::vector<Dependency> dependencies;
  const auto add = [&dependencies](const SharedStream& other) {
    if (other->blocking && !other->pending.empty()) {
      dependencies.push_back({other, other->last()});
    }
  };
  if (stream == null_) {
    for (const auto& [handle, other] : streams_) {
      add(other);
    }
    std::for_each(destroyed_.begin(), destroyed_.end(), add);
  } else if (stream->blocking) {
    add(null_);
  }
  return dependencies;
}

void Streams::capture(CUstream_st& stream, SharedTask task) {
  Capture& capture = *stream.capture;
  if (capture.invalidated) {
    throw Defect{runtime::cudaErrorStreamCaptureInvalidated,
                 task->name() + " in a capture that an earlier call spoilt"};
  }
  if (&stream != capture.origin) {
    capture.joined[&stream] = false;
  }
  capture.tasks.push_back(std::move(task));
}

void Streams::enqueue(const SharedStream& stream, SharedTask task) {
  if (stream->capture != nullptr) {
    capture(*stream, std::move(task));
    return;
  }
  if (stream == null_) {
    for (const auto& [handle, other] : streams_) {
      if (other->blocking && other->capture != nullptr) {
        other->capture->invalidated = true;
        throw Defect{runtime::cudaErrorStreamCaptureImplicit, task->name() + " on the null stream during a capture"};
      }
    }
  }
  std::vector<Dependency> dependencies = implicit_dependencies(stream);
  std::move(stream->next_waits_for.begin(), stream->next_waits_for.end(), std::back_inserter(dependencies));
  stream->next_waits_for.clear();
  stream->pending.push_back({std::move(task), std::move(dependencies)});
  if (stream->pending.size() > most_pending) {
    run(stream, stream->finished + 1);
  }
}

void Streams::wait_for(CUstream_st& stream, const Dependency& dependency) {
  stream.next_waits_for.push_back(dependency);
}

void Streams::run(const SharedStream& stream, std::uint64_t number) {
  while (stream->finished < number) {
    for (const Dependency& dependency : std::exchange(stream->pending.front().dependencies, {})) {
      run(dependency.stream, dependency.number);
    }
    const SharedTask task = stream->pending.front().task;
    stream->pending.pop_front();
    ++stream->finished;
    task->work();
  }
}

void Streams::run_all() {
  run(null_);
  // Copies: running work may not change the set of streams, but a host function of the caller's might.
  const auto streams = streams_;
  for (const auto& [handle, stream] : streams) {
    run(stream);
  }
  for (const SharedStream& stream : std::exchange(destroyed_, {})) {
    run(stream);
  }
}

bool Streams::capturing() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const auto& entry) { return entry.second->capture != nullptr; });
}

bool Streams::forbid_unsafe_call() {
  bool forbidden = false;
  for (const auto& [handle, stream] : streams_) {
    if (stream->capture != nullptr && stream->capture->mode != runtime::cudaStreamCaptureModeRelaxed) {
      stream->capture->invalidated = true;
      forbidden = true;
    }
  }
  return forbidden;
}

}  // namespace touchstone::emulation
