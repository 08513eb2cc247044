// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/executor.h"
#include "touchstone/plan.h"
#include "touchstone/random.h"

/// What tests give an executor on a device, and how they compare what it gives back. `stream`: of random numbers, one a
/// test file.
namespace touchstone::test {

/// Random pixels, the classes in turn as labels.
inline SharedImageSet random_images(const ImageShape& shape, std::int64_t classes, std::int64_t count,
                                    std::uint32_t stream) {
  ImageSet images{.count = count, .shape = shape, .pixels = {}, .labels = {}};
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * shape.count()));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(random_word(1, RandomPurpose::check, stream, i));
  }
  images.pixels = pixels;
  for (std::int64_t i = 0; i < count; ++i) {
    images.labels.push_back(static_cast<std::uint8_t>(i % classes));
  }
  return std::make_shared<const ImageSet>(std::move(images));
}

/// Weights and biases; zeros in the gaps, as everywhere.
inline ExecutorState random_state(const ExecutorSettings& settings, std::uint32_t stream) {
  ExecutorState state;
  const auto count = static_cast<std::size_t>(settings.plan.parameter_floats);
  state.parameters.assign(count, 0.0);
  state.optimizer_slots.assign(static_cast<std::size_t>(settings.optimizer.slots()), std::vector<double>(count));
  const auto fill = [&](std::int64_t begin, std::int64_t length) {
    for (std::int64_t i = begin; i < begin + length; ++i) {
      const float value = uniform_float(random_word(2, RandomPurpose::check, stream, static_cast<std::uint64_t>(i)));
      state.parameters[static_cast<std::size_t>(i)] = 0.5 * value - 0.25;
    }
  };
  for (const Operation& operation : settings.plan.operations) {
    fill(operation.parameters.weights, operation.parameters.weights_count);
    fill(operation.parameters.bias, operation.parameters.bias_count);
  }
  return state;
}

/// The samples from the last to the first.
inline std::vector<std::uint32_t> sample_order(std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::reverse(order.begin(), order.end());
  return order;
}

inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

inline double largest(const std::vector<double>& values) {
  return largest_difference(values, std::vector<double>(values.size()));
}

}  // namespace touchstone::test
