// SPDX-License-Identifier: Apache-2.0
#include "host/data/plane.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace touchstone {
namespace {

// How a target pixel is made along one axis: source pixels first, first + 1, ... times the weights, which add up to 1.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

// Target pixel i covers the source from i * scale to (i + 1) * scale; a source pixel counts by how much is covered.
Taps area_taps(std::int64_t target, double scale, std::int64_t source_size) {
  const double begin = static_cast<double>(target) * scale;
  const double end = begin + scale;
  Taps taps;
  taps.first = static_cast<std::int64_t>(begin);
  for (std::int64_t i = taps.first; i < source_size && static_cast<double>(i) < end; ++i) {
    const double covered = std::min(end, static_cast<double>(i + 1)) - std::max(begin, static_cast<double>(i));
    taps.weights.push_back(static_cast<float>(covered / scale));
  }
  return taps;
}

// The target pixel's centre lies between two source centres, or beyond the outermost.
Taps bilinear_taps(std::int64_t target, double scale, std::int64_t source_size) {
  const double last = static_cast<double>(source_size - 1);
  const double centre = std::clamp((static_cast<double>(target) + 0.5) * scale - 0.5, 0.0, last);
  Taps taps;
  taps.first = std::min(static_cast<std::int64_t>(centre), std::max<std::int64_t>(source_size - 2, 0));
  const auto fraction = static_cast<float>(centre - static_cast<double>(taps.first));
  taps.weights = {1.0F - fraction, fraction};
  if (source_size == 1) taps.weights = {1.0F};
  return taps;
}

std::vector<Taps> make_taps(std::int64_t source_size, std::int64_t target_size) {
  const double scale = static_cast<double>(source_size) / static_cast<double>(target_size);
  std::vector<Taps> taps;
  taps.reserve(static_cast<std::size_t>(target_size));
  for (std::int64_t target = 0; target < target_size; ++target)
    taps.push_back(scale >= 1 ? area_taps(target, scale, source_size) : bilinear_taps(target, scale, source_size));
  return taps;
}

Plane resize_rows(const Plane& plane, std::int64_t height) {
  const std::vector<Taps> taps = make_taps(plane.height, height);
  Plane result(plane.width, height);
  for (std::int64_t row = 0; row < height; ++row) {
    std::int64_t source = taps[static_cast<std::size_t>(row)].first;
    for (const float weight : taps[static_cast<std::size_t>(row)].weights) {
      for (std::int64_t column = 0; column < plane.width; ++column)
        result.at(row, column) += weight * plane.at(source, column);
      ++source;
    }
  }
  return result;
}

Plane resize_columns(const Plane& plane, std::int64_t width) {
  const std::vector<Taps> taps = make_taps(plane.width, width);
  Plane result(width, plane.height);
  for (std::int64_t row = 0; row < plane.height; ++row)
    for (std::int64_t column = 0; column < width; ++column) {
      std::int64_t source = taps[static_cast<std::size_t>(column)].first;
      for (const float weight : taps[static_cast<std::size_t>(column)].weights)
        result.at(row, column) += weight * plane.at(row, source++);
    }
  return result;
}

}  // namespace

Plane crop(const Plane& plane, const Box& box) {
  Plane result(box.width(), box.height());
  for (std::int64_t row = 0; row < result.height; ++row)
    for (std::int64_t column = 0; column < result.width; ++column)
      result.at(row, column) = plane.at(box.top + row, box.left + column);
  return result;
}

Plane resize(const Plane& plane, std::int64_t width, std::int64_t height) {
  return resize_columns(resize_rows(plane, height), width);
}

void paste(const Plane& plane, Plane& canvas, std::int64_t top, std::int64_t left) {
  for (std::int64_t row = 0; row < plane.height; ++row)
    for (std::int64_t column = 0; column < plane.width; ++column)
      canvas.at(top + row, left + column) = plane.at(row, column);
}

}  // namespace touchstone
