// SPDX-License-Identifier: Apache-2.0
//
// Convolution, max-pool and sigmoid as one block, and its gradients, in float32. Formulas and layouts:
// Conv2dMaxpoolSigmoidShape.
//
// Forward keeps the convolution's sums for all positions of a vector of windows in registers, pools them there, and
// takes the sigmoid of what is left (pooled_sums-inl.h).
//
// Backward, delta = grad_output * s * (1 - s) counts at one position of each window, a pool*pool-th of the
// convolution's output, and only there is multiplied (weighted_patches-inl.h). Both gradients work on images with
// channels last, where the inputs of one row of taps are consecutive:
// - by the filters: the patch of the image at the argmax, times delta, is added to the filter's gradient. Where a row
// of
//   taps has few floats (one channel), the image is taken apart into columns first, so that all taps are consecutive;
// - by the input: the filter, times delta, is added to the image at the argmax. All filters that meet at one window are
//   added up in registers, over the pixels that any position of the window reads: each filter lies between rows and
//   columns of zeros, and the argmax says where among these the patch begins.
//
// Sums are taken in one order whatever the batch: forward as conv2d_forward; by the filters over samples and windows;
// by the input over windows and, within each, filters; bias lane by lane over windows and samples, then over lanes.
#include "touchstone/conv2d_maxpool_sigmoid.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/conv2d_maxpool_sigmoid.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/conv2d_pack-inl.h"
#include "host/cpu/pooled_sums-inl.h"
#include "host/cpu/sigmoid-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/transpose-inl.h"
#include "host/cpu/weighted_patches-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// The convolution with the pool's stride whose filters reach over all that a window reads.
Conv2dShape window_convolution(const Conv2dMaxpoolSigmoidShape& shape) {
  Conv2dShape windows = shape.conv2d;
  windows.kernel_h += shape.pool - 1;
  windows.kernel_w += shape.pool - 1;
  windows.stride_h = shape.pool;
  windows.stride_w = shape.pool;
  return windows;
}

void forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters, const float* bias,
             float* output, std::uint8_t* argmax, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const Conv2dShape& conv2d = shape.conv2d;
  const Conv2dShape windows = window_convolution(shape);
  const Conv2dPacker packer(windows, input, workspace);
  auto* rows = workspace.allocate<std::int64_t>(conv2d.channels * conv2d.kernel_h * shape.pool);
  for (std::int64_t r = 0; r < conv2d.channels * conv2d.kernel_h; ++r) {
    for (std::int64_t a = 0; a < shape.pool; ++a) {
      rows[r * shape.pool + a] = packer.layout().offset(windows, r / conv2d.kernel_h, r % conv2d.kernel_h + a, 0);
    }
  }
  auto* planes = workspace.allocate<float>(packer.floats());
  const std::int64_t outputs = conv2d.filters * shape.windows();
  for (std::int64_t n = 0; n < conv2d.batch; ++n) {
    packer.pack(n, planes);
    const PooledSums problem{.planes = planes,
                             .rows = rows,
                             .column_step = packer.layout().begin(windows, 0, 1, 0),
                             .filter_rows = conv2d.channels * conv2d.kernel_h,
                             .kernel_w = conv2d.kernel_w,
                             .filters = filters,
                             .bias = bias,
                             .filter_count = conv2d.filters,
                             .windows = shape.windows(),
                             .output = output + n * outputs,
                             .argmax = argmax + n * outputs};
    if (shape.pool == 2) {
      pooled_sums<2>(problem);
    } else {
      pooled_sums<3>(problem);
    }
  }
}

/// How many floats the beginning of a patch moves with the position (a, b) within the window, and with the filter.
struct PatchSteps {
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t filter = 0;
};

/// Of one sample, each window's delta and where the patch begins that its argmax chooses. Both [filters][windows].
class Deltas {
 public:
  Deltas(const Conv2dMaxpoolSigmoidShape& shape, const PatchSteps& steps, Workspace& workspace)
      : pool_(static_cast<std::int32_t>(shape.pool)),
        filters_(shape.conv2d.filters),
        windows_(shape.windows()),
        step_a_(static_cast<std::int32_t>(steps.a)),
        step_b_(static_cast<std::int32_t>(steps.b)),
        step_filter_(static_cast<std::int32_t>(steps.filter)),
        window_offsets_(workspace.allocate<std::int32_t>(windows_ + float_lanes())),
        deltas_(workspace.allocate<float>(filters_ * windows_ + float_lanes())),
        offsets_(workspace.allocate<std::int32_t>(filters_ * windows_ + float_lanes())) {
    std::fill_n(window_offsets_, windows_ + float_lanes(), 0);
  }

