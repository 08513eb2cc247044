// SPDX-License-Identifier: Apache-2.0
//
// Two-dimensional convolution (cross-correlation) and its three gradients, in float32. Formulas and layouts:
// Conv2dShape.
//
// Forward and filter gradient read the input through the planes of Conv2dPlanes, where the inputs of one tap are
// consecutive over all outputs: the forward pass is then weighted sums of such rows (weighted_sums-inl.h), the filter
// gradient dot products of them with rows of the output gradient (dot_products-inl.h). An unfolded input matrix
// (im2col) would be larger by the kernel's height; reading rows of the image in place would compute kernel_w - 1 unused
// columns in each row of output, a third of the work of a 5x5 convolution on 12x12.
//
// The gradient by the input is taken apart by columns: first S[c,q][y][j] = sum over k,p of grad_output[k,
// (y+padding_h- p)/stride_h, j] * filters[k,c,p,q], again weighted sums of consecutive floats (rows above and below the
// output count as zero and are mostly left out), then grad_input[c][y][x] = sum over q of S[c,q][y][j] with j*stride_w
// + q - padding_w = x. A full correlation with zeros all around would multiply 2.25 times as often in that example.
//
// Every output is summed in one order whatever the batch it comes in: over channels, filter rows, filter columns
// (forward); over filters and filter rows, then filter columns (input); lane by lane over positions and samples, then
// over lanes (filters and bias).
#include "touchstone/conv2d.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/conv2d.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/conv2d_pack-inl.h"
#include "host/cpu/dot_products-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_sums-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias, float* output,
             Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const std::int64_t terms = shape.channels * shape.taps();
  const std::int64_t positions = shape.out_positions();
  const Conv2dPacker packer(shape, input, workspace);
  auto* weights = workspace.allocate<float>(shape.filters * terms);
  pack_weights(filters, terms, 1, shape.filters, terms, weights);
  auto* offsets = workspace.allocate<std::int64_t>(terms);
  for (std::int64_t t = 0; t < terms; ++t) {
    const std::int64_t tap = t % shape.taps();
    offsets[t] = packer.layout().offset(shape, t / shape.taps(), tap / shape.kernel_w, tap % shape.kernel_w);
  }
  auto* planes = workspace.allocate<float>(packer.floats());
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    packer.pack(n, planes);
    weighted_sums<SourceEnd::readable>({.source = planes,
                                        .offsets = offsets,
                                        .terms = terms,
                                        .first_term = 0,
                                        .last_term = terms,
                                        .weights = weights,
                                        .initial = bias,
                                        .rows = shape.filters,
                                        .columns = positions,
                                        .output = output + n * shape.filters * positions,
                                        .output_pitch = positions});
  }
}

/// The rows of the input that the taps p = phase, phase + stride_h, ... contribute to: y = row * stride_h + phase -
/// padding_h for row in first_row..first_row + rows - 1.
struct RowPhase {
  std::int64_t phase = 0;
  std::int64_t taps = 0;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;

  RowPhase(const Conv2dShape& shape, std::int64_t of_phase)
      : phase(of_phase),
        taps(of_phase < shape.kernel_h ? (shape.kernel_h - 1 - of_phase) / shape.stride_h + 1 : 0),
        first_row(std::max<std::int64_t>(0, (shape.padding_h - of_phase + shape.stride_h - 1) / shape.stride_h)) {
    const std::int64_t below = shape.height - 1 + shape.padding_h - phase;  // of the last row, times the stride
    rows = below < 0 ? 0 : std::max<std::int64_t>(0, below / shape.stride_h + 1 - first_row);
  }

  /// The row of the image that row `row` of the phase is.
  [[nodiscard]] std::int64_t y(const Conv2dShape& shape, std::int64_t row) const {
    return (first_row + row) * shape.stride_h + phase - shape.padding_h;
  }
};

