// SPDX-License-Identifier: Apache-2.0
#include "host/check/bounded_gradients.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <variant>

#include "host/check/rounded.h"
#include "host/check/rounded_half_squared_error.h"
#include "host/check/rounded_softmax.h"
#include "host/check/rounded_tensor.h"
#include "host/check/winograd_sums.h"
#include "host/reference/executor_support.h"
#include "touchstone/conv2d.h"
#include "touchstone/dense.h"

namespace touchstone::check {
namespace {

const RoundedTensor nothing;

/// Of a number that is kept as two TF32 numbers, in units of it.
constexpr double split_error = 0x1p-22;

RoundedTensor slice(const std::vector<double>& values, std::int64_t begin, std::int64_t count) {
  return RoundedTensor::exact({values.begin() + begin, values.begin() + begin + count});
}

/// The most terms that are not exactly 0 among the `positions` of a filter, over all filters: where the gradient is 0
/// without error, as it is beside the chosen elements of a max-pool, products and sums lose nothing.
std::int64_t most_terms(const Conv2dShape& shape, const RoundedTensor& gradient) {
  std::vector<std::int64_t> terms(static_cast<std::size_t>(shape.filters));
  for (std::int64_t i = 0; i < shape.output_count(); ++i) {
    const Rounded g = gradient[static_cast<std::size_t>(i)];
    const auto filter = static_cast<std::size_t>(i / shape.out_positions() % shape.filters);
    if (g.value != 0 || g.error != 0) ++terms[filter];
  }
  return *std::max_element(terms.begin(), terms.end());
}

/// The operations of a plan on one mini-batch. Keeps what the backward pass needs of the forward pass.
class BoundedPass {
 public:
  BoundedPass(const ExecutionPlan& plan, const std::vector<double>& parameters, const SumMethods& methods,
              std::int64_t batch)
      : plan_(plan), parameters_(parameters), methods_(methods), batch_(batch), pooled_(plan.operations.size()) {}

  const RoundedTensor& forward(RoundedTensor images) {
    activations_.push_back(std::move(images));
    for (std::size_t o = 0; o < plan_.operations.size(); ++o) {
      activations_.push_back(std::visit([&](const auto& shape) { return forward(o, with_batch(shape, batch_)); },
                                        plan_.operations[o].shape));
    }
    return activations_.back();
  }

  BoundedGradients backward(RoundedTensor gradient) {
    const auto count = static_cast<std::size_t>(plan_.parameter_floats);
    BoundedGradients result{std::vector<double>(count), std::vector<double>(count)};
    for (std::size_t o = plan_.operations.size(); o-- > 0;) {
      gradient = std::visit([&](const auto& shape) { return backward(o, with_batch(shape, batch_), gradient, result); },
                            plan_.operations[o].shape);
    }
    const std::vector<std::int64_t> close = close_windows();
    result.close_windows = std::accumulate(close.begin(), close.end(), std::int64_t{0});
    return result;
  }

  /// [sample], in all max-pools.
  [[nodiscard]] std::vector<std::int64_t> close_windows() const {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(batch_));
    for (const PooledTensor& pooled : pooled_) {
      const std::size_t windows_per_sample = pooled.close.size() / counts.size();
      for (std::size_t window = 0; window < pooled.close.size(); ++window) {
        if (!pooled.close[window].empty()) ++counts[window / windows_per_sample];
      }
    }
    return counts;
  }

 private:
  [[nodiscard]] SumMethod method(std::size_t o) const { return o < methods_.size() ? methods_[o] : SumMethod::plain; }

  /// The roundings that bound a convolution's sum of so many terms.
  [[nodiscard]] std::int64_t roundings(std::size_t o, std::int64_t terms) const {
    return method(o) == SumMethod::tensor_cores ? 2 * terms + 16 : terms;
  }

  [[nodiscard]] RoundedTensor weights(std::size_t o, std::int64_t count) const {
    return slice(parameters_, plan_.operations[o].parameters.weights, count);
  }

