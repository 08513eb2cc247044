// SPDX-License-Identifier: Apache-2.0
//
// The plan of the fused step, on the host: which networks it takes, where their tensors are in shared memory, and into
// how many parts the sums are cut so that all threads have work.
#include <algorithm>
#include <array>
#include <variant>

#include "kernels/fused_step_places.h"
#include "kernels/fused_step_plan.h"
#include "kernels/fused_step_tensor_plan.h"
#include "kernels/geometry.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int vector_floats = 4;
constexpr int banks = 32;
// Scratch that is worth giving up the parameters' place in shared memory for.
constexpr int least_scratch_floats = 2048;
// The offsets within a sample and within the parameters are 32-bit; a network this large fits nowhere anyway.
constexpr std::int64_t most_values = std::int64_t{1} << 24;
constexpr std::size_t kilobyte = 1024;
// Planes of all filters: their number's square is below 2^32 (kernels/divisor.h). All other numbers that are divided
// are those of values in shared memory, or of a filter's taps.
constexpr std::int64_t most_planes = 65535;

std::string kilobytes(std::size_t bytes) { return std::to_string(divide_up(bytes, kilobyte)) + " KB"; }

// What keeps a convolution, a max-pool and a sigmoid from being a block; "" where nothing does.
std::string block_problem(const Operation& first, const Conv2dShape& conv2d, const MaxpoolShape& maxpool) {
  if (conv2d.stride_h != 1 || conv2d.stride_w != 1 || conv2d.padding_h != 0 || conv2d.padding_w != 0) {
    return first.layer + " has strides or padding";
  }
  const std::int64_t kernel = conv2d.kernel_h;
  if (conv2d.kernel_w != kernel || (kernel != 1 && kernel != 3 && kernel != 5 && kernel != 7)) {
    return first.layer + "'s kernel is " + std::to_string(kernel) + "x" + std::to_string(conv2d.kernel_w) +
           ", not 1x1, 3x3, 5x5 or 7x7";
  }
  const std::int64_t pool = maxpool.kernel_h;
  const bool side_by_side = maxpool.kernel_w == pool && maxpool.stride_h == pool && maxpool.stride_w == pool &&
                            maxpool.padding_h == 0 && maxpool.padding_w == 0;
  if (!side_by_side || (pool != 2 && pool != 3)) {
    return "the max-pool behind " + first.layer + " has other windows than 2x2 or 3x3 side by side";
  }
  if (conv2d.filters * conv2d.channels > most_planes) {
    return first.layer + " has too many filters";
  }
  return conv2d.input_count() > most_values ? first.layer + " has too many values" : "";
}

// What keeps a plan from being blocks and a dense layer; "" where nothing does.
std::string form_problem(const ExecutionPlan& plan) {
  if (plan.loss != Loss::softmax_cross_entropy) {
    return "the fused step ends in softmax cross-entropy, and the network's loss is half the squared error";
  }
  const std::size_t count = plan.operations.size();
  if (count == 0 || count % 3 != 1 || !std::holds_alternative<DenseShape>(plan.operations.back().shape) ||
      plan.parameter_floats > most_values) {
    return "the network is not blocks of convolution, sigmoid and max-pool before one dense layer";
  }
  if (count == 1) {
    return "the network has no convolution";
  }
  if (count / 3 > fused_most_blocks) {
    return "the network has " + std::to_string(count / 3) + " blocks, more than " + std::to_string(fused_most_blocks);
  }
  for (std::size_t i = 0; i + 1 < count; i += 3) {
    const auto* conv2d = std::get_if<Conv2dShape>(&plan.operations[i].shape);
    const auto* maxpool = std::get_if<MaxpoolShape>(&plan.operations[i + 1].shape);
    if (conv2d == nullptr || maxpool == nullptr ||
        !std::holds_alternative<SigmoidShape>(plan.operations[i + 2].shape)) {
      return "the network is not blocks of convolution, sigmoid and max-pool before one dense layer";
    }
    if (std::string problem = block_problem(plan.operations[i], *conv2d, *maxpool); !problem.empty()) {
      return problem;
    }
  }
  return "";
}

FusedBlock make_block(const Operation& operation, const MaxpoolShape& maxpool) {
  const Conv2dShape& conv2d = std::get<Conv2dShape>(operation.shape);
  FusedBlock block = make_fused_block(static_cast<int>(conv2d.channels), static_cast<int>(conv2d.height),
                                      static_cast<int>(conv2d.width), static_cast<int>(conv2d.filters),
                                      static_cast<int>(conv2d.kernel_h), static_cast<int>(maxpool.kernel_h));
  block.weights = static_cast<int>(operation.parameters.weights);
  block.bias = static_cast<int>(operation.parameters.bias);
  return block;
}

