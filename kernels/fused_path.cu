// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "host/reference/executor_support.h"
#include "host/reference/fused_plan.h"
#include "kernels/check.h"
#include "kernels/fused_path.h"
#include "kernels/fused_step_plan.h"
#include "kernels/profiling.h"
#include "touchstone/error.h"
#include "touchstone/operation_cost.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

// Steps of a graph: enough that its launch costs little beside them, few enough that their number rarely matters.
constexpr std::int64_t graph_steps = 16;
// Blocks of an evaluation for each multiprocessor: enough to fill it, few enough to share the parameters' way in.
constexpr std::int64_t forward_blocks_each = 4;

int attribute(cudaDeviceAttr name, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, name, device), "cudaDeviceGetAttribute");
  return value;
}

template <class T>
void zero(const Buffer<T>& buffer, cudaStream_t stream) {
  check(cudaMemsetAsync(buffer.data(), 0, buffer.bytes(), stream), "cudaMemsetAsync");
}

// What the layers of a plan have to do, forward and backward, for `batch` samples.
OperationCost step_cost(const ExecutionPlan& plan, const FusedStepShape& shape, std::int64_t batch) {
  OperationCost sum{.operation = "fused_gradients"};
  const auto add = [&sum](const OperationCost& cost) { sum.flops += cost.flops; };
  for (const FusedOperation& operation : fuse(plan)) {
    if (const auto* block = std::get_if<Conv2dMaxpoolSigmoidShape>(&operation.shape)) {
      const Conv2dMaxpoolSigmoidShape batched = with_batch(*block, batch);
      add(cost::forward(batched));
      add(cost::backward_weights(batched));
      add(cost::backward_bias(batched));
      if (operation.first > 0) {
        add(cost::backward_data(batched));
      }
    }
  }
  const DenseShape dense = with_batch(std::get<DenseShape>(plan.operations.back().shape), batch);
  add(cost::forward(dense));
  add(cost::backward_data(dense));
  add(cost::backward_weights(dense));
  add(cost::backward_bias(dense));
  add(cost::softmax_cross_entropy({.batch = batch, .classes = plan.classes}));
  // Pixels and labels in, losses and correctness out; the parameters in, and the parts of their gradient out.
  const std::int64_t parts = fused_parts(static_cast<int>(batch));
  sum.bytes =
      batch * (plan.input_count + 10) + static_cast<std::int64_t>(sizeof(float)) * (1 + parts) * shape.parameter_floats;
  return sum;
}

OperationCost update_cost(const FusedStepShape& shape, OptimizerKind kind, std::int64_t batch) {
  const std::int64_t parts = fused_parts(static_cast<int>(batch));
  const std::int64_t count = shape.parameter_floats;
  OperationCost cost = cost::optimizer(kind, count);
  cost.operation = "fused_update";
  cost.flops += (parts - 1) * count;
  cost.bytes += (parts - 1) * count * static_cast<std::int64_t>(sizeof(float));
  return cost;
}

// The path of operations one by one, blocks as one where there are any. `reason`: why it is not the fused step.
PathChoice choose_operations(const ExecutionPlan& plan, PathRequest request, const std::string& reason) {
  const std::int64_t blocks = count_blocks(plan);
  if (blocks > 0) {
    return {.fuses_blocks = true,
            .path = {.name = "fused",
                     .detail = std::to_string(blocks) + (blocks == 1 ? " block" : " blocks") +
                               " of convolution, max-pool and sigmoid; not whole steps: " + reason}};
  }
  if (request == PathRequest::fused) {
    throw UsageError("nothing of this network can be fused: " + reason + "; use --path layered or auto");
  }
  return {.path = {.name = "layered", .detail = reason}};
}

}  // namespace

PathChoice choose_path(const ExecutionPlan& plan, const CudaOptions& options) {
  if (options.path == PathRequest::layered) {
    return {.path = {.name = "layered", .detail = "as asked for"}};
  }
  const auto limit = static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, options.index));
  const bool tensor_cores = options.tensor_cores && fused_step_uses_tensor_cores(options.index);
  const FusedStepPlan fused = plan_fused_step(plan, limit, tensor_cores);
  // Without room for the parameters each block would bring them through the caches for each sample, which operations
  // do once a mini-batch.
  const bool worth_while = fused.shape && fused.shape->residency != FusedResidency::none;
  if (worth_while || (fused.shape && options.path == PathRequest::fused)) {
    const bool persistent = options.graph && options.persistent;
    const int blocks = persistent ? fused_cooperative_blocks(*fused.shape, options.index) : 0;
    return {.fused = fused.shape,
            .cooperative_blocks = blocks,
            .fuses_blocks = true,
            .path = {.name = "fused",
                     .detail = (blocks > 0 ? "persistent, " : "two launches a step, ") + fused.reason,
                     .tensor_cores = fused.shape->by_tensor_cores}};
  }
  return choose_operations(plan, options.path, fused.shape ? "a step would have " + fused.reason : fused.reason);
}