  /// How many dense operations have the weights of this one.
  [[nodiscard]] std::int64_t uses_of_weights(std::size_t o) const {
    const std::int64_t weights = plan_.operations[o].parameters.weights;
    return std::count_if(plan_.operations.begin(), plan_.operations.end(), [weights](const Operation& operation) {
      return std::holds_alternative<DenseShape>(operation.shape) && operation.parameters.weights == weights;
    });
  }

  [[nodiscard]] RoundedTensor bias(std::size_t o) const {
    const ParameterSlot& slot = plan_.operations[o].parameters;
    return slice(parameters_, slot.bias, slot.bias_count);
  }

  RoundedTensor forward(std::size_t o, const Conv2dShape& shape) {
    if (method(o) == SumMethod::winograd) {
      return winograd_sums({.conv2d = shape, .pool = 2}, activations_[o], weights(o, shape.filters_count()), bias(o));
    }
    return sum_of_products(shape.output_count(), roundings(o, shape.channels * shape.taps() + 1), activations_[o],
                           weights(o, shape.filters_count()), bias(o),
                           [&shape](const double* x, const double* w, const double* b, double* y) {
                             reference::conv2d_forward(shape, x, w, b, y);
                           });
  }

  RoundedTensor forward(std::size_t o, const DenseShape& shape) {
    return sum_of_products(shape.output_count(), shape.in_features + 1, activations_[o],
                           weights(o, shape.weights_count()), bias(o),
                           [&shape](const double* x, const double* w, const double* b, double* y) {
                             reference::dense_forward(shape, x, w, b, y);
                           });
  }

  RoundedTensor forward(std::size_t o, const MaxpoolShape& shape) {
    pooled_[o] = maxpool_forward(shape, activations_[o]);
    return pooled_[o].output;
  }

  RoundedTensor forward(std::size_t o, const SigmoidShape& /*shape*/) {
    RoundedTensor output(activations_[o].size());
    const bool is_split = std::find(methods_.begin(), methods_.end(), SumMethod::tensor_cores) != methods_.end();
    for (std::size_t i = 0; i < output.size(); ++i) {
      output.set(i, sigmoid(activations_[o][i]));
      if (is_split) output.errors[i] += split_error * std::abs(output.values[i]);
    }
    return output;
  }

  RoundedTensor backward(std::size_t o, const Conv2dShape& shape, const RoundedTensor& gradient,
                         BoundedGradients& result) {
    const std::int64_t terms = roundings(o, most_terms(shape, gradient));
    const ParameterSlot& slot = plan_.operations[o].parameters;
    put(result, slot.weights,
        sum_of_products(shape.filters_count(), terms, gradient, activations_[o], nothing,
                        [&shape](const double* g, const double* x, const double*, double* out) {
                          reference::conv2d_backward_filters(shape, g, x, out);
                        }));
    put(result, slot.bias,
        sum_of_products(shape.filters, terms, gradient, nothing, nothing,
                        [&shape](const double* g, const double*, const double*, double* out) {
                          reference::conv2d_backward_bias(shape, g, out);
                        }));
    if (o == 0) return {};
    return sum_of_products(shape.input_count(), roundings(o, shape.filters * shape.taps()), gradient,
                           weights(o, shape.filters_count()), nothing,
                           [&shape](const double* g, const double* w, const double*, double* out) {
                             reference::conv2d_backward_data(shape, g, w, out);
                           });
  }

  RoundedTensor backward(std::size_t o, const DenseShape& shape, const RoundedTensor& gradient,
                         BoundedGradients& result) {
    const ParameterSlot& slot = plan_.operations[o].parameters;
    // Each use of shared weights adds its terms to one sum, in any order.
    add(result, slot.weights,
        sum_of_products(shape.weights_count(), uses_of_weights(o) * shape.batch, gradient, activations_[o], nothing,
                        [&shape](const double* g, const double* x, const double*, double* out) {
                          reference::dense_backward_weights(shape, g, x, out);
                        }));
    put(result, slot.bias,
        sum_of_products(shape.out_features, shape.batch, gradient, nothing, nothing,
                        [&shape](const double* g, const double*, const double*, double* out) {
                          reference::dense_backward_bias(shape, g, out);
                        }));
    if (o == 0) return {};
    return sum_of_products(shape.input_count(), shape.out_features, gradient, weights(o, shape.weights_count()),
                           nothing, [&shape](const double* g, const double* w, const double*, double* out) {
                             reference::dense_backward_data(shape, g, w, out);
                           });
  }

