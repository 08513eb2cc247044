// SPDX-License-Identifier: Apache-2.0
#include "host/check/winograd_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/check/rounded.h"
#include "host/cpu/winograd.h"
#include "touchstone/conv2d.h"

namespace touchstone::check {
namespace {

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

/// The largest magnitude that each element may have.
std::vector<double> magnitudes(const RoundedTensor& tensor) {
  std::vector<double> result(tensor.size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = std::abs(tensor.values[i]) + tensor.errors[i];
  return result;
}

/// sum over columns of |matrix[row][column]| * values(column).
template <std::size_t rows, std::size_t columns, class Values>
double transformed(const std::array<std::array<float, columns>, rows>& matrix, std::size_t row, const Values& values) {
  double sum = 0;
  for (std::size_t column = 0; column < columns; ++column) {
    sum += std::abs(double{matrix[row][column]}) * values(column);
  }
  return sum;
}

/// What the magnitudes of the terms of the sums add up to; of the rows that no window reads, nothing.
template <class Winograd>
class TermMagnitudes {
 public:
  TermMagnitudes(const Conv2dMaxpoolSigmoidShape& shape, const RoundedTensor& input, const RoundedTensor& filters)
      : shape_(shape.conv2d), rows_(2 * shape.out_h()), input_(magnitudes(input)), filters_(magnitudes(filters)) {}

  [[nodiscard]] std::vector<double> sums() const {
    std::vector<double> result(to_size(shape_.output_count()));
    constexpr auto outputs = static_cast<std::int64_t>(Winograd::outputs);
    for (std::int64_t plane = 0; plane < shape_.batch * shape_.filters; ++plane) {
      for (std::int64_t x = 0; x < shape_.out_w(); ++x) {
        for (std::int64_t first = 0; first < rows_; first += outputs) {
          std::array<double, Winograd::points> products{};
          for (std::size_t point = 0; point < products.size(); ++point) {
            products[point] = product(point, plane / shape_.filters, plane % shape_.filters, first, x);
          }
          for (std::int64_t y = first; y < std::min(first + outputs, rows_); ++y) {
            result[to_size((plane * shape_.out_h() + y) * shape_.out_w() + x)] =
                transformed(Winograd::output, to_size(y - first), [&](std::size_t i) { return products[i]; });
          }
        }
      }
    }
    return result;
  }

 private:
  /// Rows below the image, which no sum needs but its neighbours' points have, may repeat the image's last.
  [[nodiscard]] double product(std::size_t point, std::int64_t n, std::int64_t k, std::int64_t y,
                               std::int64_t x) const {
    double sum = 0;
    for (std::int64_t c = 0; c < shape_.channels; ++c) {
      const double* pixels = input_.data() + (n * shape_.channels + c) * shape_.height * shape_.width + x;
      const double* taps = filters_.data() + (k * shape_.channels + c) * shape_.taps();
      for (std::int64_t q = 0; q < shape_.kernel_w; ++q) {
        const auto pixel = [&](std::size_t i) {
          return pixels[std::min(y + static_cast<std::int64_t>(i), shape_.height - 1) * shape_.width + q];
        };
        const auto tap = [&](std::size_t i) { return taps[static_cast<std::int64_t>(i) * shape_.kernel_w + q]; };
        sum += transformed(Winograd::input, point, pixel) * transformed(Winograd::filter, point, tap);
      }
    }
    return sum;
  }

  Conv2dShape shape_;
  std::int64_t rows_;  // of sums that windows read
  std::vector<double> input_;
  std::vector<double> filters_;
};

template <class Winograd>
void add_roundings(const Conv2dMaxpoolSigmoidShape& shape, const RoundedTensor& input, const RoundedTensor& filters,
                   const RoundedTensor& bias, std::vector<double>& errors) {
  const Conv2dShape& conv2d = shape.conv2d;
  const double share = gamma(conv2d.channels * conv2d.kernel_w + 3 * static_cast<std::int64_t>(Winograd::points) + 1);
  const std::vector<double> sums = TermMagnitudes<Winograd>(shape, input, filters).sums();
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const std::size_t filter = i / to_size(conv2d.out_positions()) % to_size(conv2d.filters);
    errors[i] += share * (sums[i] + std::abs(bias.values[filter]));
  }
}

}  // namespace

RoundedTensor winograd_sums(const Conv2dMaxpoolSigmoidShape& shape, const RoundedTensor& input,
                            const RoundedTensor& filters, const RoundedTensor& bias) {
  const Conv2dShape& conv2d = shape.conv2d;
  RoundedTensor result(to_size(conv2d.output_count()));
  reference::conv2d_forward(conv2d, input.values.data(), filters.values.data(), bias.values.data(),
                            result.values.data());
  const auto convolve = [&conv2d, &result](const std::vector<double>& x, const std::vector<double>& w) {
    std::vector<double> sums(result.size());
    reference::conv2d_forward(conv2d, x.data(), w.data(), nullptr, sums.data());
    return sums;
  };
  const std::vector<double> largest = convolve(magnitudes(input), magnitudes(filters));
  const std::vector<double> plain =
      convolve(magnitudes(RoundedTensor::exact(input.values)), magnitudes(RoundedTensor::exact(filters.values)));
  for (std::size_t i = 0; i < result.size(); ++i) result.errors[i] = largest[i] - plain[i];
  if (conv2d.kernel_h == 3) {
    add_roundings<cpu::Winograd<3>>(shape, input, filters, bias, result.errors);
  } else {
    add_roundings<cpu::Winograd<5>>(shape, input, filters, bias, result.errors);
  }
  return result;
}

}  // namespace touchstone::check
