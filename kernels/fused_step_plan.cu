// SPDX-License-Identifier: Apache-2.0
//
// The plan of the fused step, on the host: which networks it takes, where their tensors are in shared memory, and into
// how many parts the sums are cut so that all threads have work.
#include <algorithm>
#include <array>
#include <variant>

#include "kernels/fused_step_plan.h"
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
// Rows of taps of all filters: their number's square is below 2^32 (kernels/divisor.h). All other numbers that are
// divided are those of values in shared memory.
constexpr std::int64_t most_tap_rows = 65535;

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
  if (conv2d.filters * conv2d.channels * kernel > most_tap_rows) {
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

FusedBlock make_block(const Operation& operation, int pool) {
  const Conv2dShape& conv2d = std::get<Conv2dShape>(operation.shape);
  FusedBlock block{};
  block.channels = static_cast<int>(conv2d.channels);
  block.height = static_cast<int>(conv2d.height);
  block.width = static_cast<int>(conv2d.width);
  block.filters = static_cast<int>(conv2d.filters);
  block.kernel = static_cast<int>(conv2d.kernel_h);
  block.pool = pool;
  block.out_h = static_cast<int>(conv2d.out_h()) / pool;
  block.out_w = static_cast<int>(conv2d.out_w()) / pool;
  // An odd number of vectors, so that eight lanes with neighbouring taps or windows store to all banks.
  block.padded_filters = vector_floats * (divide_up(block.filters, vector_floats) | 1);
  block.delta_pitch = round_up(block.filters, vector_floats);
  block.weights = static_cast<int>(operation.parameters.weights);
  block.bias = static_cast<int>(operation.parameters.bias);
  return block;
}

// Takes pieces of a tensor one after another, each at a multiple of 16 bytes.
class Places {
 public:
  int take(int floats) {
    const int place = floats_;
    floats_ += round_up(floats, vector_floats);
    return place;
  }
  [[nodiscard]] int floats() const { return floats_; }

 private:
  int floats_ = 0;
};

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
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    block.deltas_at = deltas.take(block.windows() * block.delta_pitch);
  }
  shape.delta_floats = deltas.floats();
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
}

// Where the gradient of the input finds the filters; the first block has none to compute.
void place_data_filters(FusedStepShape& shape) {
  Places natural;
  for (int i = 1; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    const bool in_order = shape.residency != FusedResidency::packed;
    block.data_filter_stride = in_order ? block.channels * block.taps() : 1;
    block.data_tap_stride = in_order ? 1 : block.padded_filters;
    switch (shape.residency) {
      case FusedResidency::both:
        block.data_filters_at = natural.take(block.weights_count());
        break;
      case FusedResidency::packed:
        block.data_filters_at = block.filters_at;
        break;
      case FusedResidency::none:
        block.data_filters_at = block.weights;
        break;
    }
  }
  shape.natural_floats = natural.floats();
}

int forward_scratch(const FusedBlock& block, int splits) {
  return splits == 1 ? 0 : splits * block.pool * block.pool * block.windows() * block.padded_filters;
}

int filter_scratch(const FusedBlock& block, int splits) {
  return splits == 1 ? 0 : round_up(splits * (block.weights_count() + block.filters), vector_floats);
}

int patch_stride_of(const FusedBlock& block, int channels) {
  return round_up_to_residue(channels * block.patch() * block.patch(), block.pool, banks);
}

// How many of `items` there must be for each thread to have one: at most `most`, and no parts without work.
int wanted_splits(int items, int most) {
  const int splits = std::clamp(fused_threads / items, 1, most);
  return divide_up(most, divide_up(most, splits));
}

