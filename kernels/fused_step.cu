// SPDX-License-Identifier: Apache-2.0
//
// A whole training step in two launches, or many steps in one. A block of threads takes a sample through the network
// and back in shared memory and registers (kernels/fused_step_stages.h); device memory sees the sample's pixels, the
// parameters, and one partial gradient for each of at most 128 parts of the mini-batch. Then the parts are added and
// the parameters updated (kernels/fused_step_update.h). Launched cooperatively, the grid does both in turn, step after
// step.
//
// A step is bound by latency: a sample of `seed` is 0.9 MFLOP for a block, a hundredth of a multiprocessor's
// microsecond of work for each of a dozen stages that wait for each other. So each stage cuts its work into as many
// threads as there are (FusedBlock's splits), and the pixels of the next step are fetched while the grid waits.
//
// Kernel and pool of the blocks are compile-time constants of the stages. Where all blocks have a kernel of 5 or 3 and
// windows of 2x2 and the parameters fit into shared memory, so they are of the whole kernel.
#include <algorithm>
#include <type_traits>

#include "kernels/async_copy.h"
#include "kernels/check.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_stages.h"
#include "kernels/fused_step_update.h"
#include "kernels/geometry.h"
#include "kernels/grid_barrier.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

template <int VALUE>
using Constant = std::integral_constant<int, VALUE>;

// All blocks have this kernel and this pool, and the parameters are in shared memory, IN_ORDER for each reader.
template <int KERNEL, int POOL, bool IN_ORDER>
struct OneKind {
  static constexpr bool resident = true;
  static constexpr bool in_order = IN_ORDER;
  template <class Stage>
  static __device__ __forceinline__ void with_block(const FusedBlock& /*block*/, const Stage& stage) {
    stage(Constant<KERNEL>(), Constant<POOL>());
  }
};

// Any blocks; the parameters are where there is room for them.
struct AnyKind {
  static constexpr bool resident = false;
  static constexpr bool in_order = false;
  template <class Stage>
  static __device__ __forceinline__ void with_block(const FusedBlock& block, const Stage& stage) {
    switch (10 * block.kernel + block.pool) {
      case 12:
        return stage(Constant<1>(), Constant<2>());
      case 13:
        return stage(Constant<1>(), Constant<3>());
      case 32:
        return stage(Constant<3>(), Constant<2>());
      case 33:
        return stage(Constant<3>(), Constant<3>());
      case 52:
        return stage(Constant<5>(), Constant<2>());
      case 53:
        return stage(Constant<5>(), Constant<3>());
      case 72:
        return stage(Constant<7>(), Constant<2>());
      default:
        return stage(Constant<7>(), Constant<3>());
    }
  }
};

// Where a block brings the parameters; nullptr where it does not.
struct FusedParameters {
  float* packed = nullptr;
  float* natural = nullptr;
};

// Shared memory as FusedStepShape::shared_bytes() counts it.
template <class Kind>
__device__ __forceinline__ FusedWorkspace take_workspace(const FusedStepShape& shape, const FusedStepTensors& tensors,
                                                         FusedParameters& parameters) {
  SharedMemory shared;
  FusedWorkspace work{};
  work.table = shared.take<float>(FusedStepShape::table_floats);
  if (Kind::resident || shape.residency != FusedResidency::none) {
    parameters.packed = shared.take<float>(static_cast<std::size_t>(shape.packed_floats));
    work.packed = parameters.packed;
    work.data_filters = parameters.packed;
    if (shape.natural_floats > 0) {
      parameters.natural = shared.take<float>(static_cast<std::size_t>(shape.natural_floats));
      work.data_filters = parameters.natural;
    }
  } else {
    work.packed = tensors.packed;
    work.data_filters = tensors.parameters;
  }
  work.activations = shared.take<float>(static_cast<std::size_t>(shape.activation_floats));
  work.deltas = shared.take<float>(static_cast<std::size_t>(shape.delta_floats));
  work.argmax = shared.take<std::uint8_t>(static_cast<std::size_t>(shape.delta_floats));
  work.offsets = shared.take<std::uint16_t>(static_cast<std::size_t>(shape.delta_floats));
  if (shape.scratch_floats > 0) {
    work.scratch = shared.take<float>(static_cast<std::size_t>(shape.scratch_floats));
  }
  work.logits = shared.take<float>(static_cast<std::size_t>(shape.classes));
  work.label = shared.take<int>(1);
  return work;
}

