// SPDX-License-Identifier: Apache-2.0
//
// A whole training step in two launches, or many steps in one. A block of threads takes a sample through the network
// and back in shared memory and registers (kernels/fused_step_sample.h); device memory sees the sample's pixels, the
// parameters, and one partial gradient for each of at most 128 parts of the mini-batch. Then the parts are added and
// the parameters updated (kernels/fused_step_update.h). Launched cooperatively, the grid does both in turn, step after
// step.
//
// A step is bound by latency: a sample of `seed` is 0.9 MFLOP, some 2 microseconds' work at a multiprocessor's peak, in
// a dozen stages of which each waits for the one before. So each stage cuts its work into as many threads as there are
// (FusedBlock's splits), parameters arrive behind the first stage, and the next step's pixels while the grid waits.
//
// Kernel and pool of the blocks are compile-time constants of the stages. Where all blocks have a kernel of 5 or 3 and
// windows of 2x2 and the parameters fit into shared memory, so they are of the whole kernel.
#include <algorithm>

#include "kernels/check.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_fixed.h"
#include "kernels/fused_step_multiply_adds.h"
#include "kernels/fused_step_sample.h"
#include "kernels/fused_step_tensor_cores.h"
#include "kernels/fused_step_update.h"
#include "kernels/geometry.h"
#include "kernels/grid_barrier.h"
#include "kernels/launch.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

// The samples of a mini-batch: its first one's place in the run, and how many.
struct Batch {
  int first;
  int count;
};

