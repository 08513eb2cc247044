// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_shape.h"
#include "kernels/optimizer_rule.h"
#include "kernels/row_lanes.h"
#include "kernels/tensor_core.h"
#include "kernels/vector_access.h"

/// The end of the fused step: the parts of the gradient are added in a fixed order, and the parameters updated.
namespace touchstone::TOUCHSTONE_BACKEND {

inline constexpr int update_threads = 128;

/// A warp adds so many neighbouring columns: 2 lanes with a vector each, by 16 lanes that share the parts.
inline constexpr int update_warp_columns = 8;
inline constexpr int update_part_lanes = warp_size / 2;

/// Writes a weight of a block to where tensor cores take it from.
__device__ __forceinline__ void pack_tensor_weight(const FusedStepShape& shape, const FusedBlock& block, float* packed,
                                                   int filter, int term, float value) {
  const int channel = term / block.by_taps;
  const bool is_first = block.weights == shape.block[0].weights;
  const int place = is_first ? block.first_filter_place(filter, term)
                             : block.filter_place(filter, channel, term - channel * block.taps());
  const SplitFloat parts = split(value);
  packed[block.filters_at + place] = parts.high;
  packed[block.filters_at + place + (is_first ? FusedBlock::first_filter_low : FusedBlock::filter_low)] = parts.low;
}

/// Writes parameter `i` of the flat vector to its places among the packed ones; the gaps between tensors have none.
__device__ __forceinline__ void pack_parameter(const FusedStepShape& shape, float* packed, int i, float value) {
  for (int b = 0; b < shape.blocks; ++b) {
    const FusedBlock& block = shape.block[static_cast<std::size_t>(b)];
    const int weight = i - block.weights;
    if (weight >= 0 && weight < block.weights_count()) {
      const int sums = block.channels * block.taps();
      const int filter = weight / sums;
      const int of_filter = weight - filter * sums;
      if (shape.by_tensor_cores) {
        pack_tensor_weight(shape, block, packed, filter, of_filter, value);
        return;
      }
      packed[block.filters_at + of_filter * block.padded_filters + filter] = value;
      if (block.data_filters_at >= 0) {
        const int channel = of_filter / block.by_taps;
        const int tap = of_filter - channel * block.taps();
        const int p = tap / block.by_kernel;
        packed[shape.packed_floats + block.data_filter_place(filter, channel, p, tap - p * block.kernel)] = value;
      }
      return;
    }
    if (i >= block.bias && i < block.bias + block.filters) {
      packed[block.bias_at + i - block.bias] = value;
      return;
    }
  }
  if (i >= shape.dense_weights && i < shape.dense_weights + shape.classes * shape.features) {
    packed[shape.dense_at + i - shape.dense_weights] = value;
  } else if (i >= shape.dense_bias && i < shape.dense_bias + shape.classes) {
    packed[shape.dense_bias_at + i - shape.dense_bias] = value;
  }
}

/// A parameter and what its optimizer keeps of it.
struct ParameterState {
  float parameter = 0.0F;
  float slot0 = 0.0F;
  float slot1 = 0.0F;
};

/// What the update of parameter `i` needs of it beside its gradient.
[[nodiscard]] __device__ __forceinline__ ParameterState load_state(const FusedStepTensors& tensors, FusedUpdate update,
                                                                   int i) {
  ParameterState state;
  if (update != FusedUpdate::store) {
    state.parameter = tensors.parameters[i];
    state.slot0 = tensors.slot0[i];
  }
  if (update == FusedUpdate::adam || update == FusedUpdate::adamw) {
    state.slot1 = tensors.slot1[i];
  }
  return state;
}

/// Does with parameter `i` what is to be done with its gradient.
__device__ __forceinline__ void update_parameter(const FusedStepShape& shape, const FusedStepTensors& tensors,
                                                 FusedUpdate update, const OptimizerConstants& constants,
                                                 const StepRecord& record, int i, ParameterState state,
                                                 float gradient) {
  if (update == FusedUpdate::store) {
    tensors.gradients[i] = gradient;
    return;
  }
  if (update == FusedUpdate::sgd) {
    sgd_rule(constants, record, gradient, state.parameter, state.slot0);
  } else {
    if (update == FusedUpdate::adam) {
      adam_rule<false>(constants, record, gradient, state.parameter, state.slot0, state.slot1);
    } else {
      adam_rule<true>(constants, record, gradient, state.parameter, state.slot0, state.slot1);
    }
    tensors.slot1[i] = state.slot1;
  }
  tensors.slot0[i] = state.slot0;
  tensors.parameters[i] = state.parameter;
  pack_parameter(shape, tensors.packed, i, state.parameter);
}

/// Adds the parts of all gradients and updates the parameters, by all warps of the grid. A lane adds every 16th part of
/// four columns; then the lanes are added pairwise, and eight of them take a column each, whose parameters have been on
/// their way meanwhile.
__device__ __forceinline__ void update_parameters(const FusedStepShape& shape, const FusedStepTensors& tensors,
                                                  int parts, FusedUpdate update, const OptimizerConstants& constants,
                                                  const StepRecord& record) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int vector = lane % 2;
  const int part_lane = lane / 2;
  const int block_warps = static_cast<int>(blockDim.x) / warp_size;
  // Neighbouring columns go to different blocks, so that all have work.
  const int warp =
      static_cast<int>(threadIdx.x) / warp_size * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
  const int warps = block_warps * static_cast<int>(gridDim.x);
  for (int first = warp * update_warp_columns; first < shape.parameter_floats; first += warps * update_warp_columns) {
    const int own = first + 4 * vector + part_lane;  // of the first eight lanes
    const ParameterState state = part_lane < 4 ? load_state(tensors, update, own) : ParameterState();
    const float* column = tensors.partials + first + 4 * vector;
    float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
#pragma unroll 4
    for (int part = part_lane; part < parts; part += update_part_lanes) {
      const float4 values = load4(column + std::int64_t{part} * shape.parameter_floats);
      sum.x += values.x;
      sum.y += values.y;
      sum.z += values.z;
      sum.w += values.w;
    }
#pragma unroll
    for (int lanes = 2; lanes < warp_size; lanes *= 2) {
      sum.x += __shfl_xor_sync(full_warp, sum.x, lanes);
      sum.y += __shfl_xor_sync(full_warp, sum.y, lanes);
      sum.z += __shfl_xor_sync(full_warp, sum.z, lanes);
      sum.w += __shfl_xor_sync(full_warp, sum.w, lanes);
    }
    if (part_lane < 4) {
      const float low = part_lane == 0 ? sum.x : sum.y;
      const float high = part_lane == 2 ? sum.z : sum.w;
      update_parameter(shape, tensors, update, constants, record, own, state, part_lane < 2 ? low : high);
    }
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