// Starts to copy so many floats, to the next multiple of 4: behind a tensor there is a gap.
__device__ __forceinline__ void start_copy(const float* source, float* target, int floats) {
  for (int i = 4 * thread_index(); i < floats; i += 4 * fused_threads) {
    start_copy16(source + i, target + i);
  }
}

// A block of threads at work on samples.
template <class Kind>
class SampleRunner {
 public:
  __device__ SampleRunner(const FusedStepShape& shape, const FusedStepTensors& tensors)
      : shape_(shape), tensors_(tensors), work_(take_workspace<Kind>(shape, tensors, parameters_)) {
    for (int i = thread_index(); i < FusedStepShape::table_floats; i += fused_threads) {
      work_.table[i] = tensors.table[i];
    }
    __syncthreads();  // load() looks values up
  }

  // Starts to bring the parameters into shared memory, first those of the first block; forward() waits for them.
  __device__ __forceinline__ void load_parameters() {
    if (parameters_.packed == nullptr) {
      return;
    }
    const int first = shape_.blocks > 1 ? shape_.block[1].filters_at : shape_.dense_at;
    start_copy(tensors_.packed, parameters_.packed, first);
    end_copy_group();
    start_copy(tensors_.packed + first, parameters_.packed + first, shape_.packed_floats - first);
    if (parameters_.natural != nullptr) {
      for (int i = 1; i < shape_.blocks; ++i) {
        const FusedBlock& block = shape_.block[i];
        start_copy(tensors_.parameters + block.weights, parameters_.natural + block.data_filters_at,
                   block.weights_count());
      }
    }
    end_copy_group();
  }

  // Brings a sample of the run into shared memory, for forward().
  __device__ __forceinline__ void load(std::int64_t sample) {
    load_sample(shape_, work_, tensors_.pixels, tensors_.labels, tensors_.indices[sample]);
  }

  // From the pixels to the logits.
  __device__ __forceinline__ void forward() {
    wait_copies<1>();
    __syncthreads();  // the image and the first block's parameters are there
    for (int i = 0; i < shape_.blocks; ++i) {
      const FusedBlock& block = shape_.block[i];
      Kind::with_block(block, [&](auto kernel, auto pool) {
        block_forward<decltype(kernel)::value, decltype(pool)::value>(block, work_);
        wait_copies<0>();
        __syncthreads();  // a window's parts, or its value, are there, and all parameters
        if (block.forward_splits > 1) {
          combine_forward<decltype(pool)::value>(block, work_);
          __syncthreads();  // the block's output is there, and the scratch free
        }
      });
    }
    dense_forward(shape_, work_);
    __syncthreads();  // the logits are there
  }

  // From the logits to the sample's loss and correctness and the logits' gradient.
  __device__ __forceinline__ void finish_sample(std::int64_t sample, float scale) {
    if (thread_index() < warp_size) {
      if (tensors_.logits != nullptr) {
        for (int i = thread_index(); i < shape_.classes; i += warp_size) {
          tensors_.logits[sample * shape_.classes + i] = work_.logits[i];
        }
      }
      const SampleOutcome outcome = classify(shape_, work_, scale);
      if (thread_index() == 0) {
        tensors_.losses[sample] = outcome.loss;
        tensors_.correct[sample] = outcome.correct ? 1 : 0;
      }
    }
    __syncthreads();  // the gradient is there
  }

  // From the logits' gradient to that of all parameters. The image may still be read when it returns.
  __device__ __forceinline__ void backward(const PartialGradient& gradient) {
    dense_backward(shape_, work_, gradient);
    __syncthreads();  // the last block's deltas are there
    for (int i = shape_.blocks - 1; i > 0; --i) {
      const FusedBlock& block = shape_.block[i];
      Kind::with_block(block, [&](auto kernel, auto pool) {
        backward_block<decltype(kernel)::value, decltype(pool)::value>(block, shape_.block[i - 1], gradient);
      });
    }
    const FusedBlock& first = shape_.block[0];
    Kind::with_block(first, [&](auto kernel, auto pool) {
      static_cast<void>(pool);
      block_backward_filters<decltype(kernel)::value>(first, work_, gradient);
    });
    if (first.filter_splits > 1) {
      __syncthreads();  // the parts of the filters' gradient are there
      combine_filters(first, work_, gradient);
    }
  }