FusedPath::FusedPath(const PathChoice& choice, const ExecutorSettings& settings, const CudaOptions& options,
                     const ExecutorTensors& tensors, Allocator& allocator, cudaStream_t stream)
    : shape_(choice.fused.value()),
      cooperative_blocks_(choice.cooperative_blocks),
      forward_blocks_(forward_blocks_each * attribute(cudaDevAttrMultiProcessorCount, options.index)),
      settings_(settings),
      options_(options),
      tensors_(tensors),
      stream_(stream),
      packed_(allocator, shape_.packed_floats + shape_.data_filter_floats,
              "the parameters as the fused step reads them"),
      partials_(allocator, std::min<std::int64_t>(settings.batch_size, fused_most_parts) * shape_.parameter_floats,
                "the parts of the gradient"),
      barrier_(allocator, 1, "the barrier of the grid") {
  zero(packed_, stream_);    // what pads the filters stays zero
  zero(partials_, stream_);  // and so do the gaps between tensors
}

FusedStepTensors FusedPath::tensors_of(const RunTensors& run, float* logits) const {
  return {.pixels = run.pixels,
          .labels = run.labels,
          .indices = run.indices,
          .scale = settings_.normalisation.pixel_scale(),
          .parameters = tensors_.parameters.data(),
          .packed = packed_.data(),
          .partials = partials_.data(),
          .gradients = tensors_.gradients.data(),
          .slot0 = tensors_.slots.front().data(),
          .slot1 = tensors_.slots.size() > 1 ? tensors_.slots[1].data() : nullptr,
          .losses = run.losses,
          .correct = run.correct,
          .logits = logits,
          .cursor = tensors_.cursor.data(),
          .records = run.records,
          .barrier = barrier_.data()};
}

void FusedPath::queue_parameters() const { pack_parameters(shape_, tensors_of({}), stream_); }

void FusedPath::queue_training(const RunTensors& run, std::int64_t samples, std::int64_t batch_size,
                               OperationRecorder* recorder) {
  queue_parameters();
  const OptimizerSettings& optimizer = settings_.optimizer;
  if (cooperative_blocks_ > 0 && recorder == nullptr) {
    zero(barrier_, stream_);
    fused_steps(shape_, tensors_of(run), samples, batch_size, fused_update(optimizer.kind), optimizer,
                cooperative_blocks_, stream_);
    return;
  }
  std::int64_t done = 0;
  const auto step = [&] {
    const std::int64_t batch = std::min(batch_size, samples - done);
    queue_step(run, batch, recorder);
    done += batch;
  };
  if (options_.graph && recorder == nullptr) {
    if (!has_run_ && samples > 0) {
      step();  // loads the kernels
      has_run_ = true;
    }
    while (samples - done >= graph_steps * batch_size) {
      if (!graph_ || graph_batch_ != batch_size) {
        graph_ = capture(stream_, [&] {
          for (std::int64_t i = 0; i < graph_steps; ++i) {
            queue_step(run, batch_size, nullptr);
          }
        });
        graph_batch_ = batch_size;
      }
      check(cudaGraphLaunch(graph_.get(), stream_), "cudaGraphLaunch");
      done += graph_steps * batch_size;
    }
  }
  while (done < samples) {
    step();
  }
}

void FusedPath::queue_step(const RunTensors& run, std::int64_t batch, OperationRecorder* recorder) const {
  const FusedStepTensors tensors = tensors_of(run);
  const OptimizerSettings& optimizer = settings_.optimizer;
  {
    const OperationRange range(recorder, "", step_cost(settings_.plan, shape_, batch));
    fused_gradients(shape_, tensors, batch, 1.0F / static_cast<float>(batch), stream_);
  }
  const OperationRange range(recorder, "", update_cost(shape_, optimizer.kind, batch));
  fused_update(shape_, tensors, batch, fused_update(optimizer.kind), optimizer, stream_);
}

void FusedPath::queue_forward(const RunTensors& run, std::int64_t samples, float* logits) {
  queue_parameters();
  fused_forward(shape_, tensors_of(run, logits), samples, forward_blocks_, stream_);
}

void FusedPath::queue_gradients(const RunTensors& run, std::int64_t batch, double scale) const {
  const FusedStepTensors tensors = tensors_of(run);
  fused_gradients(shape_, tensors, batch, static_cast<float>(scale), stream_);
  fused_update(shape_, tensors, batch, FusedUpdate::store, settings_.optimizer, stream_);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