/// The gradient by the input, one sample after another.
class DataGradient {
 public:
  DataGradient(const Conv2dShape& shape, const float* filters, Workspace& workspace)
      : shape_(shape), filters_(filters), out_w_(shape.out_w()), rows_above_((shape.kernel_h - 1) / shape.stride_h) {
    std::int64_t most_rows = 0;
    for (std::int64_t a = 0; a < std::min(shape.stride_h, shape.kernel_h); ++a) {
      const RowPhase phase(shape, a);
      most_rows = std::max(most_rows, phase.rows);
      last_row_ = std::max(last_row_, phase.first_row + phase.rows);
    }
    plane_ = (rows_above_ + std::max(last_row_, shape.out_h())) * shape.out_w();
    const std::int64_t floats = shape.filters * plane_ + float_lanes();
    source_ = workspace.allocate<float>(floats);
    fill_zero(source_, floats);
    // Folding reads up to a filter's width before the first row, and a row and a vector beyond the last.
    const std::int64_t lanes = float_lanes();
    const std::int64_t margin = (shape.kernel_w + shape.width + 2 * lanes) / lanes * lanes;
    partial_ = workspace.allocate<float>(shape.channels * shape.kernel_w * most_rows * out_w_ + 2 * margin) + margin;
    const std::int64_t most_terms = shape.filters * (rows_above_ + 1);
    weights_ = workspace.allocate<float>(shape.channels * shape.kernel_w * most_terms);
    offsets_ = workspace.allocate<std::int64_t>(most_terms);
    if (shape.stride_w == 1) {
      make_fold_masks(workspace);
    }
    row_offsets_ = workspace.allocate<std::int64_t>(shape.channels * shape.kernel_w);
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      for (std::int64_t q = 0; q < shape.kernel_w; ++q) {
        row_offsets_[c * shape.kernel_w + q] = c * shape.taps() + q;
      }
    }
  }

  void run(const float* grad_output, float* grad_input) {
    if (shape_.stride_h != 1 || shape_.stride_w != 1) {
      fill_zero(grad_input, shape_.input_count());
    }
    for (std::int64_t a = 0; a < std::min(shape_.stride_h, shape_.kernel_h); ++a) {
      const RowPhase phase(shape_, a);
      prepare_terms(phase);
      for (std::int64_t n = 0; n < shape_.batch && phase.rows > 0; ++n) {
        copy_output_gradient(grad_output + n * shape_.filters * shape_.out_positions());
        sum_columns(phase);
        float* sample = grad_input + n * shape_.channels * shape_.height * shape_.width;
        if (shape_.stride_w == 1) {
          fold_dense_columns(phase, sample);
        } else {
          fold_strided_columns(phase, sample);
        }
      }
    }
  }

 private:
  /// Terms in the order (tap, filter): a range of taps is a range of terms.
  void prepare_terms(const RowPhase& phase) {
    const std::int64_t taps = shape_.taps();
    float* to = weights_;
    const EvenParts blocks(shape_.channels * shape_.kernel_w, max_tile_rows);
    for (std::int64_t block = 0; block < blocks.parts; ++block) {
      const std::int64_t first = blocks.begin(block);
      const std::int64_t last = blocks.begin(block + 1);
      for (std::int64_t t = 0; t < phase.taps; ++t) {
        const std::int64_t p = phase.phase + t * shape_.stride_h;
        for (std::int64_t k = 0; k < shape_.filters; ++k) {
          const float* from = filters_ + k * shape_.channels * taps + p * shape_.kernel_w;
          for (std::int64_t row = first; row < last; ++row) {
            *to++ = from[row_offsets_[row]];
          }
        }
      }
    }
    for (std::int64_t t = 0; t < phase.taps; ++t) {
      for (std::int64_t k = 0; k < shape_.filters; ++k) {
        offsets_[t * shape_.filters + k] = k * plane_ + (rows_above_ + phase.first_row - t) * out_w_;
      }
    }
  }

  /// Puts one sample's output gradient between rows of zeros.
  void copy_output_gradient(const float* grad_output) {
    const std::int64_t positions = shape_.out_positions();
    for (std::int64_t k = 0; k < shape_.filters; ++k) {
      copy_floats(grad_output + k * positions, source_ + k * plane_ + rows_above_ * out_w_, positions);
    }
  }

  /// partial[c,q][row][j] = sum over the phase's taps t and filters k of grad_output[k, row - t, j] * filters[k,c,p,q].
  void sum_columns(const RowPhase& phase) {
    const std::int64_t columns = phase.rows * out_w_;
    const std::int64_t lanes = float_lanes();
    const EvenParts parts((columns + lanes - 1) / lanes, max_tile_vectors);
    for (std::int64_t part = 0; part < parts.parts; ++part) {
      const std::int64_t begin = parts.begin(part) * lanes;
      const std::int64_t end = std::min(parts.begin(part + 1) * lanes, columns);
      // Of the taps only those that meet a row of the output gradient: first_row + begin/width - t < out_h for the
      // first row of the part, first_row + (end-1)/width - t >= 0 for its last.
      const std::int64_t first_tap =
          std::clamp<std::int64_t>(phase.first_row + begin / out_w_ - shape_.out_h() + 1, 0, phase.taps);
      const std::int64_t last_tap =
          std::clamp<std::int64_t>(phase.first_row + (end - 1) / out_w_ + 1, first_tap, phase.taps);
      weighted_sums<SourceEnd::readable>({.source = source_ + begin,
                                          .offsets = offsets_,
                                          .terms = phase.taps * shape_.filters,
                                          .first_term = first_tap * shape_.filters,
                                          .last_term = last_tap * shape_.filters,
                                          .weights = weights_,
                                          .initial = nullptr,
                                          .rows = shape_.channels * shape_.kernel_w,
                                          .columns = end - begin,
                                          .output = partial_ + begin,
                                          .output_pitch = columns});
    }
  }

  /// grad_input[c][y][x] = sum over q of partial[c,q][row][x + padding_w - q], for the rows y of the phase. Vectors
  /// read across the ends of a row; what does not belong to it is masked out.
  void fold_dense_columns(const RowPhase& phase, float* grad_input) const {
    const Floats d;
    const std::int64_t lanes = float_lanes();
    for (std::int64_t c = 0; c < shape_.channels; ++c) {
      for (std::int64_t row = 0; row < phase.rows; ++row) {
        const float* from = partial_ + (c * shape_.kernel_w * phase.rows + row) * out_w_ + shape_.padding_w;
        float* to = grad_input + (c * shape_.height + phase.y(shape_, row)) * shape_.width;
        const float* mask = fold_masks_;
        for (std::int64_t x = 0; x < shape_.width; x += lanes) {
          FloatVector sum = hn::Zero(d);
          for (std::int64_t q = 0; q < shape_.kernel_w; ++q) {
            const FloatVector part = hn::LoadU(d, from + q * phase.rows * out_w_ + x - q);
            sum = hn::Add(sum, hn::And(part, hn::Load(d, mask)));
            mask += lanes;
          }
          store_first(sum, to + x, std::min(lanes, shape_.width - x));
        }
      }
    }
  }

  /// The same with a stride: adds each partial sum to the pixel it belongs to.
  void fold_strided_columns(const RowPhase& phase, float* grad_input) const {
    for (std::int64_t c = 0; c < shape_.channels; ++c) {
      for (std::int64_t q = 0; q < shape_.kernel_w; ++q) {
        const float* from = partial_ + (c * shape_.kernel_w + q) * phase.rows * out_w_;
        for (std::int64_t row = 0; row < phase.rows; ++row) {
          float* to = grad_input + (c * shape_.height + phase.y(shape_, row)) * shape_.width;
          for (std::int64_t j = 0; j < out_w_; ++j) {
            const std::int64_t x = j * shape_.stride_w + q - shape_.padding_w;
            if (x >= 0 && x < shape_.width) {
              to[x] += from[row * out_w_ + j];
            }
          }
        }
      }
    }
  }

  /// For each vector of x and each q: all bits set where 0 <= x + padding_w - q < out_w.
  void make_fold_masks(Workspace& workspace) {
    const std::int64_t lanes = float_lanes();
    const std::int64_t vectors = (shape_.width + lanes - 1) / lanes;
    fold_masks_ = workspace.allocate<float>(vectors * shape_.kernel_w * lanes);
    float* mask = fold_masks_;
    for (std::int64_t x = 0; x < vectors * lanes; x += lanes) {
      for (std::int64_t q = 0; q < shape_.kernel_w; ++q) {
        for (std::int64_t i = 0; i < lanes; ++i) {
          const std::int64_t j = x + i + shape_.padding_w - q;
          *mask++ = std::bit_cast<float>(j >= 0 && j < out_w_ ? 0xFFFFFFFFU : 0U);
        }
      }
    }
  }

  Conv2dShape shape_;
  const float* filters_;
  std::int64_t out_w_;
  std::int64_t rows_above_;              // of zeros, in each plane of the output gradient
  std::int64_t last_row_ = 0;            // the most rows, first_row included, that any phase reads
  std::int64_t plane_ = 0;               // floats
  float* source_ = nullptr;              // [filters][rows_above_ + rows][out_w] and a vector
  float* partial_ = nullptr;             // [channels * kernel_w][rows of the phase][out_w]
  float* weights_ = nullptr;             // packed [channels * kernel_w][taps of the phase * filters]
  std::int64_t* offsets_ = nullptr;      // [taps of the phase * filters]
  float* fold_masks_ = nullptr;          // [vectors of x][kernel_w][lanes], where stride_w is 1
  std::int64_t* row_offsets_ = nullptr;  // [channels * kernel_w]: where filters[k,c,0,q] stands from filters[k,0,0,0]
};

void backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters, float* grad_input,
                   Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  DataGradient(shape, filters, workspace).run(grad_output, grad_input);
}

void backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input, float* grad_filters,
                      Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const std::int64_t terms = shape.channels * shape.taps();
  const std::int64_t positions = shape.out_positions();
  const Conv2dPacker packer(shape, input, workspace);
  auto* planes = workspace.allocate<float>(shape.batch * packer.floats());
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    packer.pack(n, planes + n * packer.floats());
  }
  // In the order (c, q, p), so that the rows of a tile overlap in memory where the stride allows.
  auto* offsets = workspace.allocate<std::int64_t>(terms);
  auto* places = workspace.allocate<std::int64_t>(terms);
  for (std::int64_t t = 0; t < terms; ++t) {
    const std::int64_t c = t / shape.taps();
    const std::int64_t q = t % shape.taps() / shape.kernel_h;
    const std::int64_t p = t % shape.kernel_h;
    offsets[t] = packer.layout().offset(shape, c, p, q);
    places[t] = c * shape.taps() + p * shape.kernel_w + q;
  }
  dot_products({.left = grad_output,
                .left_pitch = positions,
                .left_batch = shape.filters * positions,
                .right = planes,
                .right_offsets = offsets,
                .right_batch = packer.floats(),
                .rows = shape.filters,
                .columns = terms,
                .length = positions,
                .batch = shape.batch,
                .output = grad_filters,
                .output_pitch = terms,
                .output_columns = places});
}

void backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  const std::int64_t positions = shape.out_positions();
  for (std::int64_t k = 0; k < shape.filters; ++k) {
    FloatVector sum = hn::Zero(d);
    for (std::int64_t n = 0; n < shape.batch; ++n) {
      const float* from = grad_output + (n * shape.filters + k) * positions;
      std::int64_t x = 0;
      for (; x + lanes <= positions; x += lanes) {
        sum = hn::Add(sum, hn::LoadU(d, from + x));
      }
      sum = hn::Add(sum, load_first(from + x, positions - x));
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

void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                    float* output, Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(forward)(shape, input, filters, bias, output, workspace);
}

void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters, float* grad_input,
                          Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(backward_data)(shape, grad_output, filters, grad_input, workspace);
}

void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                             float* grad_filters, Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(backward_filters)(shape, grad_output, input, grad_filters, workspace);
}

void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias,
                          Workspace& /*workspace*/) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(backward_bias)(shape, grad_output, grad_bias);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
