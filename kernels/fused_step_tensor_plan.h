// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "kernels/backend.h"
#include "kernels/fused_step_places.h"
#include "kernels/fused_step_shape.h"
#include "kernels/geometry.h"

/// The plan of the fused step by tensor cores: where the tensors of a sample are in shared memory, and what each warp
/// has to do. At run time, or for a network whose kernels are compiled for it alone (kernels/fused_step_fixed.h).
namespace touchstone::TOUCHSTONE_BACKEND {
namespace tensor_plan {

constexpr int banks = 32;
constexpr int tile = 8;  // of columns and of terms

constexpr bool has_form(const FusedStepShape& shape) {
  const int kernel = shape.block[0].kernel;
  for (int i = 0; i < shape.blocks; ++i) {
    const FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    const int filters = i == 0 ? tile : tensor_filters;
    if (block.kernel != kernel || block.pool != 2 || block.filters % filters != 0) {
      return false;
    }
  }
  return kernel == 3 || kernel == 5;
}

// From a pixel to the next one, each of so many values, and from a row to the next one: the eight values that lanes
// read of each of the four positions of a window, or of four pixels in a row, are in different banks.
constexpr int pixel_pitch(int values) { return round_up_to_residue(values, 8, 16); }
constexpr int row_pitch(int pixels, int pixel) { return round_up_to_residue(pixels * pixel, banks / 2, banks); }

constexpr void place_activations(FusedStepShape& shape) {
  Places activations;  // high parts
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    if (i == 0) {
      block.tensor.pixel = 1;
      block.pitch = round_up(block.width, 4);
      block.plane = block.height * block.pitch;
      block.tensor.odd_at = block.channels * block.plane;
      block.input_at = activations.take(2 * block.channels * block.plane);
      continue;
    }
    block.tensor.pixel = pixel_pitch(block.channels);
    block.pitch = row_pitch(block.width, block.tensor.pixel);
    block.input_at = activations.take(block.height * block.pitch);
    FusedBlock& before = shape.block[static_cast<std::size_t>(i) - 1];
    before.output_at = block.input_at;
    before.out_pitch = block.pitch;
    before.tensor.out_pixel = block.tensor.pixel;
  }
  const int low = activations.floats();
  activations.take(low);
  FusedBlock& last = shape.block[static_cast<std::size_t>(shape.blocks) - 1];
  last.output_at = activations.take(last.filters * last.windows());
  last.tensor.out_pixel = 0;
  shape.features_at = last.output_at;
  shape.activation_floats = activations.floats();
  for (FusedBlock& block : shape.block) {
    block.tensor.low = low;
  }
}

constexpr void place_deltas(FusedStepShape& shape) {
  Places deltas;  // high parts
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    block.tensor.delta_pixel = pixel_pitch(block.filters);
    block.tensor.delta_row = row_pitch(2 * block.out_w + 1, block.tensor.delta_pixel);
    block.tensor.zero_pixel = 2 * block.out_w * block.tensor.delta_pixel;
    const int rows_above = i == 0 ? 0 : block.kernel - 1;
    const int rows = i == 0 ? 2 * block.out_h : round_up(block.height, tensor_tile_rows);
    block.deltas_at = deltas.take((rows_above + rows) * block.tensor.delta_row) + rows_above * block.tensor.delta_row;
    block.tensor.argmax_at = shape.offsets;
    shape.offsets += block.windows() * block.filters;
  }
  shape.delta_floats = 2 * deltas.floats();
  for (FusedBlock& block : shape.block) {
    block.tensor.delta_low = deltas.floats();
  }
}

constexpr void place_parameters(FusedStepShape& shape) {
  Places packed;
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    block.tensor.term_tiles = divide_up(block.channels * block.taps(), tile);
    block.filters_at = packed.take(2 * block.tensor.term_tiles * tile * block.filters);
    block.bias_at = packed.take(block.filters);
    block.data_filters_at = -1;
  }
  shape.dense_at = packed.take(shape.classes * shape.features);
  shape.dense_bias_at = packed.take(shape.classes);
  shape.packed_floats = packed.floats();
  shape.data_filter_floats = 0;
  shape.residency = FusedResidency::both;
  const FusedBlock& first = shape.block[0];
  shape.tap_offsets = round_up(first.channels * first.taps(), tensor_warp_terms);
}

// The parts that a sum of `terms` is cut into, so that each warp has one of `items` times as many.
constexpr int parts_for_warps(int items, int terms) {
  const int parts = std::clamp(tensor_warps / items, 1, terms);
  return divide_up(terms, divide_up(terms, parts));
}

