// SPDX-License-Identifier: Apache-2.0
// The runtime's functions about streams and events.
#include <chrono>

#include "emulation/device_state.h"
#include "emulation/runtime_api.h"

namespace touchstone::emulation::runtime {
namespace {

std::shared_ptr<CUevent_st> get_event(const Device& device, cudaEvent_t event) {
  const auto found = device.events.find(event);
  if (found == device.events.end()) {
    throw Defect{cudaErrorInvalidResourceHandle, "an event that was destroyed, or never created"};
  }
  return found->second;
}

bool was_reached(const CUevent_st& event) {
  return event.place.stream == nullptr || event.place.stream->finished >= event.place.number;
}

void forbid_captured(const CUevent_st& event) {
  if (event.capture != nullptr) {
    throw Defect{cudaErrorCapturedEvent, "an event that was recorded in a capture"};
  }
}

void forbid_capturing(CUstream_st& stream, const char* function) {
  if (stream.capture != nullptr) {
    stream.capture->invalidated = true;
    throw Defect{cudaErrorStreamCaptureUnsupported, std::string(function) + " of a capturing stream"};
  }
}

/// Lets one more entry of a stream run: who polls gets there, though no sooner than after a "not ready".
void make_progress(Device& device, const SharedStream& stream, std::uint64_t number) {
  if (stream->finished < number) {
    device.streams.run(stream, stream->finished + 1);
    throw Defect{cudaErrorNotReady, ""};
  }
}

/// A stream that waits for an event of a capture becomes part of it; the event's stream has then been waited for.
void join_capture(CUstream_st& stream, const CUevent_st& event) {
  Capture& capture = *event.capture;
  if (stream.capture != nullptr && stream.capture != event.capture) {
    throw Defect{cudaErrorStreamCaptureMerge, "cudaStreamWaitEvent between two captures"};
  }
  if (stream.capture == nullptr) {
    stream.capture = event.capture;
    capture.joined[&stream] = false;
  }
  CUstream_st* const source = event.place.stream.get();
  if (source != capture.origin && capture.joined.count(source) != 0) {
    capture.joined[source] = true;
  }
}

}  // namespace

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  Device& device = Device::get();
  return device.guarded([&] { *stream = device.streams.create((flags & cudaStreamNonBlocking) == 0); });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int /*priority*/) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded_release([&] { device.streams.destroy(stream); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] {
    const SharedStream shared = device.streams.get(stream);
    forbid_capturing(*shared, "cudaStreamSynchronize");
    device.streams.run(shared);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] {
    const SharedStream shared = device.streams.get(stream);
    forbid_capturing(*shared, "cudaStreamQuery");
    make_progress(device, shared, shared->last());
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int /*flags*/) {
  Device& device = Device::get();
  return device.guarded([&] {
    const SharedStream shared = device.streams.get(stream);
    const std::shared_ptr<CUevent_st> awaited = get_event(device, event);
    if (awaited->capture != nullptr) {
      join_capture(*shared, *awaited);
    } else if (shared->capture != nullptr) {
      shared->capture->invalidated = true;
      throw Defect{cudaErrorStreamCaptureIsolation, "a capturing stream waits for an event from outside the capture"};
    } else if (!was_reached(*awaited)) {
      Streams::wait_for(*shared, awaited->place);
    }
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  Device& device = Device::get();
  return device.guarded([&] { device.enqueue(stream, "a host function", [function, data] { function(data); }); });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  Device& device = Device::get();
  return device.guarded([&] {
    auto created = std::make_shared<CUevent_st>();
    created->timed = (flags & cudaEventDisableTiming) == 0;
    *event = created.get();
    device.events.emplace(created.get(), created);
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  Device& device = Device::get();
  return device.guarded_release([&] {
    get_event(device, event);
    device.events.erase(event);
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] {
    const SharedStream shared = device.streams.get(stream);
    const std::shared_ptr<CUevent_st> recorded = get_event(device, event);
    recorded->capture = shared->capture;
    if (shared->capture == nullptr) {
      device.enqueue(stream, "an event", [recorded] { recorded->reached = std::chrono::steady_clock::now(); });
    }
    recorded->place = {shared, shared->last()};
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Device& device = Device::get();
  return device.guarded([&] {
    const std::shared_ptr<CUevent_st> awaited = get_event(device, event);
    forbid_captured(*awaited);
    if (!was_reached(*awaited)) {
      device.streams.run(awaited->place.stream, awaited->place.number);
    }
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  Device& device = Device::get();
  return device.guarded([&] {
    const std::shared_ptr<CUevent_st> queried = get_event(device, event);
    forbid_captured(*queried);
    if (!was_reached(*queried)) {
      make_progress(device, queried->place.stream, queried->place.number);
    }
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  Device& device = Device::get();
  return device.guarded([&] {
    const std::shared_ptr<CUevent_st> first = get_event(device, start);
    const std::shared_ptr<CUevent_st> last = get_event(device, end);
    for (const CUevent_st* event : {first.get(), last.get()}) {
      if (!event->timed || event->place.stream == nullptr || event->capture != nullptr) {
        throw Defect{cudaErrorInvalidResourceHandle, "the time of an event that was not recorded, or takes no time"};
      }
      if (!was_reached(*event)) {
        throw Defect{cudaErrorNotReady, "the time of an event that has not been waited for"};
      }
    }
    *milliseconds = std::chrono::duration<float, std::milli>(last->reached - first->reached).count();
  });
}

}  // namespace touchstone::emulation::runtime