void place_activations(FusedStepShape& shape) {
  Places places;
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    block.pitch = round_up(block.width, 2);  // rows are read two values at a time
    // Lanes with neighbouring channels read the same pixel: from different banks, also where each reads two values.
    block.plane = round_up_to_residue(block.height * block.pitch, 2, banks);
    block.input_at = places.take(block.channels * block.plane);
  }
  for (int i = 0; i + 1 < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    const FusedBlock& next = shape.block[static_cast<std::size_t>(i) + 1];
    block.output_at = next.input_at;
    block.out_pitch = next.pitch;
    block.out_plane = next.plane;
  }
  FusedBlock& last = shape.block[static_cast<std::size_t>(shape.blocks) - 1];
  last.out_pitch = last.out_w;
  last.out_plane = last.windows();
  last.output_at = places.take(last.filters * last.windows());
  shape.features_at = last.output_at;
  shape.activation_floats = places.floats();

  Places deltas;
  for (int i = shape.blocks - 1; i >= 0; --i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    shape.tap_offsets = deltas.floats();
    block.deltas_at = deltas.take(block.windows() * block.delta_pitch);
  }
  shape.delta_floats = deltas.floats();
  shape.offsets = deltas.floats();
}

void place_parameters(FusedStepShape& shape) {
  Places packed;
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    block.filters_at = packed.take(block.channels * block.taps() * block.padded_filters);
    block.bias_at = packed.take(block.filters);
  }
  shape.dense_at = packed.take(shape.classes * shape.features);
  shape.dense_bias_at = packed.take(shape.classes);
  shape.packed_floats = packed.floats();

  Places data_filters;
  shape.block.front().data_filters_at = -1;
  for (int i = 1; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    const int zeros_behind = (block.pool - 1) * (block.patch() + 1) * block.padded_channels;
    block.data_filters_at = data_filters.take(block.filters * block.data_filter_stride() + zeros_behind);
  }
  shape.data_filter_floats = data_filters.floats();
}

int forward_scratch(const FusedBlock& block, int splits) {
  return splits == 1 ? 0 : splits * block.pool * block.pool * block.windows() * block.padded_filters;
}

// How many of `items` there must be for each of so many threads to have one: at most `most`, and no parts without work.
int wanted_splits(int items, int most, int threads) {
  const int splits = std::clamp(threads / items, 1, most);
  return divide_up(most, divide_up(most, splits));
}

// Cuts the sums over the channels as far as `scratch` floats allow; returns what it needs of them.
int plan_forward(FusedBlock& block, int scratch) {
  const int items = divide_up(block.filters, fused_thread_filters(block.pool)) * block.windows();
  block.forward_splits = wanted_splits(items, block.channels, fused_threads);
  while (forward_scratch(block, block.forward_splits) > scratch) {
    block.forward_splits = divide_up(block.channels, divide_up(block.channels, block.forward_splits - 1));
  }
  return forward_scratch(block, block.forward_splits);
}

// Cuts the sums over the windows as far as the scratch from `place` to `end` allows, and gives the two gradients their
// threads; returns the end of what it takes of the scratch. Behind the first block the gradient of the input is
// computed meanwhile: there the filters' is cut for a quarter of the threads, and takes no more than half, or all
// threads do both.
int plan_filters(FusedBlock& block, bool first, int place, int end) {
  const int planes = block.filters * block.channels;
  int splits = wanted_splits(planes, block.windows(), first ? fused_threads : fused_threads / 4);
  while (splits > 1 && place + splits * block.filter_part_floats() > end) {
    splits = divide_up(block.windows(), divide_up(block.windows(), splits - 1));
  }
  block.filter_splits = splits;
  const int needed = splits * block.filter_part_floats();
  block.filter_parts_at = place + needed <= end ? place : -1;
  block.filter_threads = std::min(round_up(planes * splits, warp_size), fused_threads);
  block.data_threads = fused_threads - block.filter_threads;
  if (!first && block.data_threads < fused_threads / 2) {
    block.filter_threads = fused_threads;
    block.data_threads = fused_threads;
  }
  return block.filter_parts_at < 0 ? place : place + needed;
}

void set_divisors(FusedBlock& block) {
  block.by_filter_groups = make_divisor(divide_up(block.filters, fused_thread_filters(block.pool)));
  block.by_planes = make_divisor(block.filters * block.channels);
  block.by_channel_vectors = make_divisor(block.padded_channels / vector_floats);
  block.by_tiles = make_divisor(divide_up(block.width, block.pool));
  block.forward_share = divide_up(block.channels, block.forward_splits);
  block.filter_share = divide_up(block.windows(), block.filter_splits);
}

