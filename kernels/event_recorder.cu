// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "kernels/check.h"
#include "kernels/event_recorder.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

// Seconds on the device from one event to another, both of which it has passed.
double seconds_between(const Event& from, const Event& to) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, from.get(), to.get()), "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) * 1e-3;
}

}  // namespace

EventRecorder::EventRecorder(cudaStream_t stream) : stream_(stream), origin_(make_event()) {
  check(cudaEventRecord(origin_.get(), stream_), "cudaEventRecord");
}

void EventRecorder::begin(std::string_view layer, const OperationCost& cost) {
  Entry& entry = entries_.emplace_back();
  entry.operation.cost = cost;
  entry.operation.layer = layer;
  entry.before = make_event();
  entry.after = make_event();
  check(cudaEventRecord(entry.before.get(), stream_), "cudaEventRecord");
}

// What goes wrong here is reported when the event's time is asked for.
void EventRecorder::end() noexcept { static_cast<void>(cudaEventRecord(entries_.back().after.get(), stream_)); }

std::vector<RecordedOperation> EventRecorder::finish() {
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  std::vector<RecordedOperation> operations;
  for (Entry& entry : entries_) {
    entry.operation.begin = seconds_between(origin_, entry.before);
    entry.operation.seconds = seconds_between(entry.before, entry.after);
    operations.push_back(std::move(entry.operation));
  }
  entries_.clear();
  return operations;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