  RoundedTensor backward(std::size_t o, const MaxpoolShape& shape, const RoundedTensor& gradient,
                         BoundedGradients& /*result*/) {
    return maxpool_backward(shape, gradient, pooled_[o]);
  }

  RoundedTensor backward(std::size_t o, const SigmoidShape& /*shape*/, const RoundedTensor& gradient,
                         BoundedGradients& /*result*/) {
    RoundedTensor grad_input(gradient.size());
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const Rounded s = activations_[o + 1][i];
      grad_input.set(i, gradient[i] * s * (Rounded::exact(1) - s));
    }
    return grad_input;
  }

  static void add(BoundedGradients& result, std::int64_t begin, const RoundedTensor& gradient) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const std::size_t place = static_cast<std::size_t>(begin) + i;
      result.values[place] += gradient.values[i];
      result.bounds[place] += gradient.errors[i];
    }
  }

  static void put(BoundedGradients& result, std::int64_t begin, const RoundedTensor& gradient) {
    std::copy(gradient.values.begin(), gradient.values.end(), result.values.begin() + begin);
    std::copy(gradient.errors.begin(), gradient.errors.end(), result.bounds.begin() + begin);
  }

  const ExecutionPlan& plan_;
  const std::vector<double>& parameters_;
  const SumMethods& methods_;
  std::int64_t batch_;
  std::vector<RoundedTensor> activations_;  // [operation]: its input; the last: the logits
  std::vector<PooledTensor> pooled_;        // [operation]: empty but for max-pools
};

/// Row `n` of a matrix.
std::vector<Rounded> row_of(const RoundedTensor& matrix, std::size_t n, std::size_t columns) {
  std::vector<Rounded> row;
  for (std::size_t i = 0; i < columns; ++i) row.push_back(matrix[n * columns + i]);
  return row;
}

/// The gradient of the mean loss by the logits, or by the reconstructions of `images`.
RoundedTensor loss_gradient(Loss loss, const RoundedTensor& logits, const RoundedTensor& images,
                            std::span<const std::uint8_t> labels) {
  const std::size_t columns = logits.size() / labels.size();
  const Rounded scale = Rounded::constant(1 / static_cast<double>(labels.size()));
  RoundedTensor gradient(logits.size());
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const std::vector<Rounded> row = row_of(logits, n, columns);
    const std::vector<Rounded> row_gradient =
        loss == Loss::half_squared_error ? half_squared_error(row, row_of(images, n, columns), scale).grad_outputs
                                         : softmax_cross_entropy(row, labels[n], scale).grad_logits;
    for (std::size_t i = 0; i < columns; ++i) gradient.set(n * columns + i, row_gradient[i]);
  }
  return gradient;
}

}  // namespace

BoundedGradients bounded_gradients(const ExecutionPlan& plan, const std::vector<double>& parameters,
                                   std::vector<double> images, std::span<const std::uint8_t> labels,
                                   const SumMethods& methods) {
  BoundedPass pass(plan, parameters, methods, static_cast<std::int64_t>(labels.size()));
  const RoundedTensor inputs = RoundedTensor::exact(std::move(images));
  const RoundedTensor& logits = pass.forward(inputs);
  return pass.backward(loss_gradient(plan.loss, logits, inputs, labels));
}

std::vector<std::int64_t> close_windows(const ExecutionPlan& plan, const std::vector<double>& parameters,
                                        std::vector<double> images, std::int64_t batch, const SumMethods& methods) {
  BoundedPass pass(plan, parameters, methods, batch);
  pass.forward(RoundedTensor::exact(std::move(images)));
  return pass.close_windows();
}

}  // namespace touchstone::check