  /// [windows]: where the patch of the first position and filter begins; zeros until they are set.
  [[nodiscard]] std::int32_t* window_offsets() { return window_offsets_; }

  /// Computes those of one sample. Vectors are stored beyond a row: what follows is written later, or is not used.
  void compute(const float* grad_output, const float* output, const std::uint8_t* argmax) {
    const std::int64_t lanes = float_lanes();
    for (std::int64_t k = 0; k < filters_; ++k) {
      const hn::Vec<Integers> filter = hn::Set(Integers(), static_cast<std::int32_t>(k) * step_filter_);
      for (std::int64_t w = 0; w < windows_; w += lanes) {
        const std::int64_t place = k * windows_ + w;
        const std::int64_t count = std::min(lanes, windows_ - w);
        const FloatVector gradient = load_first(grad_output + place, count);
        hn::StoreU(sigmoid_gradient(gradient, load_first(output + place, count)), Floats(), deltas_ + place);
        const hn::Vec<Integers> window = hn::Add(filter, hn::LoadU(Integers(), window_offsets_ + w));
        hn::StoreU(hn::Add(window, step_of(load_positions(argmax + place, count))), Integers(), offsets_ + place);
      }
    }
  }

  [[nodiscard]] const float* deltas() const { return deltas_; }
  [[nodiscard]] const std::int32_t* offsets() const { return offsets_; }

 private:
  /// a * step_a + b * step_b for the positions a * pool + b.
  [[nodiscard]] HWY_INLINE hn::Vec<Integers> step_of(hn::Vec<Integers> positions) const {
    const Integers d;
    // Positions below 9 divided by 3: 11/32 is a little more than a third.
    const hn::Vec<Integers> a =
        pool_ == 2 ? hn::ShiftRight<1>(positions) : hn::ShiftRight<5>(hn::Mul(positions, hn::Set(d, 11)));
    return hn::Add(hn::Mul(a, hn::Set(d, step_a_ - pool_ * step_b_)), hn::Mul(positions, hn::Set(d, step_b_)));
  }

  std::int32_t pool_;
  std::int64_t filters_;
  std::int64_t windows_;
  std::int32_t step_a_;
  std::int32_t step_b_;
  std::int32_t step_filter_;
  std::int32_t* window_offsets_;
  float* deltas_;
  std::int32_t* offsets_;
};

/// Filters between rows and columns of zeros. For each column b of a window a copy [filters][pool - 1 +
/// kernel_h][pitch] with rows of zeros first and, behind the last filter, pool - 1 more; rows [pool - 1 +
/// kernel_w][channels], with b columns of zeros first. What begins pool - 1 - a rows into a filter's copy is the filter
/// as position (a, b) of a window needs it, over all the pixels that the window reads.
struct SurroundedFilters {
  std::int64_t row_floats = 0;
  std::int64_t pitch = 0;
  std::int64_t filter = 0;  // floats from one to the next
  std::int64_t copy = 0;
  const float* values = nullptr;

  SurroundedFilters(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, Workspace& workspace) {
    const Conv2dShape& conv2d = shape.conv2d;
    row_floats = (conv2d.kernel_w + shape.pool - 1) * conv2d.channels;
    pitch = whole_vectors(row_floats);
    filter = (conv2d.kernel_h + shape.pool - 1) * pitch;
    copy = conv2d.filters * filter + (shape.pool - 1) * pitch;
    auto* to = workspace.allocate<float>(shape.pool * copy);
    values = to;
    fill_zero(to, shape.pool * copy);
    auto* last = workspace.allocate<float>(conv2d.taps() * conv2d.channels);
    for (std::int64_t k = 0; k < conv2d.filters; ++k) {
      transpose(filters + k * conv2d.taps() * conv2d.channels, conv2d.channels, conv2d.taps(), last);
      for (std::int64_t p = 0; p < conv2d.kernel_h; ++p) {
        const std::int64_t row = conv2d.kernel_w * conv2d.channels;
        for (std::int64_t b = 0; b < shape.pool; ++b) {
          copy_floats(last + p * row, to + b * copy + k * filter + (shape.pool - 1 + p) * pitch + b * conv2d.channels,
                      row);
        }
      }
    }
  }
};

void backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                   const std::uint8_t* argmax, const float* filters, float* grad_input, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const Conv2dShape& conv2d = shape.conv2d;
  const SurroundedFilters surrounded(shape, filters, workspace);
  Deltas deltas(shape, {.a = -surrounded.pitch, .b = surrounded.copy, .filter = surrounded.filter}, workspace);
  const std::int64_t windows = shape.windows();
  const std::int64_t pixels = conv2d.height * conv2d.width;
  const std::int64_t row = conv2d.width * conv2d.channels;
  auto* channels_last = workspace.allocate<float>(pixels * conv2d.channels + float_lanes());
  for (std::int64_t n = 0; n < conv2d.batch; ++n) {
    const std::int64_t sample = n * conv2d.filters * windows;
    deltas.compute(grad_output + sample, output + sample, argmax + sample);
    fill_zero(channels_last, pixels * conv2d.channels + float_lanes());
    const auto add_tile = [&](const PatchTile& tile) HWY_ATTR {
      for (std::int64_t w = 0; w < windows; ++w) {
        const std::int64_t corner =
            w / shape.out_w() * shape.pool * row + w % shape.out_w() * shape.pool * conv2d.channels;
        tile.add({.source = surrounded.values + (shape.pool - 1) * surrounded.pitch,
                  .source_pitch = surrounded.pitch,
                  .offsets = deltas.offsets() + w,
                  .weights = deltas.deltas() + w,
                  .terms = conv2d.filters,
                  .term_step = windows,
                  .target = channels_last + corner,
                  .target_pitch = row});
      }
    };
    for_each_patch_tile(conv2d.kernel_h + shape.pool - 1, surrounded.row_floats, add_tile);
    transpose(channels_last, pixels, conv2d.channels, grad_input + n * pixels * conv2d.channels);
  }
}

/// How the gradient by the filters reads an image: channels last and, where a row of taps has few floats, taken apart
/// into columns [x][y][column_floats] of what the taps of one row read there, so that those of all rows follow each
/// other.
struct PatchLayout {
  static constexpr std::int64_t column_floats = 8;

  bool columns = false;
  std::int64_t runs = 0;        // of a patch
  std::int64_t run_floats = 0;  // of each
  std::int64_t pitch = 0;       // floats from run to run in the image
  std::int64_t step_y = 0;      // floats from pixel to pixel
  std::int64_t step_x = 0;
  std::int64_t floats = 0;       // of an image, without what may be read beyond
  std::int64_t row_of_taps = 0;  // floats from one row of taps to the next in a patch whose runs are whole vectors

  explicit PatchLayout(const Conv2dShape& shape) : columns(shape.channels * shape.kernel_w <= column_floats) {
    runs = columns ? 1 : shape.kernel_h;
    run_floats = columns ? shape.kernel_h * column_floats : shape.kernel_w * shape.channels;
    step_y = columns ? column_floats : shape.width * shape.channels;
    step_x = columns ? shape.height * column_floats : shape.channels;
    pitch = step_y;
    floats = columns ? shape.out_w() * step_x : shape.height * step_y;
    row_of_taps = columns ? column_floats : whole_vectors(run_floats);
  }
};

/// to[x][y] = the column_floats floats from pixel (y, x) of an image with channels last.
void take_columns_apart(const Conv2dShape& shape, const float* channels_last, float* to) {
  const hn::CappedTag<float, PatchLayout::column_floats> d;
  for (std::int64_t y = 0; y < shape.height; ++y) {
    for (std::int64_t x = 0; x < shape.out_w(); ++x) {
      const float* from = channels_last + (y * shape.width + x) * shape.channels;
      float* column = to + (x * shape.height + y) * PatchLayout::column_floats;
      for (std::int64_t i = 0; i < PatchLayout::column_floats; i += static_cast<std::int64_t>(hn::Lanes(d))) {
        hn::StoreU(hn::LoadU(d, from + i), d, column + i);
      }
    }
  }
}

/// The samples of a batch as PatchLayout has them, one after another.
class PatchImages {
 public:
  PatchImages(const Conv2dShape& shape, const PatchLayout& layout, Workspace& workspace)
      : shape_(shape), columns_(layout.columns) {
    const std::int64_t slack = std::max(float_lanes(), PatchLayout::column_floats);
    const std::int64_t image = shape.channels * shape.height * shape.width;
    channels_last_ = workspace.allocate<float>(image + slack);
    fill_zero(channels_last_ + image, slack);
    if (columns_) {
      apart_ = workspace.allocate<float>(layout.floats + slack);
      fill_zero(apart_ + layout.floats, slack);
    }
  }

