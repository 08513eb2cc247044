// SPDX-License-Identifier: Apache-2.0
#include "host/check/shapes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

namespace touchstone::check {
namespace {

template <class Shape>
struct NamedShape {
  std::string_view name;
  Shape shape;
};

/// One axis of a convolution or a pool.
struct Window {
  std::int64_t size = 1;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
};

// The fields in the order of Conv2dShape: N C H W, K, kernel, stride, padding.
constexpr std::array conv2d_edges = {
    NamedShape<Conv2dShape>{"one element", {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"empty batch", {0, 2, 6, 7, 3, 3, 2, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"first layer of seed", {2, 1, 28, 28, 8, 5, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"second layer of seed", {1, 8, 12, 12, 16, 5, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel is the image", {3, 2, 5, 7, 4, 5, 7, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel is the padded image", {2, 3, 3, 4, 2, 5, 6, 1, 1, 1, 1}},
    NamedShape<Conv2dShape>{"one row", {2, 3, 1, 37, 4, 1, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"one column", {2, 3, 35, 1, 4, 5, 1, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"stride beyond kernel", {2, 3, 17, 22, 4, 2, 3, 3, 5, 0, 0}},
    NamedShape<Conv2dShape>{"stride that does not divide", {2, 2, 10, 15, 3, 3, 2, 4, 3, 0, 0}},
    NamedShape<Conv2dShape>{"stride down only", {2, 3, 13, 16, 4, 3, 3, 2, 1, 0, 0}},
    NamedShape<Conv2dShape>{"stride across only", {2, 3, 13, 16, 4, 3, 3, 1, 2, 0, 0}},
    NamedShape<Conv2dShape>{"padding on height only", {2, 2, 9, 11, 3, 3, 3, 1, 1, 1, 0}},
    NamedShape<Conv2dShape>{"padding on width only", {2, 2, 9, 11, 3, 3, 3, 1, 1, 0, 1}},
    NamedShape<Conv2dShape>{"full padding", {1, 2, 6, 9, 3, 4, 5, 1, 1, 3, 4}},
    NamedShape<Conv2dShape>{"padding and stride", {2, 3, 15, 12, 5, 5, 4, 2, 3, 4, 1}},
    NamedShape<Conv2dShape>{"prime sizes", {3, 5, 13, 11, 7, 5, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel 1x1", {3, 17, 9, 8, 15, 1, 1, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel 1x1, stride 2x3", {2, 5, 9, 14, 6, 1, 1, 2, 3, 0, 0}},
    NamedShape<Conv2dShape>{"kernel 2x2", {2, 4, 9, 10, 5, 2, 2, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel 3x3, same size", {2, 4, 14, 13, 9, 3, 3, 1, 1, 1, 1}},
    NamedShape<Conv2dShape>{"kernel 5x5, same size", {1, 4, 14, 17, 8, 5, 5, 1, 1, 2, 2}},
    NamedShape<Conv2dShape>{"kernel 7x7", {1, 2, 19, 18, 5, 7, 7, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel 7x7, stride 2", {1, 3, 23, 24, 8, 7, 7, 2, 2, 3, 3}},
    NamedShape<Conv2dShape>{"kernel 11x9", {1, 2, 16, 15, 3, 11, 9, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"kernel 1x7", {2, 3, 6, 20, 5, 1, 7, 1, 1, 0, 3}},
    NamedShape<Conv2dShape>{"kernel 7x1", {2, 3, 20, 6, 5, 7, 1, 1, 1, 3, 0}},
    NamedShape<Conv2dShape>{"output width 7", {1, 2, 6, 9, 3, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 8", {1, 2, 6, 10, 3, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 9", {1, 2, 6, 11, 3, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 15", {1, 2, 9, 17, 3, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 16", {1, 2, 9, 18, 3, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 17", {1, 2, 9, 19, 3, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 31", {1, 2, 7, 35, 3, 5, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 32", {1, 2, 7, 36, 3, 5, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 33", {1, 2, 7, 37, 3, 5, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 64", {1, 1, 5, 66, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output width 65", {1, 1, 5, 67, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output height 33", {1, 2, 37, 7, 3, 5, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"output height 65", {1, 1, 67, 5, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"31 filters", {1, 2, 6, 7, 31, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"32 filters", {1, 2, 6, 7, 32, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"33 filters", {1, 2, 6, 7, 33, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"64 filters", {1, 2, 6, 5, 64, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"65 filters", {1, 2, 6, 5, 65, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"31 channels", {1, 31, 6, 7, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"32 channels", {1, 32, 6, 7, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"33 channels", {1, 33, 6, 7, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"65 channels", {1, 65, 5, 6, 3, 3, 3, 1, 1, 1, 1}},
    NamedShape<Conv2dShape>{"63 samples", {63, 1, 5, 6, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"64 samples", {64, 1, 5, 6, 2, 3, 3, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"65 samples", {65, 1, 5, 6, 2, 3, 3, 1, 1, 0, 0}},
    // So large that a block of the filter gradient has several samples, and the last block fewer.
    NamedShape<Conv2dShape>{"65 samples of many channels", {65, 205, 1, 2, 65, 1, 1, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"65 samples of many taps", {65, 22, 3, 4, 33, 3, 4, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"36,864 positions", {64, 1, 26, 28, 1, 3, 5, 1, 1, 0, 0}},
    NamedShape<Conv2dShape>{"one channel to one filter", {4, 1, 12, 11, 1, 3, 5, 1, 1, 0, 0}},
};

// The fields in the order of Conv2dShape, and the pool.
constexpr std::array conv2d_maxpool_sigmoid_edges = {
    NamedShape<Conv2dMaxpoolSigmoidShape>{"one window", {{1, 1, 2, 2, 1, 1, 1, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"one window of 3x3", {{1, 1, 3, 3, 1, 1, 1, 1, 1, 0, 0}, 3}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"empty batch", {{0, 2, 6, 7, 3, 3, 2, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"first block of seed", {{2, 1, 28, 28, 8, 5, 5, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"second block of seed", {{5, 8, 12, 12, 16, 5, 5, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"as in wide", {{1, 32, 12, 12, 64, 5, 5, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"last row and column left over", {{2, 3, 11, 13, 5, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"two rows and one column left over",
                                          {{2, 3, 13, 12, 5, 3, 3, 1, 1, 0, 0}, 3}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"window is the image", {{3, 2, 6, 8, 4, 5, 7, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"one row of windows", {{2, 3, 4, 37, 4, 3, 5, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"one column of windows", {{2, 3, 35, 4, 4, 5, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 1x1", {{3, 17, 9, 8, 15, 1, 1, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 2x2", {{2, 4, 9, 10, 5, 2, 2, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 3x3", {{2, 4, 14, 12, 9, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 3x3, pool 3", {{2, 4, 14, 17, 9, 3, 3, 1, 1, 0, 0}, 3}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 5x5, pool 3", {{2, 3, 16, 19, 8, 5, 5, 1, 1, 0, 0}, 3}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 7x7", {{1, 2, 18, 20, 5, 7, 7, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 7x7, pool 3", {{1, 2, 18, 21, 5, 7, 7, 1, 1, 0, 0}, 3}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 1x7", {{2, 3, 6, 20, 5, 1, 7, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 7x1", {{2, 3, 20, 6, 5, 7, 1, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 9x4", {{1, 2, 16, 15, 3, 9, 4, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 101x102", {{2, 2, 103, 105, 2, 101, 102, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"kernel 37x36, 2 channels", {{1, 2, 40, 41, 2, 37, 36, 1, 1, 0, 0}, 3}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"prime sizes", {{3, 5, 13, 17, 7, 5, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"7 windows across", {{1, 2, 6, 16, 3, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"8 windows across", {{1, 2, 6, 18, 3, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"9 windows across", {{1, 2, 6, 20, 3, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"16 windows across", {{1, 2, 6, 34, 3, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"17 windows across", {{1, 2, 6, 36, 3, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"33 windows across", {{1, 1, 6, 70, 2, 5, 5, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"33 windows down", {{1, 1, 70, 6, 2, 5, 5, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"7 filters", {{2, 3, 8, 9, 7, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"15 filters", {{2, 3, 8, 9, 15, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"16 filters", {{2, 3, 8, 9, 16, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"17 filters", {{2, 3, 8, 9, 17, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"33 filters", {{1, 2, 6, 7, 33, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"65 filters", {{1, 2, 6, 5, 65, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"16 channels", {{1, 16, 6, 7, 2, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"17 channels", {{1, 17, 6, 7, 2, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"65 channels", {{1, 65, 5, 6, 3, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"65 channels and filters", {{13, 65, 6, 7, 65, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"64 samples", {{64, 1, 5, 6, 2, 3, 3, 1, 1, 0, 0}, 2}},
    NamedShape<Conv2dMaxpoolSigmoidShape>{"65 samples", {{65, 1, 5, 6, 2, 3, 3, 1, 1, 0, 0}, 2}},
    // So large that a block of either gradient has several samples, and the last block fewer.
    NamedShape<Conv2dMaxpoolSigmoidShape>{"65 samples of 65 channels", {{65, 65, 5, 6, 9, 3, 3, 1, 1, 0, 0}, 2}},
};

// The fields in the order of MaxpoolShape: N C H W, kernel, stride, padding.
constexpr std::array maxpool_edges = {
    NamedShape<MaxpoolShape>{"one element", {1, 1, 1, 1, 1, 1, 1, 1, 0, 0}},
    NamedShape<MaxpoolShape>{"empty batch", {0, 3, 6, 8, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"first pool of seed", {2, 8, 24, 24, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"second pool of seed", {3, 16, 8, 8, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"window is the image", {2, 3, 5, 7, 5, 7, 5, 7, 0, 0}},
    NamedShape<MaxpoolShape>{"last row and column left over", {2, 3, 7, 9, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"whole vectors and a column left over", {2, 3, 6, 33, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"stride beyond window", {2, 3, 13, 16, 2, 3, 4, 5, 0, 0}},
    NamedShape<MaxpoolShape>{"windows overlap", {2, 3, 10, 13, 3, 3, 1, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"windows overlap down only", {2, 3, 12, 10, 3, 2, 1, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"windows overlap 25 fold", {1, 2, 9, 11, 5, 5, 1, 1, 2, 2}},
    NamedShape<MaxpoolShape>{"padding on height only", {2, 3, 8, 9, 2, 3, 2, 3, 1, 0}},
    NamedShape<MaxpoolShape>{"padding on width only", {2, 3, 9, 8, 3, 2, 3, 2, 0, 1}},
    NamedShape<MaxpoolShape>{"padding is half the window", {2, 2, 9, 12, 4, 2, 3, 1, 2, 1}},
    NamedShape<MaxpoolShape>{"window 1x1", {2, 5, 6, 7, 1, 1, 1, 1, 0, 0}},
    NamedShape<MaxpoolShape>{"window 1x1, stride 2x3", {2, 5, 7, 8, 1, 1, 2, 3, 0, 0}},
    NamedShape<MaxpoolShape>{"window 3x3, stride 2, padding 1", {2, 4, 15, 14, 3, 3, 2, 2, 1, 1}},
    NamedShape<MaxpoolShape>{"one row", {2, 3, 1, 33, 1, 2, 1, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"one column", {2, 3, 33, 1, 2, 1, 2, 1, 0, 0}},
    NamedShape<MaxpoolShape>{"prime sizes", {3, 7, 13, 11, 3, 2, 2, 3, 0, 0}},
    NamedShape<MaxpoolShape>{"output width 15", {1, 3, 6, 30, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"output width 16", {1, 3, 6, 32, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"output width 17", {1, 3, 6, 34, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"output width 33", {1, 3, 6, 67, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"output width 64", {1, 2, 5, 128, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"65 channels", {1, 65, 4, 6, 2, 2, 2, 2, 0, 0}},
    NamedShape<MaxpoolShape>{"65 samples", {65, 1, 4, 6, 2, 2, 2, 2, 0, 0}},
};

// The fields in the order of DenseShape: N, in, out.
constexpr std::array dense_edges = {
    NamedShape<DenseShape>{"one element", {1, 1, 1}},
    NamedShape<DenseShape>{"empty batch", {0, 7, 5}},
    NamedShape<DenseShape>{"last layer of seed", {64, 256, 10}},
    NamedShape<DenseShape>{"one sample", {1, 256, 10}},
    NamedShape<DenseShape>{"tied decoder", {16, 32, 784, true}},
    NamedShape<DenseShape>{"transposed, empty batch", {0, 7, 5, true}},
    NamedShape<DenseShape>{"transposed, one feature", {9, 1, 11, true}},
    NamedShape<DenseShape>{"transposed, one unit", {9, 11, 1, true}},
    NamedShape<DenseShape>{"transposed, prime sizes", {13, 31, 17, true}},
    NamedShape<DenseShape>{"transposed, just above 32", {33, 31, 33, true}},
    NamedShape<DenseShape>{"one feature", {9, 1, 11}},
    NamedShape<DenseShape>{"one unit", {9, 11, 1}},
    NamedShape<DenseShape>{"prime sizes", {13, 31, 17}},
    NamedShape<DenseShape>{"just below 8", {7, 9, 7}},
    NamedShape<DenseShape>{"just 8", {8, 8, 8}},
    NamedShape<DenseShape>{"just above 8", {9, 7, 9}},
    NamedShape<DenseShape>{"just below 16", {15, 17, 15}},
    NamedShape<DenseShape>{"just 16", {16, 16, 16}},
    NamedShape<DenseShape>{"just above 16", {17, 15, 17}},
    NamedShape<DenseShape>{"just below 32", {31, 33, 31}},
    NamedShape<DenseShape>{"just 32", {32, 32, 32}},
    NamedShape<DenseShape>{"just above 32", {33, 31, 33}},
    NamedShape<DenseShape>{"just below 64", {3, 63, 63}},
    NamedShape<DenseShape>{"just 64", {3, 64, 64}},
    NamedShape<DenseShape>{"just above 64", {3, 65, 65}},
    NamedShape<DenseShape>{"long sums over features", {2, 4097, 3}},
    NamedShape<DenseShape>{"long sums over units", {2, 3, 4097}},
    NamedShape<DenseShape>{"long sums over samples", {2049, 3, 5}},
};

// The fields in the order of SoftmaxCrossEntropyShape: N, classes.
constexpr std::array half_squared_error_edges = {
    NamedShape<HalfSquaredErrorShape>{"one element", {1, 1}},
    NamedShape<HalfSquaredErrorShape>{"empty batch", {0, 10}},
    NamedShape<HalfSquaredErrorShape>{"as in autoencoder", {16, 784}},
    NamedShape<HalfSquaredErrorShape>{"one row", {1, 100}},
    NamedShape<HalfSquaredErrorShape>{"rows of 1", {129, 1}},
    NamedShape<HalfSquaredErrorShape>{"rows of 2", {65, 2}},
    NamedShape<HalfSquaredErrorShape>{"rows of 7", {33, 7}},
    NamedShape<HalfSquaredErrorShape>{"rows of 8", {31, 8}},
    NamedShape<HalfSquaredErrorShape>{"rows of 9", {32, 9}},
    NamedShape<HalfSquaredErrorShape>{"rows of 15", {17, 15}},
    NamedShape<HalfSquaredErrorShape>{"rows of 16", {17, 16}},
    NamedShape<HalfSquaredErrorShape>{"rows of 17", {15, 17}},
    NamedShape<HalfSquaredErrorShape>{"rows of 31", {9, 31}},
    NamedShape<HalfSquaredErrorShape>{"rows of 32", {9, 32}},
    NamedShape<HalfSquaredErrorShape>{"rows of 33", {9, 33}},
    NamedShape<HalfSquaredErrorShape>{"rows of 63", {5, 63}},
    NamedShape<HalfSquaredErrorShape>{"rows of 65", {5, 65}},
    NamedShape<HalfSquaredErrorShape>{"rows of 1000", {3, 1000}},
};

constexpr std::array softmax_edges = {
    NamedShape<SoftmaxCrossEntropyShape>{"one class", {5, 1}},
    NamedShape<SoftmaxCrossEntropyShape>{"empty batch", {0, 10}},
    NamedShape<SoftmaxCrossEntropyShape>{"two classes", {7, 2}},
    NamedShape<SoftmaxCrossEntropyShape>{"as in seed", {64, 10}},
    NamedShape<SoftmaxCrossEntropyShape>{"one row", {1, 10}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 4", {33, 4}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 7", {33, 7}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 8", {31, 8}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 9", {32, 9}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 15", {17, 15}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 16", {17, 16}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 17", {15, 17}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 31", {9, 31}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 32", {9, 32}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 33", {9, 33}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 64", {5, 64}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 65", {5, 65}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 128", {3, 128}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 255", {3, 255}},
    NamedShape<SoftmaxCrossEntropyShape>{"rows of 256", {3, 256}},
    NamedShape<SoftmaxCrossEntropyShape>{"257 rows", {257, 10}},
    NamedShape<SoftmaxCrossEntropyShape>{"1,025 rows of 3", {1025, 3}},
};

constexpr std::array<std::int64_t, 27> length_edges = {
    0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023, 1024, 1025};

/// Multiply-adds of a random case: what the emulation computes in some milliseconds.
constexpr std::int64_t largest_work = 150'000;
/// Elements of a random tensor.
constexpr std::int64_t largest_tensor = 20'000;

std::string axes(std::int64_t h, std::int64_t w) { return fmt::format("{}x{}", h, w); }

std::string describe(const Conv2dShape& s) {
  return fmt::format("N={} C={} H={} W={} K={} kernel={} stride={} padding={}", s.batch, s.channels, s.height, s.width,
                     s.filters, axes(s.kernel_h, s.kernel_w), axes(s.stride_h, s.stride_w),
                     axes(s.padding_h, s.padding_w));
}

std::string describe(const Conv2dMaxpoolSigmoidShape& s) {
  const Conv2dShape& c = s.conv2d;
  return fmt::format("N={} C={} H={} W={} K={} kernel={} pool={}", c.batch, c.channels, c.height, c.width, c.filters,
                     axes(c.kernel_h, c.kernel_w), axes(s.pool, s.pool));
}

std::string describe(const MaxpoolShape& s) {
  return fmt::format("N={} C={} H={} W={} kernel={} stride={} padding={}", s.batch, s.channels, s.height, s.width,
                     axes(s.kernel_h, s.kernel_w), axes(s.stride_h, s.stride_w), axes(s.padding_h, s.padding_w));
}

std::string describe(const DenseShape& s) {
  return fmt::format("N={} in={} out={}{}", s.batch, s.in_features, s.out_features,
                     s.transposed_weights ? " transposed" : "");
}

std::string describe(const HalfSquaredErrorShape& s) { return fmt::format("N={} elements={}", s.batch, s.elements); }

std::string describe(const SoftmaxCrossEntropyShape& s) { return fmt::format("N={} classes={}", s.batch, s.classes); }

/// The named shape number `index`, or beyond the table one that `draw` makes.
template <class Shape, std::size_t count, class Draw>
LabelledShape<Shape> named_or_random(const std::array<NamedShape<Shape>, count>& edges, std::int64_t index,
                                     const Draw& draw) {
  if (index < static_cast<std::int64_t>(count)) {
    const NamedShape<Shape>& edge = edges[static_cast<std::size_t>(index)];
    return {edge.shape, fmt::format("{}: {}", edge.name, describe(edge.shape))};
  }
  const Shape shape = draw();
  return {shape, describe(shape)};
}

/// A window of at most `largest_kernel` that fits; half of them plain, with stride 1 and no padding.
Window draw_window(CaseRandom& random, std::int64_t largest_kernel) {
  Window window;
  window.size = random.size(67);
  window.kernel = random.between(1, std::min(largest_kernel, window.size));
  if (random.one_in(2)) return window;
  window.stride = random.between(1, 4);
  window.padding = random.between(0, window.kernel / 2);
  return window;
}

Conv2dShape draw_conv2d(CaseRandom& random) {
  for (;;) {
    const std::int64_t batch = random.size(65);
    const std::int64_t channels = random.size(65);
    const std::int64_t filters = random.size(65);
    Window h = draw_window(random, 7);
    Window w = draw_window(random, 7);
    const Conv2dShape shape{batch,    channels, h.size,   w.size,    filters,  h.kernel,
                            w.kernel, h.stride, w.stride, h.padding, w.padding};
    if (h.size != w.size && shape.multiply_adds() <= largest_work && shape.input_count() <= largest_tensor &&
        shape.output_count() <= largest_tensor) {
      return shape;
    }
  }
}

/// Half of the kernels are square and of a common size.
Conv2dMaxpoolSigmoidShape draw_conv2d_maxpool_sigmoid(CaseRandom& random) {
  for (;;) {
    const std::int64_t batch = random.size(65);
    const std::int64_t channels = random.size(65);
    const std::int64_t filters = random.size(65);
    const std::int64_t height = random.size(67);
    const std::int64_t width = random.size(67);
    const std::int64_t square = random.pick<std::int64_t>({1, 3, 5, 7});
    const bool is_square = random.one_in(2);
    const std::int64_t kernel_h = is_square ? square : random.between(1, 7);
    const std::int64_t kernel_w = is_square ? square : random.between(1, 7);
    const std::int64_t pool = random.between(2, 3);
    if (height == width || height < kernel_h + pool - 1 || width < kernel_w + pool - 1) continue;
    const Conv2dMaxpoolSigmoidShape shape{{batch, channels, height, width, filters, kernel_h, kernel_w, 1, 1, 0, 0},
                                          pool};
    if (shape.conv2d.multiply_adds() <= largest_work && shape.input_count() <= largest_tensor &&
        shape.conv2d.output_count() <= largest_tensor) {
      return shape;
    }
  }
}

MaxpoolShape draw_maxpool(CaseRandom& random) {
  for (;;) {
    const std::int64_t batch = random.size(65);
    const std::int64_t channels = random.size(65);
    Window h = draw_window(random, 5);
    Window w = draw_window(random, 5);
    // Most pools have windows side by side.
    if (random.one_in(2)) h.stride = h.kernel;
    if (random.one_in(2)) w.stride = w.kernel;
    const MaxpoolShape shape{batch,    channels, h.size,   w.size,    h.kernel,
                             w.kernel, h.stride, w.stride, h.padding, w.padding};
    if (h.size != w.size && shape.input_count() <= largest_tensor) return shape;
  }
}

DenseShape draw_dense(CaseRandom& random) {
  for (;;) {
    const std::int64_t batch = random.size(65);
    const std::int64_t in_features = random.one_in(3) ? random.between(1, 600) : random.size(65);
    const std::int64_t out_features = random.one_in(3) ? random.between(1, 130) : random.size(65);
    const DenseShape shape{batch, in_features, out_features, random.one_in(3)};
    if (shape.multiply_adds() <= largest_work) return shape;
  }
}

HalfSquaredErrorShape draw_half_squared_error(CaseRandom& random) {
  const std::int64_t batch = random.size(65);
  const std::int64_t elements = random.one_in(3) ? random.between(1, 1000) : random.size(65);
  return {batch, elements};
}

SoftmaxCrossEntropyShape draw_softmax(CaseRandom& random) {
  const std::int64_t batch = random.size(65);
  const std::int64_t classes = random.one_in(3) ? random.between(1, 256) : random.size(65);
  return {batch, classes};
}

}  // namespace

LabelledShape<Conv2dShape> conv2d_shape(std::int64_t index, CaseRandom& random) {
  return named_or_random(conv2d_edges, index, [&] { return draw_conv2d(random); });
}

LabelledShape<Conv2dMaxpoolSigmoidShape> conv2d_maxpool_sigmoid_shape(std::int64_t index, CaseRandom& random) {
  return named_or_random(conv2d_maxpool_sigmoid_edges, index, [&] { return draw_conv2d_maxpool_sigmoid(random); });
}

LabelledShape<MaxpoolShape> maxpool_shape(std::int64_t index, CaseRandom& random) {
  return named_or_random(maxpool_edges, index, [&] { return draw_maxpool(random); });
}

LabelledShape<DenseShape> dense_shape(std::int64_t index, CaseRandom& random) {
  return named_or_random(dense_edges, index, [&] { return draw_dense(random); });
}

LabelledShape<SoftmaxCrossEntropyShape> softmax_shape(std::int64_t index, CaseRandom& random) {
  return named_or_random(softmax_edges, index, [&] { return draw_softmax(random); });
}

LabelledShape<HalfSquaredErrorShape> half_squared_error_shape(std::int64_t index, CaseRandom& random) {
  return named_or_random(half_squared_error_edges, index, [&] { return draw_half_squared_error(random); });
}

LabelledShape<std::int64_t> length(std::int64_t index, CaseRandom& random) {
  const std::int64_t count = index < static_cast<std::int64_t>(length_edges.size())
                                 ? length_edges[static_cast<std::size_t>(index)]
                                 : random.between(1, random.one_in(4) ? 5000 : 300);
  return {count, fmt::format("count={}", count)};
}

}  // namespace touchstone::check
