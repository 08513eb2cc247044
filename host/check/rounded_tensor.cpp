// SPDX-License-Identifier: Apache-2.0
#include "host/check/rounded_tensor.h"

#include <algorithm>
#include <cmath>

namespace touchstone::check {
namespace {

std::vector<double> magnitudes(const RoundedTensor& tensor) {
  std::vector<double> result(tensor.size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = std::abs(tensor.values[i]);
  return result;
}

/// The largest magnitudes that the elements may have.
std::vector<double> reach(const RoundedTensor& tensor) {
  std::vector<double> result = magnitudes(tensor);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] += tensor.errors[i];
  return result;
}

/// Visits the positions y*W + x of window (i, j) that lie inside the image, in scan order.
template <class Visitor>
void for_each_in_window(const MaxpoolShape& s, std::int64_t i, std::int64_t j, const Visitor& visit) {
  const std::int64_t top = i * s.stride_h - s.padding_h;
  const std::int64_t left = j * s.stride_w - s.padding_w;
  for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + s.kernel_h, s.height); ++y) {
    for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + s.kernel_w, s.width); ++x) {
      visit(y * s.width + x);
    }
  }
}

/// One window of the forward pass: the bound of its maximum, and what is close to it.
void pool_window(const MaxpoolShape& shape, const RoundedTensor& input, std::int64_t window, PooledTensor& pooled) {
  const std::int64_t in_plane = window % shape.out_positions();
  const std::int64_t plane = window / shape.out_positions() * shape.height * shape.width;
  const auto output = static_cast<std::size_t>(window);
  const double largest = pooled.output.values[output];
  const auto chosen = static_cast<std::size_t>(plane + pooled.argmax[output]);
  double upper = largest;
  double lower = largest - input.errors[chosen];
  std::vector<std::int32_t> close = {pooled.argmax[output]};
  for_each_in_window(shape, in_plane / shape.out_w(), in_plane % shape.out_w(), [&](std::int64_t position) {
    const Rounded candidate = input[static_cast<std::size_t>(plane + position)];
    upper = std::max(upper, candidate.value + candidate.error);
    lower = std::max(lower, candidate.value - candidate.error);
    const double distance = largest - candidate.value;
    if (distance > 0 && distance <= candidate.error + input.errors[chosen]) {
      close.push_back(static_cast<std::int32_t>(position));
    }
  });
  pooled.output.errors[output] = std::max(upper - largest, largest - lower);
  if (close.size() > 1) pooled.close[output] = std::move(close);
}

}  // namespace

RoundedTensor RoundedTensor::exact(std::vector<double> values) {
  RoundedTensor tensor;
  tensor.errors.resize(values.size());
  tensor.values = std::move(values);
  return tensor;
}

RoundedTensor sum_of_products(std::int64_t count, std::int64_t terms, const RoundedTensor& left,
                              const RoundedTensor& right, const RoundedTensor& addend, const ProductSum& reference) {
  RoundedTensor result(static_cast<std::size_t>(count));
  reference(left.values.data(), right.values.data(), addend.values.data(), result.values.data());
  std::vector<double> magnitude(result.size());
  reference(magnitudes(left).data(), magnitudes(right).data(), magnitudes(addend).data(), magnitude.data());
  std::vector<double> largest(result.size());
  reference(reach(left).data(), reach(right).data(), reach(addend).data(), largest.data());
  const double share = gamma(terms + 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result.errors[i] = std::max(0.0, largest[i] - magnitude[i]) + share * largest[i];
  }
  return result;
}

PooledTensor maxpool_forward(const MaxpoolShape& shape, const RoundedTensor& input) {
  const auto count = static_cast<std::size_t>(shape.output_count());
  PooledTensor pooled{RoundedTensor(count), std::vector<std::int32_t>(count),
                      std::vector<std::vector<std::int32_t>>(count)};
  reference::maxpool_forward(shape, input.values.data(), pooled.output.values.data(), pooled.argmax.data());
  for (std::int64_t window = 0; window < shape.output_count(); ++window) pool_window(shape, input, window, pooled);
  return pooled;
}

RoundedTensor maxpool_backward(const MaxpoolShape& shape, const RoundedTensor& grad_output,
                               const PooledTensor& pooled) {
  RoundedTensor grad_input(static_cast<std::size_t>(shape.input_count()));
  reference::maxpool_backward(shape, grad_output.values.data(), pooled.argmax.data(), grad_input.values.data());
  std::vector<double> largest(grad_input.size());
  reference::maxpool_backward(shape, reach(grad_output).data(), pooled.argmax.data(), largest.data());
  reference::maxpool_backward(shape, grad_output.errors.data(), pooled.argmax.data(), grad_input.errors.data());
  const double share = gamma(shape.kernel_h * shape.kernel_w);
  for (std::size_t i = 0; i < grad_input.size(); ++i) grad_input.errors[i] += share * largest[i];

  for (std::size_t window = 0; window < pooled.close.size(); ++window) {
    const std::size_t plane =
        window / static_cast<std::size_t>(shape.out_positions()) * static_cast<std::size_t>(shape.height * shape.width);
    const Rounded gradient = grad_output[window];
    for (const std::int32_t position : pooled.close[window]) {
      grad_input.errors[plane + static_cast<std::size_t>(position)] +=
          (1 + share) * (std::abs(gradient.value) + gradient.error);
    }
  }
  return grad_input;
}

}  // namespace touchstone::check
