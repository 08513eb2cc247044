// SPDX-License-Identifier: Apache-2.0
#include "kernels/accuracy.h"
#include "kernels/gather.h"
#include "kernels/half_squared_error.h"
#include "kernels/layered_path.h"
#include "kernels/optimizer.h"
#include "kernels/profiling.h"
#include "kernels/softmax_cross_entropy.h"
#include "touchstone/operation_cost.h"

namespace touchstone::TOUCHSTONE_BACKEND {

void LayeredPath::queue_step(const RunTensors& run, std::int64_t batch, bool trains,
                             OperationRecorder* recorder) const {
  if (trains) {
    queue_gradients(run, batch, 1.0 / static_cast<double>(batch), recorder);
    queue_update(run, recorder);
  } else {
    queue_forward(run, batch, recorder);
    queue_loss(run, batch, 1.0, false, recorder);
  }
  queue_advance(batch, recorder);
}

void LayeredPath::queue_forward(const RunTensors& run, std::int64_t batch, OperationRecorder* recorder) const {
  {
    const GatherShape shape{.batch = batch, .image_size = settings_.plan.input_count};
    const OperationRange range(recorder, "", cost::gather(shape));
    gather(shape, run.pixels, run.labels, run.indices, settings_.normalisation.pixel_scale(), tensors_.pass.images(),
           tensors_.labels.data(), tensors_.cursor.data(), stream_);
  }
  tensors_.pass.forward(batch, tensors_.parameters.data(), blas_, stream_, recorder);
}

void LayeredPath::queue_gradients(const RunTensors& run, std::int64_t batch, double scale,
                                  OperationRecorder* recorder) const {
  queue_forward(run, batch, recorder);
  queue_loss(run, batch, scale, true, recorder);
  tensors_.pass.backward(batch, tensors_.parameters.data(), tensors_.gradients.data(), blas_, stream_, recorder);
}

void LayeredPath::queue_loss(const RunTensors& run, std::int64_t batch, double scale, bool with_gradient,
                             OperationRecorder* recorder) const {
  float* const gradient = with_gradient ? tensors_.pass.grad_logits() : nullptr;
  if (settings_.plan.loss == Loss::half_squared_error) {
    const HalfSquaredErrorShape shape{.batch = batch, .elements = settings_.plan.output_count};
    const OperationRange range(recorder, "", cost::half_squared_error(shape, with_gradient));
    half_squared_error(shape, tensors_.pass.logits(), tensors_.pass.images(), static_cast<float>(scale), run.losses,
                       gradient, tensors_.cursor.data(), stream_);
    return;
  }
  const SoftmaxCrossEntropyShape shape{.batch = batch, .classes = settings_.plan.classes};
  {
    const OperationRange range(recorder, "", cost::softmax_cross_entropy(shape, with_gradient));
    softmax_cross_entropy(shape, tensors_.pass.logits(), tensors_.labels.data(), static_cast<float>(scale), run.losses,
                          gradient, tensors_.cursor.data(), stream_);
  }
  const OperationRange range(recorder, "", cost::accuracy(shape));
  accuracy(shape, tensors_.pass.logits(), tensors_.labels.data(), run.correct, tensors_.cursor.data(), stream_);
}

void LayeredPath::queue_update(const RunTensors& run, OperationRecorder* recorder) const {
  const OptimizerSettings& optimizer = settings_.optimizer;
  const std::int64_t count = settings_.plan.parameter_floats;
  const OperationRange range(recorder, "", cost::optimizer(optimizer.kind, count));
  switch (optimizer.kind) {
    case OptimizerKind::sgd:
      sgd(count, optimizer, run.records, tensors_.cursor.data(), tensors_.gradients.data(), tensors_.parameters.data(),
          tensors_.slots[0].data(), stream_);
      break;
    case OptimizerKind::adam:
      adam(count, optimizer, run.records, tensors_.cursor.data(), tensors_.gradients.data(), tensors_.parameters.data(),
           tensors_.slots[0].data(), tensors_.slots[1].data(), stream_);
      break;
    case OptimizerKind::adamw:
      adamw(count, optimizer, run.records, tensors_.cursor.data(), tensors_.gradients.data(),
            tensors_.parameters.data(), tensors_.slots[0].data(), tensors_.slots[1].data(), stream_);
      break;
  }
}

void LayeredPath::queue_advance(std::int64_t batch, OperationRecorder* recorder) const {
  const OperationRange range(recorder, "", {.operation = "advance"});
  advance(tensors_.cursor.data(), batch, stream_);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