// Parts blockIdx.x, + gridDim.x, ... of a mini-batch's gradient; part p is of the samples p, p + parts, ... `loaded`:
// the first of them is in shared memory.
template <class Form>
__device__ __forceinline__ void run_parts(SampleRunner<Form>& runner, const FusedStepShape& shape,
                                          const FusedStepTensors& tensors, const Batch& batch, float scale,
                                          bool loaded) {
  const int parts = fused_parts(batch.count);
  for (int part = static_cast<int>(blockIdx.x); part < parts; part += static_cast<int>(gridDim.x)) {
    PartialGradient gradient{tensors.partials + std::int64_t{part} * shape.parameter_floats, true};
    for (int sample = part; sample < batch.count; sample += parts) {
      if (!loaded) {
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
template <class Form>
__global__ void __launch_bounds__(fused_threads, 1)
    gradients_kernel(const FusedStepShape given, const FusedStepTensors tensors, int batch, float scale) {
  if constexpr (Form::compiled) {
    const FusedStepShape& shape = Form::shape_of(given);
    SampleRunner<Form> runner(shape, tensors);
    runner.load_parameters();
    run_parts(runner, shape, tensors, {static_cast<int>(tensors.cursor->sample), batch}, scale, false);
    if (blockIdx.x == 0 && threadIdx.x == 0) {
      tensors.cursor->step += 1;  // which no block of this launch reads
    }
  }
}

// Whole steps; needs a cooperative launch. Block: some parts of each mini-batch, then some of the parameters.
template <class Form>
__global__ void __launch_bounds__(fused_threads, 1)
    steps_kernel(const FusedStepShape given, const FusedStepTensors tensors, int samples, int batch_size,
                 FusedUpdate update, OptimizerConstants constants) {
  if constexpr (Form::compiled) {
    const FusedStepShape& shape = Form::shape_of(given);
    SampleRunner<Form> runner(shape, tensors);
    GridBarrier barrier(tensors.barrier);
    bool loaded = false;
    int step = 0;
    for (int first = 0; first < samples; first += batch_size) {
      const Batch batch{first, min(samples - first, batch_size)};
      runner.load_parameters();
      run_parts(runner, shape, tensors, batch, 1.0F / static_cast<float>(batch.count), loaded);
      barrier.arrive();
      loaded = static_cast<int>(blockIdx.x) < samples - (first + batch_size);
      if (loaded) {
        runner.load(first + batch_size + static_cast<int>(blockIdx.x));  // while other blocks are still at work
      }
      barrier.wait();  // all parts of the gradient are there
      update_parameters(given, tensors, fused_parts(batch.count), update, constants, tensors.records[step]);
      barrier.arrive();
      barrier.wait();  // the parameters are those of the next step
      ++step;
    }
  }
}

// Block: samples blockIdx.x, + gridDim.x, ... of a run.
template <class Form>
__global__ void __launch_bounds__(fused_threads, 1)
    forward_kernel(const FusedStepShape given, const FusedStepTensors tensors, std::int64_t samples) {
  if constexpr (Form::compiled) {
    const FusedStepShape& shape = Form::shape_of(given);
    SampleRunner<Form> runner(shape, tensors);
    runner.load_parameters();
    for (std::int64_t sample = blockIdx.x; sample < samples; sample += gridDim.x) {
      runner.load(sample);
      runner.forward();
      runner.finish_sample(sample, 1.0F);
    }
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
  if (i < shape.parameter_floats) {
    pack_parameter(shape, tensors.packed, i, tensors.parameters[i]);
  }
}

// Calls `use` with the form of the kernels that a shape takes.
template <class Use>
auto with_form(const FusedStepShape& shape, const Use& use) {
  const auto all_are = [&shape](int kernel, int pool) {
    return std::all_of(
        shape.block.begin(), shape.block.begin() + shape.blocks,
        [kernel, pool](const FusedBlock& block) { return block.kernel == kernel && block.pool == pool; });
  };
  if (shape.by_tensor_cores) {
    if (shape == seed_shape()) {
      return use(SeedByTensorCores());
    }
    return shape.block[0].kernel == 5 ? use(ByTensorCores<5, 0>()) : use(ByTensorCores<3, 0>());
  }
  const bool all_resident = shape.residency == FusedResidency::both;
  if (all_resident && all_are(5, 2)) {
    return use(ByMultiplyAdds<OneKind<5, 2, true>>());
  }
  if (all_resident && all_are(3, 2)) {
    return use(ByMultiplyAdds<OneKind<3, 2, true>>());
  }
  if (shape.residency == FusedResidency::packed && all_are(5, 2)) {
    return use(ByMultiplyAdds<OneKind<5, 2, false>>());
  }
  return use(ByMultiplyAdds<AnyKind>());
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

bool fused_step_uses_tensor_cores(int device) {
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  // The kernels that it runs may have been compiled for an older GPU.
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, gradients_kernel<SeedByTensorCores>), "cudaFuncGetAttributes");
  return has_fast_tensor_cores(10 * major + minor) && has_fast_tensor_cores(attributes.ptxVersion);
}

void pack_parameters(const FusedStepShape& shape, const FusedStepTensors& tensors, cudaStream_t stream) {
  launch(pack_kernel, dim3(grid_size(divide_up(shape.parameter_floats, update_threads))), dim3(update_threads), 0,
         stream, shape, tensors);
}

void fused_gradients(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t batch, float scale,
                     cudaStream_t stream) {
  const int samples = narrow(batch, "the batch size");
  with_form(shape, [&](auto form) {
    launch(gradients_kernel<decltype(form)>, dim3(grid_size(fused_parts(samples))), dim3(fused_threads),
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
  const int resident = with_form(shape, [&](auto form) {
    return resident_blocks(steps_kernel<decltype(form)>, fused_threads, shape.shared_bytes());
  });
  return cooperative == 0 ? 0 : resident * multiprocessors;
}

void fused_steps(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t samples, std::int64_t batch,
                 FusedUpdate update, const OptimizerSettings& settings, int blocks, cudaStream_t stream) {
  const int batch_size = narrow(batch, "the batch size");
  const int grid = std::min(blocks, fused_parts(batch_size));
  with_form(shape, [&](auto form) {
    launch_cooperative(steps_kernel<decltype(form)>, dim3(grid_size(grid)), dim3(fused_threads), shape.shared_bytes(),
                       stream, shape, tensors, narrow(samples + batch, "the number of a run's samples") - batch_size,
                       batch_size, update, optimizer_constants(settings));
  });
}

void fused_forward(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t samples,
                   std::int64_t blocks, cudaStream_t stream) {
  if (samples == 0) {
    return;
  }
  with_form(shape, [&](auto form) {
    launch(forward_kernel<decltype(form)>, dim3(grid_size(std::min(samples, blocks))), dim3(fused_threads),
           shape.shared_bytes(), stream, shape, tensors, samples);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