// Gives the sums at most `scratch` floats. The parts of a block's filters are read while those of the block before are
// written, so blocks take turns with two places; that of the first block, whose sums are the longest, is the larger
// one.
void plan_scratch(FusedStepShape& shape, int scratch) {
  int needed = 0;
  int place = 0;
  for (const int turn : {1, 0}) {
    const int limit = turn == 0 ? scratch : scratch / 2;
    int end = place;
    for (int i = turn; i < shape.blocks; i += 2) {
      FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
      end = std::max(end, plan_filters(block, i == 0, place, limit));
      needed = std::max({needed, end, plan_forward(block, scratch)});
      set_divisors(block);
    }
    place = end;
  }
  shape.scratch_floats = needed;
}

FusedStepShape make_shape(const ExecutionPlan& plan) {
  FusedStepShape shape{};
  shape.blocks = static_cast<int>(plan.operations.size() / 3);
  for (int i = 0; i < shape.blocks; ++i) {
    const std::size_t operation = 3 * static_cast<std::size_t>(i);
    const auto& maxpool = std::get<MaxpoolShape>(plan.operations[operation + 1].shape);
    shape.block[static_cast<std::size_t>(i)] = make_block(plan.operations[operation], maxpool);
  }
  const Operation& last = plan.operations.back();
  shape.image_size = static_cast<int>(plan.input_count);
  shape.features = static_cast<int>(last.input_count);
  shape.classes = static_cast<int>(plan.classes);
  shape.dense_weights = static_cast<int>(last.parameters.weights);
  shape.dense_bias = static_cast<int>(last.parameters.bias);
  shape.parameter_floats = static_cast<int>(plan.parameter_floats);
  return shape;
}

// The shape with so many of the parameters in shared memory and the scratch that is left then.
FusedStepShape with_residency(FusedStepShape shape, FusedResidency residency, std::size_t shared_limit) {
  shape.residency = residency;
  shape.scratch_floats = 0;
  const std::size_t fixed = shape.shared_bytes();
  plan_scratch(shape, fixed < shared_limit ? static_cast<int>((shared_limit - fixed) / sizeof(float)) : 0);
  return shape;
}

// The scratch that keeps all threads busy, or so much of it that the rest hardly matters.
int wanted_scratch(FusedStepShape shape) {
  plan_scratch(shape, static_cast<int>(most_values));
  return std::min(shape.scratch_floats, least_scratch_floats);
}

std::string describe(const FusedStepShape& shape, std::size_t shared_limit) {
  const std::size_t parameters = static_cast<std::size_t>(shape.resident_floats()) * sizeof(float);
  const std::string text = parameters > 0 ? kilobytes(parameters) + " of parameters and " : "";
  return text + kilobytes(shape.shared_bytes() - parameters) + " for a sample in " + kilobytes(shared_limit) +
         " of shared memory" + (parameters > 0 ? "" : ", parameters through the caches") +
         (shape.by_tensor_cores ? ", convolutions by tensor cores" : "");
}

}  // namespace

FusedStepPlan plan_fused_step(const ExecutionPlan& plan, std::size_t shared_limit, bool tensor_cores) {
  if (std::string problem = form_problem(plan); !problem.empty()) {
    return {.shape = std::nullopt, .reason = std::move(problem)};
  }
  FusedStepShape shape = make_shape(plan);
  if (tensor_cores) {
    const std::optional<FusedStepShape> for_tensor_cores = plan_tensor_step(shape);
    if (for_tensor_cores && for_tensor_cores->shared_bytes() <= shared_limit) {
      return {.shape = for_tensor_cores, .reason = describe(*for_tensor_cores, shared_limit)};
    }
  }
  place_activations(shape);
  place_parameters(shape);
  const int wanted = wanted_scratch(shape);
  for (const FusedResidency residency : {FusedResidency::both, FusedResidency::packed, FusedResidency::none}) {
    const FusedStepShape candidate = with_residency(shape, residency, shared_limit);
    const bool last = residency == FusedResidency::none;
    if (candidate.shared_bytes() <= shared_limit && (last || candidate.scratch_floats >= wanted)) {
      return {.shape = candidate, .reason = describe(candidate, shared_limit)};
    }
  }
  const std::size_t needed = with_residency(shape, FusedResidency::none, 0).shared_bytes();
  return {.shape = std::nullopt,
          .reason = "a sample needs " + kilobytes(needed - shared_limit) + " more than the " + kilobytes(shared_limit) +
                    " of shared memory of a block"};
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
