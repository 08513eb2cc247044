// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "touchstone/conv2d_maxpool_sigmoid.h"

/// Winograd's minimal filtering in one dimension (Winograd 1980; Lavin and Gray 2015): `outputs` neighbouring sums of
/// `taps` products each from points = outputs + taps - 1 products,
///
///   y = output * ((filter * w) . (input * x))        with . the product element by element,
///
/// x the `points` inputs and w the taps. The polynomials behind it are evaluated at 0, 1, -1, 2, -2 (and 1/2, -1/2) and
/// infinity; what no binary fraction is exact for is all on the filters' side, which are transformed once a step.
namespace touchstone::cpu {

template <std::size_t taps>
struct Winograd;

template <>
struct Winograd<3> {
  static constexpr std::size_t outputs = 4;
  static constexpr std::size_t points = 6;
  static constexpr std::array<std::array<float, 6>, 6> input{{{4, 0, -5, 0, 1, 0},
                                                              {0, -4, -4, 1, 1, 0},
                                                              {0, 4, -4, -1, 1, 0},
                                                              {0, -2, -1, 2, 1, 0},
                                                              {0, 2, -1, -2, 1, 0},
                                                              {0, 4, 0, -5, 0, 1}}};
  static constexpr std::array<std::array<float, 3>, 6> filter{{{1.0F / 4, 0, 0},
                                                               {-1.0F / 6, -1.0F / 6, -1.0F / 6},
                                                               {-1.0F / 6, 1.0F / 6, -1.0F / 6},
                                                               {1.0F / 24, 2.0F / 24, 4.0F / 24},
                                                               {1.0F / 24, -2.0F / 24, 4.0F / 24},
                                                               {0, 0, 1}}};
  static constexpr std::array<std::array<float, 6>, 4> output{
      {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}};
};

template <>
struct Winograd<5> {
  static constexpr std::size_t outputs = 4;
  static constexpr std::size_t points = 8;
  static constexpr std::array<std::array<float, 8>, 8> input{{{1, 0, -5.25F, 0, 5.25F, 0, -1, 0},
                                                              {0, 1, 1, -4.25F, -4.25F, 1, 1, 0},
                                                              {0, -1, 1, 4.25F, -4.25F, -1, 1, 0},
                                                              {0, 0.5F, 0.25F, -2.5F, -1.25F, 2, 1, 0},
                                                              {0, -0.5F, 0.25F, 2.5F, -1.25F, -2, 1, 0},
                                                              {0, 2, 4, -2.5F, -5, 0.5F, 1, 0},
                                                              {0, -2, 4, 2.5F, -5, -0.5F, 1, 0},
                                                              {0, -1, 0, 5.25F, 0, -5.25F, 0, 1}}};
  static constexpr std::array<std::array<float, 5>, 8> filter{
      {{1, 0, 0, 0, 0},
       {-2.0F / 9, -2.0F / 9, -2.0F / 9, -2.0F / 9, -2.0F / 9},
       {-2.0F / 9, 2.0F / 9, -2.0F / 9, 2.0F / 9, -2.0F / 9},
       {1.0F / 90, 2.0F / 90, 4.0F / 90, 8.0F / 90, 16.0F / 90},
       {1.0F / 90, -2.0F / 90, 4.0F / 90, -8.0F / 90, 16.0F / 90},
       {32.0F / 45, 16.0F / 45, 8.0F / 45, 4.0F / 45, 2.0F / 45},
       {32.0F / 45, -16.0F / 45, 8.0F / 45, -4.0F / 45, 2.0F / 45},
       {0, 0, 0, 0, 1}}};
  static constexpr std::array<std::array<float, 8>, 4> output{{{1, 1, 1, 1, 1, 1, 1, 0},
                                                               {0, 1, -1, 2, -2, 0.5F, -0.5F, 0},
                                                               {0, 1, 1, 4, 4, 0.25F, 0.25F, 0},
                                                               {0, 1, -1, 8, -8, 0.125F, -0.125F, 1}}};
};

/// Rows of sums that come together, whatever the kernel: those of two rows of 2x2 windows.
constexpr std::int64_t winograd_outputs = 4;
static_assert(Winograd<3>::outputs == winograd_outputs && Winograd<5>::outputs == winograd_outputs);

/// Whether a fused block's forward pass takes the sums of 2x2 windows by Winograd's method: kernels of 3 or 5 rows, and
/// channels and filters enough for the transforms to pay. Of a few channels, as images have, it would not spare much,
/// and where these are flat its roundings decide many windows.
constexpr bool uses_winograd(const Conv2dMaxpoolSigmoidShape& shape) {
  const Conv2dShape& conv2d = shape.conv2d;
  return shape.pool == 2 && (conv2d.kernel_h == 3 || conv2d.kernel_h == 5) && conv2d.channels >= 4 &&
         conv2d.filters > 8;
}

/// Rows of products that the forward pass sums for each row of taps: the kernel's own, or Winograd's points.
constexpr std::int64_t tap_rows(const Conv2dMaxpoolSigmoidShape& shape) {
  return shape.conv2d.kernel_h + (uses_winograd(shape) ? winograd_outputs - 1 : 0);
}

}  // namespace touchstone::cpu
