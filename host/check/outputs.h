// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "host/check/guarded_array.h"

namespace touchstone::check {

using Dimensions = std::vector<std::int64_t>;

/// The number of elements of a tensor; 1 where it has no dimensions.
std::int64_t element_count(const Dimensions& dimensions);

/// One tensor that an operation wrote.
struct Output {
  using Elements = std::variant<GuardedArray<float>, GuardedArray<double>, GuardedArray<std::uint8_t>,
                                GuardedArray<std::int32_t>, GuardedArray<std::uint32_t>, GuardedArray<std::int64_t>>;

  std::string name;
  Dimensions dimensions;
  Elements elements;
  bool in_place = false;  ///< it held values before, so that no element can be told to be unwritten
};

/// What one call of an operation wrote, in the order of its arguments.
class Outputs {
 public:
  /// Where an operation is to write a tensor: poisoned, see GuardedArray.
  template <class T>
  T* add(std::string name, Dimensions dimensions) {
    GuardedArray<T> elements(element_count(dimensions));
    return keep<T>({std::move(name), std::move(dimensions), std::move(elements)});
  }

  /// A tensor that an operation is to change in place, with what it holds before.
  template <class T>
  T* add_in_place(std::string name, const GuardedArray<T>& values) {
    return keep<T>({std::move(name), {values.size()}, values, true});
  }

  [[nodiscard]] const std::vector<Output>& all() const { return outputs_; }
  [[nodiscard]] const Output& operator[](std::size_t index) const { return outputs_[index]; }

 private:
  template <class T>
  T* keep(Output output) {
    outputs_.push_back(std::move(output));  // moving an array leaves its elements where they are
    return std::get<GuardedArray<T>>(outputs_.back().elements).data();
  }

  std::vector<Output> outputs_;
};

/// The name of the first output that was written beside; empty where there is none.
std::string written_beside(const Outputs& outputs);

/// The name of the first output whose bits differ between two calls; empty where there is none.
std::string first_difference(const Outputs& left, const Outputs& right);

}  // namespace touchstone::check