constexpr void plan_first(FusedBlock& block) {
  TensorBlock& tensor = block.tensor;
  const int window_tiles = divide_up(block.windows(), tensor_first_windows);
  tensor.by_window_tiles = make_divisor(window_tiles);
  tensor.by_forward_tiles = make_divisor(window_tiles);
  block.forward_splits = 1;
  const int pairs = divide_up(block.out_w, 2);
  const int tiles = divide_up(block.channels * block.taps(), tensor_warp_terms) * (block.filters / tile);
  tensor.by_window_pairs = make_divisor(pairs);
  const int row_parts = parts_for_warps(tiles * pairs, block.out_h);
  block.filter_splits = pairs * row_parts;
  block.filter_share = divide_up(block.out_h, row_parts);
  block.filter_parts_at = 0;
}

constexpr void plan_forward(FusedBlock& block) {
  TensorBlock& tensor = block.tensor;
  const int window_tiles = divide_up(block.windows(), tensor_windows);
  const int tiles = window_tiles * (block.filters / tensor_filters);
  tensor.by_window_tiles = make_divisor(window_tiles);
  tensor.by_forward_tiles = make_divisor(tiles);
  tensor.by_channel_tiles = make_divisor(block.channels / tile);
  tensor.by_channel_vectors = make_divisor(block.channels / 4);
  tensor.window_pitch = tensor_positions * block.filters + tile;  // four windows of two filters in different banks
  block.forward_splits = parts_for_warps(tiles, tensor.term_tiles);
  tensor.forward_share = divide_up(tensor.term_tiles, block.forward_splits);
}

// Gives the gradients of filters and input warps by their products.
constexpr void plan_backward(FusedBlock& block) {
  TensorBlock& tensor = block.tensor;
  const int channel_tiles = block.channels / tile;
  const int chunks = divide_up(block.windows(), tensor_chunk_windows);
  const int planes = channel_tiles * (block.filters / tensor_filters);
  const int columns = divide_up(block.width, tensor_tile_columns);
  tensor.data_tiles = divide_up(block.height, tensor_tile_rows) * columns;
  tensor.by_data_columns = make_divisor(columns);
  const int data_items = block.kernel * channel_tiles * (block.filters / tile);
  const int data_products = data_items * tensor.data_tiles * (tensor_tile_rows / 4) * (block.kernel + 1);
  const int filter_products = planes * chunks * block.taps() * (tensor_chunk_windows / 2);
  const int share = std::clamp(tensor_warps * data_products / (filter_products + data_products), 1, tensor_warps - 1);
  const int data_warps = std::min(share, data_items);
  block.data_threads = data_warps * warp_size;
  block.filter_threads = fused_threads - block.data_threads;

  block.filter_splits = chunks;
  const int tap_splits = std::clamp(divide_up(tensor_warps - data_warps, planes), 1, block.taps());
  tensor.tap_share = divide_up(block.taps(), tap_splits);
  tensor.tap_splits = divide_up(block.taps(), tensor.tap_share);
  tensor.by_tap_splits = make_divisor(tensor.tap_splits);
}

// The parts of the filters' gradient of a block behind the first are written beside those of its input's gradient; all
// else takes turns.
constexpr void place_scratch(FusedStepShape& shape) {
  int turns = shape.block[0].filter_splits * shape.block[0].filter_part_floats();
  int filters = 0;
  for (int i = 1; i < shape.blocks; ++i) {
    const FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    turns = std::max({turns, block.forward_splits * block.windows() * block.tensor.window_pitch,
                      block.kernel * (block.filters / tile) * block.height * block.width * block.channels});
    filters = std::max(filters, block.filter_splits * block.filter_part_floats());
  }
  for (int i = 1; i < shape.blocks; ++i) {
    shape.block[static_cast<std::size_t>(i)].filter_parts_at = turns;
  }
  shape.scratch_floats = turns + filters;
}

}  // namespace tensor_plan

/// The shape whose convolutions tensor cores take, from one that knows its blocks, its dense layer and where the
/// parameters are in the flat vector; nothing where it has not the form: all kernels 5x5 or all 3x3, all windows 2x2,
/// filters in eights in the first block and in sixteens in the others. How much shared memory it takes is up to the
/// caller to look at.
[[nodiscard]] constexpr std::optional<FusedStepShape> plan_tensor_step(FusedStepShape shape) {
  using namespace tensor_plan;
  if (!has_form(shape)) {
    return std::nullopt;
  }
  shape.by_tensor_cores = true;
  place_activations(shape);
  place_deltas(shape);
  place_parameters(shape);
  plan_first(shape.block[0]);
  for (int i = 1; i < shape.blocks; ++i) {
    plan_forward(shape.block[static_cast<std::size_t>(i)]);
    plan_backward(shape.block[static_cast<std::size_t>(i)]);
  }
  place_scratch(shape);
  return shape;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