// Cuts the sums of a block as far as `scratch` floats allow; returns what it needs of them.
int plan_scratch(FusedBlock& block, bool first, int scratch) {
  const int forward_items = divide_up(block.filters, fused_thread_filters(block.pool)) * block.windows();
  block.forward_splits = wanted_splits(forward_items, block.channels);
  while (forward_scratch(block, block.forward_splits) > scratch) {
    block.forward_splits = divide_up(block.channels, divide_up(block.channels, block.forward_splits - 1));
  }
  block.patch_channels = 0;
  block.patch_stride = 0;
  int patches = 0;
  if (!first) {
    block.patch_channels = block.channels;
    while (block.patch_channels > 1 && patch_stride_of(block, block.patch_channels) * block.windows() > scratch) {
      block.patch_channels = divide_up(block.patch_channels, 2);
    }
    block.patch_stride = patch_stride_of(block, block.patch_channels);
    patches = block.patch_stride * block.windows();
  }
  block.filter_splits = wanted_splits(block.filters * block.channels * block.kernel, block.windows());
  while (block.filter_splits > 1 && filter_scratch(block, block.filter_splits) + patches > scratch) {
    block.filter_splits = divide_up(block.windows(), divide_up(block.windows(), block.filter_splits - 1));
  }
  block.patches_at = filter_scratch(block, block.filter_splits);
  return std::max(forward_scratch(block, block.forward_splits), block.patches_at + patches);
}

void set_divisors(FusedBlock& block) {
  block.by_height = make_divisor(block.height);
  block.by_width = make_divisor(block.width);
  block.by_positions = make_divisor(block.height * block.width);
  block.by_out_w = make_divisor(block.out_w);
  block.by_windows = make_divisor(block.windows());
  block.by_channels = make_divisor(block.channels);
  block.by_filters = make_divisor(block.filters);
  block.by_filter_groups = make_divisor(divide_up(block.filters, fused_thread_filters(block.pool)));
  block.by_tap_rows = make_divisor(block.filters * block.channels * block.kernel);
  block.by_patch_lanes = make_divisor(std::max(warp_size, round_up(block.patch_channels * block.patch(), warp_size)));
  block.forward_share = divide_up(block.channels, block.forward_splits);
  block.filter_share = divide_up(block.windows(), block.filter_splits);
}

// Gives the sums at most `scratch` floats.
void plan_scratch(FusedStepShape& shape, int scratch) {
  shape.scratch_floats = 0;
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    const int needed = plan_scratch(block, i == 0, scratch);
    set_divisors(block);
    shape.scratch_floats = std::max(shape.scratch_floats, needed);
  }
}

FusedStepShape make_shape(const ExecutionPlan& plan) {
  FusedStepShape shape{};
  shape.blocks = static_cast<int>(plan.operations.size() / 3);
  for (int i = 0; i < shape.blocks; ++i) {
    const std::size_t operation = 3 * static_cast<std::size_t>(i);
    const auto& maxpool = std::get<MaxpoolShape>(plan.operations[operation + 1].shape);
    shape.block[static_cast<std::size_t>(i)] =
        make_block(plan.operations[operation], static_cast<int>(maxpool.kernel_h));
  }
  const Operation& last = plan.operations.back();
  shape.image_size = static_cast<int>(plan.input_count);
  shape.features = static_cast<int>(last.input_count);
  shape.classes = static_cast<int>(plan.classes);
  shape.dense_weights = static_cast<int>(last.parameters.weights);
  shape.dense_bias = static_cast<int>(last.parameters.bias);
  shape.parameter_floats = static_cast<int>(plan.parameter_floats);
  place_activations(shape);
  place_parameters(shape);
  return shape;
}

// The shape with so many of the parameters in shared memory and the scratch that is left then.
FusedStepShape with_residency(FusedStepShape shape, FusedResidency residency, std::size_t shared_limit) {
  shape.residency = residency;
  place_data_filters(shape);
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
  const auto floats = static_cast<std::size_t>(shape.packed_floats + shape.natural_floats);
  const std::size_t parameters = shape.residency == FusedResidency::none ? 0 : floats * sizeof(float);
  const std::string text = parameters > 0 ? kilobytes(parameters) + " of parameters and " : "";
  return text + kilobytes(shape.shared_bytes() - parameters) + " for a sample in " + kilobytes(shared_limit) +
         " of shared memory" + (parameters > 0 ? "" : ", parameters through the caches");
}

}  // namespace

FusedStepPlan plan_fused_step(const ExecutionPlan& plan, std::size_t shared_limit) {
  if (std::string problem = form_problem(plan); !problem.empty()) {
    return {.shape = std::nullopt, .reason = std::move(problem)};
  }
  const FusedStepShape shape = make_shape(plan);
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