  /// The image `input` [channels][height][width].
  const float* arrange(const float* input) {
    transpose(input, shape_.channels, shape_.height * shape_.width, channels_last_);
    if (!columns_) {
      return channels_last_;
    }
    take_columns_apart(shape_, channels_last_, apart_);
    return apart_;
  }

 private:
  Conv2dShape shape_;
  bool columns_;
  float* channels_last_ = nullptr;
  float* apart_ = nullptr;
};

/// Writes the filters' gradients from patches to their own layout.
void write_filters(const Conv2dShape& shape, const PatchLayout& layout, const float* patches, float* grad_filters,
                   Workspace& workspace) {
  const std::int64_t row = shape.kernel_w * shape.channels;
  auto* channels_last = workspace.allocate<float>(shape.kernel_h * row);
  for (std::int64_t k = 0; k < shape.filters; ++k) {
    const float* patch = patches + k * layout.runs * whole_vectors(layout.run_floats);
    for (std::int64_t p = 0; p < shape.kernel_h; ++p) {
      copy_floats(patch + p * layout.row_of_taps, channels_last + p * row, row);
    }
    transpose(channels_last, shape.taps(), shape.channels, grad_filters + k * shape.channels * shape.taps());
  }
}

void backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                      const std::uint8_t* argmax, const float* input, float* grad_filters, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const Conv2dShape& conv2d = shape.conv2d;
  const PatchLayout layout(conv2d);
  PatchImages images(conv2d, layout, workspace);
  const std::int64_t windows = shape.windows();
  Deltas deltas(shape, {.a = layout.step_y, .b = layout.step_x, .filter = 0}, workspace);
  for (std::int64_t w = 0; w < windows; ++w) {
    deltas.window_offsets()[w] =
        static_cast<std::int32_t>(shape.pool * (w / shape.out_w() * layout.step_y + w % shape.out_w() * layout.step_x));
  }
  const std::int64_t run = whole_vectors(layout.run_floats);
  auto* patches = workspace.allocate<float>(conv2d.filters * layout.runs * run);
  fill_zero(patches, conv2d.filters * layout.runs * run);
  for (std::int64_t n = 0; n < conv2d.batch; ++n) {
    const std::int64_t sample = n * conv2d.filters * windows;
    deltas.compute(grad_output + sample, output + sample, argmax + sample);
    const WeightedPatches problem{.source = images.arrange(input + n * conv2d.channels * conv2d.height * conv2d.width),
                                  .source_pitch = layout.pitch,
                                  .offsets = deltas.offsets(),
                                  .weights = deltas.deltas(),
                                  .terms = windows,
                                  .term_step = 1,
                                  .target = patches,
                                  .target_pitch = run,
                                  .next_terms = windows,
                                  .next_target = layout.runs * run};
    for_each_patch_tile(layout.runs, layout.run_floats,
                        [&](const PatchTile& tile) HWY_ATTR { tile.add_all(problem, conv2d.filters); });
  }
  write_filters(conv2d, layout, patches, grad_filters, workspace);
}

/// The sums of a vector of windows after another, a filter at a time.
void backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                   float* grad_bias) {
  const std::int64_t lanes = float_lanes();
  const std::int64_t windows = shape.windows();
  for (std::int64_t k = 0; k < shape.conv2d.filters; ++k) {
    FloatVector sum = hn::Zero(Floats());
    for (std::int64_t n = 0; n < shape.conv2d.batch; ++n) {
      const std::int64_t place = (n * shape.conv2d.filters + k) * windows;
      for (std::int64_t w = 0; w < windows; w += lanes) {
        const std::int64_t count = std::min(lanes, windows - w);
        sum = hn::Add(
            sum, sigmoid_gradient(load_first(grad_output + place + w, count), load_first(output + place + w, count)));
      }
    }
    grad_bias[k] = sum_of_lanes(sum);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(forward);
HWY_EXPORT(backward_data);
HWY_EXPORT(backward_filters);
HWY_EXPORT(backward_bias);
}  // namespace

void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                    const float* bias, float* output, std::uint8_t* argmax, Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(forward)(shape, input, filters, bias, output, argmax, workspace);
}

void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, const std::uint8_t* argmax, const float* filters,
                                          float* grad_input, Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(backward_data)(shape, grad_output, output, argmax, filters, grad_input, workspace);
}

void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                             const float* output, const std::uint8_t* argmax, const float* input,
                                             float* grad_filters, Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(backward_filters)(shape, grad_output, output, argmax, input, grad_filters, workspace);
}

void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, float* grad_bias, Workspace& /*workspace*/) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(backward_bias)(shape, grad_output, output, grad_bias);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
