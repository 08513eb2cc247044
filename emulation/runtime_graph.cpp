// SPDX-License-Identifier: Apache-2.0
// The runtime's functions about capture and graphs.
#include <algorithm>
#include <utility>

#include "emulation/device_state.h"
#include "emulation/runtime_api.h"

namespace touchstone::emulation::runtime {
namespace {

std::shared_ptr<CUgraph_st> get_graph(const Device& device, cudaGraph_t graph) {
  const auto found = device.graphs.find(graph);
  if (found == device.graphs.end()) {
    throw Defect{cudaErrorInvalidValue, "a graph that was destroyed, or never captured"};
  }
  return found->second;
}

CUgraphExec_st& get_executable(const Device& device, cudaGraphExec_t executable) {
  const auto found = device.executables.find(executable);
  if (found == device.executables.end()) {
    throw Defect{cudaErrorInvalidValue, "an executable graph that was destroyed, or never instantiated"};
  }
  return *found->second;
}

/// Ends the capture in all its streams.
void release_streams(const std::shared_ptr<Capture>& capture) {
  capture->origin->capture.reset();
  for (const auto& [stream, joined] : capture->joined) {
    stream->capture.reset();
  }
}

}  // namespace

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  Device& device = Device::get();
  return device.guarded([&] {
    if (stream == nullptr) {
      throw Defect{cudaErrorStreamCaptureUnsupported, "the null stream cannot be captured"};
    }
    const SharedStream shared = device.streams.get(stream);
    if (shared->capture != nullptr) {
      throw Defect{cudaErrorStreamCaptureUnsupported, "cudaStreamBeginCapture of a stream that is being captured"};
    }
    shared->capture = std::make_shared<Capture>();
    shared->capture->origin = stream;
    shared->capture->mode = mode;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Device& device = Device::get();
  *graph = nullptr;
  return device.guarded([&] {
    const SharedStream shared = device.streams.get(stream);
    const std::shared_ptr<Capture> capture = shared->capture;
    if (capture == nullptr) {
      throw Defect{cudaErrorInvalidValue, "cudaStreamEndCapture of a stream that is not being captured"};
    }
    if (capture->origin != stream) {
      capture->invalidated = true;
      throw Defect{cudaErrorStreamCaptureUnmatched, "cudaStreamEndCapture of another stream than the capture's first"};
    }
    release_streams(capture);
    if (capture->invalidated) {
      throw Defect{cudaErrorStreamCaptureInvalidated, "an earlier call spoilt the capture"};
    }
    if (!std::all_of(capture->joined.begin(), capture->joined.end(), [](const auto& entry) { return entry.second; })) {
      throw Defect{cudaErrorStreamCaptureUnjoined, "a captured stream was never waited for"};
    }
    auto captured = std::make_shared<CUgraph_st>();
    captured->nodes = std::move(capture->tasks);
    *graph = captured.get();
    device.graphs.emplace(captured.get(), captured);
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  Device& device = Device::get();
  return device.guarded([&] {
    const SharedStream shared = device.streams.get(stream);
    *status = shared->capture == nullptr     ? cudaStreamCaptureStatusNone
              : shared->capture->invalidated ? cudaStreamCaptureStatusInvalidated
                                             : cudaStreamCaptureStatusActive;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long /*flags*/) {
  Device& device = Device::get();
  *executable = nullptr;
  return device.guarded([&] {
    auto instance = std::make_unique<CUgraphExec_st>();
    instance->graph = get_graph(device, graph);
    *executable = instance.get();
    device.executables.emplace(instance.get(), std::move(instance));
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] {
    get_executable(device, executable);
    static_cast<void>(device.streams.get(stream));
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] {
    device.enqueue(stream, "a graph", [graph = get_executable(device, executable).graph] {
      for (const SharedTask& node : graph->nodes) {
        node->work();
      }
    });
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  Device& device = Device::get();
  return device.guarded([&] {
    const std::shared_ptr<CUgraph_st> shared = get_graph(device, graph);
    if (nodes == nullptr) {
      *count = shared->nodes.size();
      return;
    }
    *count = std::min(*count, shared->nodes.size());
    for (std::size_t index = 0; index < *count; ++index) {
      // A node's handle is only ever compared: its task's address tells it from the others.
      nodes[index] = reinterpret_cast<cudaGraphNode_t>(const_cast<Task*>(shared->nodes[index].get()));
    }
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  Device& device = Device::get();
  return device.guarded_release([&] {
    get_executable(device, executable);
    device.executables.erase(executable);
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  Device& device = Device::get();
  return device.guarded_release([&] {
    get_graph(device, graph);
    device.graphs.erase(graph);
  });
}

}  // namespace touchstone::emulation::runtime