 private:
  template <int KERNEL, int POOL>
  __device__ __forceinline__ void backward_block(const FusedBlock& block, const FusedBlock& before,
                                                 const PartialGradient& gradient) {
    block_backward_filters<KERNEL>(block, work_, gradient);
    for (int begin = 0; begin < block.channels; begin += block.patch_channels) {
      block_backward_patches<KERNEL, POOL, Kind::in_order>(block, work_, begin);
      __syncthreads();  // the patches are there, and before the first ones the parts of the filters' gradient
      if (begin == 0 && block.filter_splits > 1) {
        combine_filters(block, work_, gradient);
      }
      combine_patches<KERNEL, POOL>(block, before, work_, begin);
      __syncthreads();  // the deltas of the block before are there, and the scratch free
    }
  }

  const FusedStepShape& shape_;
  const FusedStepTensors& tensors_;
  FusedParameters parameters_;
  FusedWorkspace work_;
};

// The samples of a mini-batch: its first one's place in the run, and how many.
struct Batch {
  std::int64_t first;
  int count;
};

// Parts blockIdx.x, + gridDim.x, ... of a mini-batch's gradient; part p is of the samples p, p + parts, ... `loaded`:
// the first of them is in shared memory.
template <class Kind>
__device__ __forceinline__ void run_parts(SampleRunner<Kind>& runner, const FusedStepShape& shape,
                                          const FusedStepTensors& tensors, const Batch& batch, float scale,
                                          bool loaded) {
  const int parts = fused_parts(batch.count);
  for (int part = static_cast<int>(blockIdx.x); part < parts; part += static_cast<int>(gridDim.x)) {
    PartialGradient gradient{tensors.partials + std::int64_t{part} * shape.parameter_floats, true};
    for (int sample = part; sample < batch.count; sample += parts) {
      if (!loaded) {
        __syncthreads();  // the image of the sample before is read to its end
        runner.load(batch.first + sample);
      }
      loaded = false;
      runner.forward();
      runner.finish_sample(batch.first + sample, scale);
      runner.backward(gradient);
      gradient.first = false;
    }
  }
}

// The first launch of a step. Block: some parts of the mini-batch.
template <class Kind>
__global__ void __launch_bounds__(fused_threads, 1)
    gradients_kernel(const FusedStepShape shape, const FusedStepTensors tensors, int batch, float scale) {
  SampleRunner<Kind> runner(shape, tensors);
  runner.load_parameters();
  run_parts(runner, shape, tensors, {tensors.cursor->sample, batch}, scale, false);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    tensors.cursor->step += 1;  // which no block of this launch reads
  }
}

// Whole steps; needs a cooperative launch. Block: some parts of each mini-batch, then some of the parameters.
template <class Kind>
__global__ void __launch_bounds__(fused_threads, 1)
    steps_kernel(const FusedStepShape shape, const FusedStepTensors tensors, std::int64_t samples, int batch_size,
                 FusedUpdate update, OptimizerConstants constants) {
  SampleRunner<Kind> runner(shape, tensors);
  GridBarrier barrier(tensors.barrier);
  bool loaded = false;
  std::int64_t step = 0;
  for (std::int64_t first = 0; first < samples; first += batch_size) {
    const Batch batch{first, static_cast<int>(min(samples - first, std::int64_t{batch_size}))};
    runner.load_parameters();
    run_parts(runner, shape, tensors, batch, 1.0F / static_cast<float>(batch.count), loaded);
    barrier.arrive();
    const std::int64_t next = first + batch_size + blockIdx.x;
    loaded = next < samples;
    if (loaded) {
      runner.load(next);  // while other blocks are still at work
    }
    barrier.wait();  // all parts of the gradient are there
    update_parameters(shape, tensors, fused_parts(batch.count), update, constants, tensors.records[step]);
    barrier.arrive();
    barrier.wait();  // the parameters are those of the next step
    ++step;
  }
}

// Block: samples blockIdx.x, + gridDim.x, ... of a run.
template <class Kind>
__global__ void __launch_bounds__(fused_threads, 1)
    forward_kernel(const FusedStepShape shape, const FusedStepTensors tensors, std::int64_t samples) {
  SampleRunner<Kind> runner(shape, tensors);
  runner.load_parameters();
  for (std::int64_t sample = blockIdx.x; sample < samples; sample += gridDim.x) {
    runner.load(sample);
    runner.forward();
    runner.finish_sample(sample, 1.0F);
  }
}

