// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/rounded_tensor.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::check {

/// The pre-activations of a fused block whose device takes them by Winograd's method in one dimension
/// (host/cpu/winograd.h): those of the convolution, with the errors of that method. Four neighbouring rows of sums are
///
///   y = A ((G w) . (B x)),   summed over channels and columns of taps,
///
/// with A, G and B the transforms of the sums, the filters and the images. Whatever the order, a product of a
/// coefficient of each with a weight and a pixel is rounded at most once for each coefficient of its row of G and of B,
/// whose coefficients may be rounded themselves, once for each channel and column, once for each point in A, and once
/// with the bias. With n the sum of these, and with x and w off by at most ex and ew,
///
///   |error| <= gamma(n) |A| ((|G| (|w| + ew)) . (|B| (|x| + ex)))  +  sum (|x| + ex)(|w| + ew) - sum |x||w|.
RoundedTensor winograd_sums(const Conv2dMaxpoolSigmoidShape& shape, const RoundedTensor& input,
                            const RoundedTensor& filters, const RoundedTensor& bias);

}  // namespace touchstone::check