// The second launch of a step. Warp: some parameters.
__global__ void __launch_bounds__(update_threads)
    update_kernel(const FusedStepShape shape, const FusedStepTensors tensors, int batch, FusedUpdate update,
                  OptimizerConstants constants) {
  const StepRecord record = update == FusedUpdate::store ? StepRecord() : tensors.records[tensors.cursor->step - 1];
  update_parameters(shape, tensors, fused_parts(batch), update, constants, record);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    tensors.cursor->sample += batch;  // which no block of this launch reads
  }
}

// Thread: a parameter.
__global__ void __launch_bounds__(update_threads)
    pack_kernel(const FusedStepShape shape, const FusedStepTensors tensors) {
  const int i = static_cast<int>(blockIdx.x * update_threads + threadIdx.x);
  const int place = i < shape.parameter_floats ? packed_place(shape, i) : -1;
  if (place >= 0) {
    tensors.packed[place] = tensors.parameters[i];
  }
}

// Calls `use` with the kind of kernel that a shape takes.
template <class Use>
auto with_kind(const FusedStepShape& shape, const Use& use) {
  const auto all_are = [&shape](int kernel, int pool) {
    return std::all_of(
        shape.block.begin(), shape.block.begin() + shape.blocks,
        [kernel, pool](const FusedBlock& block) { return block.kernel == kernel && block.pool == pool; });
  };
  const bool in_order = shape.residency == FusedResidency::both;
  if (in_order && all_are(5, 2)) {
    return use(OneKind<5, 2, true>());
  }
  if (in_order && all_are(3, 2)) {
    return use(OneKind<3, 2, true>());
  }
  if (shape.residency == FusedResidency::packed && all_are(5, 2)) {
    return use(OneKind<5, 2, false>());
  }
  return use(AnyKind());
}

}  // namespace

FusedUpdate fused_update(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return FusedUpdate::sgd;
    case OptimizerKind::adam:
      return FusedUpdate::adam;
    case OptimizerKind::adamw:
      return FusedUpdate::adamw;
  }
  return FusedUpdate::store;
}

void pack_parameters(const FusedStepShape& shape, const FusedStepTensors& tensors, cudaStream_t stream) {
  launch(pack_kernel, dim3(grid_size(divide_up(shape.parameter_floats, update_threads))), dim3(update_threads), 0,
         stream, shape, tensors);
}

void fused_gradients(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t batch, float scale,
                     cudaStream_t stream) {
  const int samples = narrow(batch, "the batch size");
  with_kind(shape, [&](auto kind) {
    launch(gradients_kernel<decltype(kind)>, dim3(grid_size(fused_parts(samples))), dim3(fused_threads),
           shape.shared_bytes(), stream, shape, tensors, samples, scale);
  });
}

void fused_update(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t batch, FusedUpdate update,
                  const OptimizerSettings& settings, cudaStream_t stream) {
  const int warps = divide_up(shape.parameter_floats, update_warp_columns);
  launch(update_kernel, dim3(grid_size(divide_up(warps * warp_size, update_threads))), dim3(update_threads), 0, stream,
         shape, tensors, narrow(batch, "the batch size"), update, optimizer_constants(settings));
}

int fused_cooperative_blocks(const FusedStepShape& shape, int device) {
  int cooperative = 0;
  int multiprocessors = 0;
  check(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), "cudaDeviceGetAttribute");
  const int resident = with_kind(shape, [&](auto kind) {
    return resident_blocks(steps_kernel<decltype(kind)>, fused_threads, shape.shared_bytes());
  });
  return cooperative == 0 ? 0 : resident * multiprocessors;
}

void fused_steps(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t samples, std::int64_t batch,
                 FusedUpdate update, const OptimizerSettings& settings, int blocks, cudaStream_t stream) {
  const int batch_size = narrow(batch, "the batch size");
  const int grid = std::min(blocks, fused_parts(batch_size));
  with_kind(shape, [&](auto kind) {
    launch_cooperative(steps_kernel<decltype(kind)>, dim3(grid_size(grid)), dim3(fused_threads), shape.shared_bytes(),
                       stream, shape, tensors, samples, batch_size, update, optimizer_constants(settings));
  });
}

void fused_forward(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t samples,
                   std::int64_t blocks, cudaStream_t stream) {
  if (samples == 0) {
    return;
  }
  with_kind(shape, [&](auto kind) {
    launch(forward_kernel<decltype(kind)>, dim3(grid_size(std::min(samples, blocks))), dim3(fused_threads),
           shape.shared_bytes(), stream, shape, tensors, samples);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
