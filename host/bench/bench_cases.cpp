// SPDX-License-Identifier: Apache-2.0
#include "host/bench/bench_cases.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/bench/bench_inputs.h"
#include "host/model/spelling.h"
#include "host/reference/executor_support.h"
#include "host/reference/fused_plan.h"
#include "touchstone/error.h"
#include "touchstone/network.h"
#include "touchstone/plan.h"

namespace touchstone::bench {
namespace {

using Floats = std::vector<float>;

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

template <class Number>
Floats as_floats(const std::vector<Number>& numbers) {
  return {numbers.begin(), numbers.end()};
}

/// Both, one after the other.
Floats joined(Floats first, const Floats& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::string text(const Conv2dShape& s) {
  std::string words = fmt::format("N={} C={} {}x{} K={} {}x{}", s.batch, s.channels, s.height, s.width, s.filters,
                                  s.kernel_h, s.kernel_w);
  if (s.stride_h != 1 || s.stride_w != 1) words += fmt::format(" stride {}x{}", s.stride_h, s.stride_w);
  if (s.padding_h != 0 || s.padding_w != 0) words += fmt::format(" padding {}x{}", s.padding_h, s.padding_w);
  return words;
}

std::string text(const MaxpoolShape& s) {
  return fmt::format("N={} C={} {}x{} window {}x{}", s.batch, s.channels, s.height, s.width, s.kernel_h, s.kernel_w);
}

std::string text(const DenseShape& s) { return fmt::format("N={} {} to {}", s.batch, s.in_features, s.out_features); }

std::string text(const SigmoidShape& s) { return fmt::format("{} values", s.count); }

std::string text(const HalfSquaredErrorShape& s) { return fmt::format("N={} {} elements", s.batch, s.elements); }
std::string text(const SoftmaxCrossEntropyShape& s) { return fmt::format("N={} {} classes", s.batch, s.classes); }

std::string text(const GaussianShape& s) { return fmt::format("{} Gaussians K={}", s.gaussians, s.dimensions); }

std::string text(const Conv2dMaxpoolSigmoidShape& s) { return fmt::format("{} pool {}", text(s.conv2d), s.pool); }

std::vector<double> as_doubles(const Floats& numbers) { return {numbers.begin(), numbers.end()}; }

/// Symmetric matrices with numbers in [-1, 1), and a diagonal that makes them positive definite.
std::vector<double> covariances(const GaussianShape& s, BenchInputs& inputs) {
  std::vector<double> matrices = as_doubles(inputs.reals(s.matrices_count()));
  const auto k = to_size(s.dimensions);
  for (double* matrix = matrices.data(); matrix != matrices.data() + matrices.size(); matrix += k * k) {
    for (std::size_t r = 0; r < k; ++r) {
      for (std::size_t c = 0; c < r; ++c) matrix[c * k + r] = matrix[r * k + c];
      matrix[r * k + r] = static_cast<double>(s.dimensions);
    }
  }
  return matrices;
}

/// Their factors, by the reference, so that each device has the same.
std::vector<double> factors(const GaussianShape& s, BenchInputs& inputs) {
  const std::vector<double> matrices = covariances(s, inputs);
  std::vector<double> factor(matrices.size());
  std::vector<std::int32_t> failures(to_size(s.gaussians));
  reference::gaussian_cholesky(s, matrices.data(), factor.data(), failures.data());
  return factor;
}

/// Collects the cases of a set.
class CaseList {
 public:
  CaseList(std::string set, std::uint64_t seed) : set_(std::move(set)), seed_(seed) {}

  [[nodiscard]] std::vector<BenchCase> take() { return std::move(cases_); }

  /// The operations that are added from now on are parts of this block; empty: of none.
  void begin_block(std::string block) { block_ = std::move(block); }

  /// `with_data`: false for a first layer, whose input needs no gradient.
  void add(const Conv2dShape& s, bool with_data) {
    add(s, cost::forward(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats output(to_size(s.output_count()));
      device.conv2d_forward(s, inputs.reals(s.input_count()).data(), inputs.reals(s.filters_count()).data(),
                            inputs.reals(s.filters).data(), output.data());
      return output;
    });
    if (with_data) {
      add(s, cost::backward_data(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
        Floats gradient(to_size(s.input_count()));
        device.conv2d_backward_data(s, inputs.reals(s.output_count()).data(), inputs.reals(s.filters_count()).data(),
                                    gradient.data());
        return gradient;
      });
    }
    add(s, cost::backward_weights(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.filters_count()));
      device.conv2d_backward_filters(s, inputs.reals(s.output_count()).data(), inputs.reals(s.input_count()).data(),
                                     gradient.data());
      return gradient;
    });
    add(s, cost::backward_bias(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.filters));
      device.conv2d_backward_bias(s, inputs.reals(s.output_count()).data(), gradient.data());
      return gradient;
    });
  }

  void add(const MaxpoolShape& s) {
    add(s, cost::forward(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats output(to_size(s.output_count()));
      std::vector<std::int32_t> argmax(output.size());
      device.maxpool_forward(s, inputs.reals(s.input_count()).data(), output.data(), argmax.data());
      return joined(std::move(output), as_floats(argmax));
    });
    add(s, cost::backward_data(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      // Positions that a forward pass can give: the reference's, so that each device has the same.
      const Floats input = inputs.reals(s.input_count());
      const std::vector<double> wide(input.begin(), input.end());
      std::vector<double> pooled(to_size(s.output_count()));
      std::vector<std::int32_t> argmax(pooled.size());
      reference::maxpool_forward(s, wide.data(), pooled.data(), argmax.data());
      Floats gradient(input.size());
      device.maxpool_backward(s, inputs.reals(s.output_count()).data(), argmax.data(), gradient.data());
      return gradient;
    });
  }

  void add(const SigmoidShape& s) {
    add(s, cost::forward(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats output(to_size(s.count));
      device.sigmoid_forward(s.count, inputs.reals(s.count).data(), output.data());
      return output;
    });
    add(s, cost::backward_data(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.count));
      device.sigmoid_backward(s.count, inputs.reals(s.count).data(), inputs.fractions(s.count).data(), gradient.data());
      return gradient;
    });
  }

  void add(const DenseShape& s) {
    add(s, cost::forward(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats output(to_size(s.output_count()));
      device.dense_forward(s, inputs.reals(s.input_count()).data(), inputs.reals(s.weights_count()).data(),
                           inputs.reals(s.out_features).data(), output.data());
      return output;
    });
    add(s, cost::backward_data(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.input_count()));
      device.dense_backward_data(s, inputs.reals(s.output_count()).data(), inputs.reals(s.weights_count()).data(),
                                 gradient.data());
      return gradient;
    });
    add(s, cost::backward_weights(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.weights_count()));
      device.dense_backward_weights(s, inputs.reals(s.output_count()).data(), inputs.reals(s.input_count()).data(),
                                    gradient.data());
      return gradient;
    });
    add(s, cost::backward_bias(s), false, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.out_features));
      device.dense_backward_bias(s, inputs.reals(s.output_count()).data(), gradient.data());
      return gradient;
    });
  }

  void add(const Conv2dMaxpoolSigmoidShape& s, bool with_data) {
    const std::int64_t outputs = s.output_count();
    const auto positions = static_cast<std::uint32_t>(s.pool * s.pool);
    fused_ = true;
    add(s, cost::forward(s), true, [s, outputs](DeviceOperations& device, BenchInputs inputs) {
      Floats output(to_size(outputs));
      std::vector<std::uint8_t> argmax(output.size());  // of near equals any may be chosen: not compared
      device.conv2d_maxpool_sigmoid_forward(s, inputs.reals(s.input_count()).data(),
                                            inputs.reals(s.filters_count()).data(),
                                            inputs.reals(s.conv2d.filters).data(), output.data(), argmax.data());
      return output;
    });
    if (with_data) {
      add(s, cost::backward_data(s), false, [s, outputs, positions](DeviceOperations& device, BenchInputs inputs) {
        Floats gradient(to_size(s.input_count()));
        device.conv2d_maxpool_sigmoid_backward_data(s, inputs.reals(outputs).data(), inputs.fractions(outputs).data(),
                                                    inputs.wholes<std::uint8_t>(outputs, positions).data(),
                                                    inputs.reals(s.filters_count()).data(), gradient.data());
        return gradient;
      });
    }
    add(s, cost::backward_weights(s), false, [s, outputs, positions](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.filters_count()));
      device.conv2d_maxpool_sigmoid_backward_filters(s, inputs.reals(outputs).data(), inputs.fractions(outputs).data(),
                                                     inputs.wholes<std::uint8_t>(outputs, positions).data(),
                                                     inputs.reals(s.input_count()).data(), gradient.data());
      return gradient;
    });
    add(s, cost::backward_bias(s), false, [s, outputs](DeviceOperations& device, BenchInputs inputs) {
      Floats gradient(to_size(s.conv2d.filters));
      device.conv2d_maxpool_sigmoid_backward_bias(s, inputs.reals(outputs).data(), inputs.fractions(outputs).data(),
                                                  gradient.data());
      return gradient;
    });
    fused_ = false;
  }

  void add(const SoftmaxCrossEntropyShape& s) {
    const auto classes = static_cast<std::uint32_t>(s.classes);
    add(s, cost::softmax_cross_entropy(s), true, [s, classes](DeviceOperations& device, BenchInputs inputs) {
      Floats losses(to_size(s.batch));
      Floats gradient(to_size(s.count()));
      device.softmax_cross_entropy(s, inputs.reals(s.count()).data(),
                                   inputs.wholes<std::uint8_t>(s.batch, classes).data(),
                                   1 / static_cast<float>(s.batch), losses.data(), gradient.data());
      return joined(std::move(losses), gradient);
    });
    add(s, cost::accuracy(s), true, [s, classes](DeviceOperations& device, BenchInputs inputs) {
      return Floats{static_cast<float>(
          device.accuracy(s, inputs.reals(s.count()).data(), inputs.wholes<std::uint8_t>(s.batch, classes).data()))};
    });
  }

  void add(const HalfSquaredErrorShape& s) {
    add(s, cost::half_squared_error(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      Floats losses(to_size(s.batch));
      Floats gradient(to_size(s.count()));
      const Floats outputs = inputs.reals(s.count());
      device.half_squared_error(s, outputs.data(), inputs.reals(s.count()).data(), 1 / static_cast<float>(s.batch),
                                losses.data(), gradient.data());
      return joined(std::move(losses), gradient);
    });
  }

  void add_optimizer(OptimizerKind kind, std::int64_t count) {
    add(SigmoidShape{count}, cost::optimizer(kind, count), true,
        [kind, count](DeviceOperations& device, BenchInputs inputs) {
          const OptimizerSettings settings{.kind = kind, .momentum = 0.9, .weight_decay = 1e-4};
          const OptimizerStep step{.learning_rate = 1e-3, .step = 2};
          const Floats gradients = inputs.reals(count);
          Floats parameters = inputs.reals(count);
          Floats first = inputs.fractions(count);
          Floats second = inputs.fractions(count);
          switch (kind) {
            case OptimizerKind::sgd:
              device.sgd(count, settings, step, gradients.data(), parameters.data(), first.data());
              break;
            case OptimizerKind::adam:
              device.adam(count, settings, step, gradients.data(), parameters.data(), first.data(), second.data());
              break;
            case OptimizerKind::adamw:
              device.adamw(count, settings, step, gradients.data(), parameters.data(), first.data(), second.data());
              break;
          }
          return parameters;
        });
  }

  void add_gather(const GatherShape& s, std::int64_t images) {
    const auto run = [s, images](DeviceOperations& device, BenchInputs inputs) {
      Floats batch(to_size(s.batch * s.image_size));
      std::vector<std::uint8_t> labels(to_size(s.batch));
      device.gather(s, images, inputs.pixels(images * s.image_size).data(),
                    inputs.wholes<std::uint8_t>(images, 10).data(),
                    inputs.wholes<std::uint32_t>(s.batch, static_cast<std::uint32_t>(images)).data(), {1.0F / 255, 0},
                    batch.data(), labels.data());
      return joined(std::move(batch), as_floats(labels));
    };
    add_case(cost::gather(s), fmt::format("N={} of {} images of {}", s.batch, images, s.image_size), true, run);
  }

  void add_shuffle(std::int64_t count) {
    add_case(cost::shuffle(count), fmt::format("{} images", count), true,
             [count](DeviceOperations& device, const BenchInputs& /*none*/) {
               return as_floats(device.shuffle(1, RandomPurpose::shuffle, 1, static_cast<std::uint32_t>(count)));
             });
  }

  /// The operations on Gaussians of so many samples each, in the order in which a divergence takes them.
  void add_gaussians(const GaussianShape& s, std::int64_t samples_each) {
    GaussianSamples samples{.offsets = {0}, .dimensions = s.dimensions};
    for (std::int64_t c = 1; c <= s.gaussians; ++c) samples.offsets.push_back(c * samples_each);
    add_case(cost::gaussian_covariance(samples), fmt::format("{} of {} samples", text(s), samples_each), true,
             [s, samples](DeviceOperations& device, BenchInputs inputs) {
               std::vector<double> mean(to_size(s.means_count()));
               std::vector<double> covariance(to_size(s.matrices_count()));
               device.gaussian().covariance(samples, CovarianceDivisor::unbiased,
                                            as_doubles(inputs.reals(samples.samples_count())).data(), mean.data(),
                                            covariance.data());
               return joined(as_floats(mean), as_floats(covariance));
             });
    add(s, cost::gaussian_cholesky(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      std::vector<double> factor(to_size(s.matrices_count()));
      std::vector<std::int32_t> failures(to_size(s.gaussians));
      device.gaussian().cholesky(s, covariances(s, inputs).data(), factor.data(), failures.data());
      return joined(as_floats(factor), as_floats(failures));
    });
    const GaussianSolveShape solve{.gaussians = s.gaussians, .dimensions = s.dimensions, .columns = s.dimensions};
    add(s, cost::gaussian_solve(solve), true, [s, solve](DeviceOperations& device, BenchInputs inputs) {
      std::vector<double> solution(to_size(solve.sides_count()));
      const std::vector<double> factor = factors(s, inputs);
      device.gaussian().solve(solve, factor.data(), as_doubles(inputs.reals(solve.sides_count())).data(),
                              solution.data());
      return as_floats(solution);
    });
    add(s, cost::gaussian_pairs(s), true, [s](DeviceOperations& device, BenchInputs inputs) {
      std::vector<double> divergence(to_size(s.pairs_count()));
      const std::vector<double> factor = factors(s, inputs);
      device.gaussian().pairs(s, as_doubles(inputs.reals(s.means_count())).data(), factor.data(), divergence.data());
      return as_floats(divergence);
    });
  }

 private:
  template <class Shape, class Run>
  void add(const Shape& shape, const OperationCost& cost, bool forward, Run run) {
    add_case(cost, text(shape), forward, std::move(run));
  }

  template <class Run>
  void add_case(const OperationCost& cost, const std::string& shape, bool forward, Run run) {
    cases_.push_back({.cost = cost,
                      .set = set_,
                      .shape = shape,
                      .block = block_,
                      .fused = fused_,
                      .forward = forward,
                      .run = [run = std::move(run), seed = seed_](DeviceOperations& device) {
                        return run(device, BenchInputs(seed));
                      }});
  }

  std::string set_;
  std::uint64_t seed_;
  std::string block_;
  bool fused_ = false;
  std::vector<BenchCase> cases_;
};

/// A block of layers: its three operations one by one, then as one.
void add_block(CaseList& list, const Conv2dMaxpoolSigmoidShape& block, bool with_data) {
  list.begin_block(text(block));
  list.add(block.conv2d, with_data);
  list.add(block.maxpool());
  list.add(SigmoidShape{block.output_count()});
  list.add(block, with_data);
  list.begin_block("");
}

std::vector<BenchCase> network_cases(const std::string& name, std::int64_t batch, std::uint64_t seed) {
  CaseList list(name, seed);
  const ExecutionPlan plan = make_plan(Network::named(name));
  list.add_gather({.batch = batch, .image_size = plan.input_count}, 60'000);
  bool first = true;
  for (const FusedOperation& operation : fuse(plan)) {
    std::visit(
        Overloaded{[&](const Conv2dMaxpoolSigmoidShape& shape) { add_block(list, with_batch(shape, batch), !first); },
                   [&](const Conv2dShape& shape) { list.add(with_batch(shape, batch), !first); },
                   [&](const auto& shape) { list.add(with_batch(shape, batch)); }},
        operation.shape);
    first = false;
  }
  if (plan.loss == Loss::half_squared_error) {
    list.add(HalfSquaredErrorShape{.batch = batch, .elements = plan.output_count});
  } else {
    list.add(SoftmaxCrossEntropyShape{.batch = batch, .classes = plan.classes});
  }
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    list.add_optimizer(kind, plan.parameter_floats);
  }
  list.add_shuffle(60'000);
  return list.take();
}

constexpr const char* large_set = "large";
constexpr const char* gaussians_set = "gaussians";

/// As many Gaussians as MNIST has classes, of codes and of small pictures.
std::vector<BenchCase> gaussian_cases(std::uint64_t seed) {
  CaseList list(gaussians_set, seed);
  for (const std::int64_t dimensions : {32, 128, 256})
    list.add_gaussians({.gaussians = 10, .dimensions = dimensions}, 1000);
  return list.take();
}

std::vector<BenchCase> large_cases(std::uint64_t seed) {
  CaseList list(large_set, seed);
  constexpr std::array blocks = {
      Conv2dShape{.batch = 8, .channels = 3, .height = 112, .width = 112, .filters = 32, .kernel_h = 5, .kernel_w = 5},
      Conv2dShape{.batch = 8, .channels = 32, .height = 56, .width = 56, .filters = 64, .kernel_h = 3, .kernel_w = 3},
      Conv2dShape{.batch = 4, .channels = 64, .height = 112, .width = 112, .filters = 64, .kernel_h = 3, .kernel_w = 3},
  };
  list.add_gather({.batch = 256, .image_size = blocks[0].channels * blocks[0].height * blocks[0].width}, 512);
  for (const Conv2dShape& conv2d : blocks) add_block(list, {.conv2d = conv2d, .pool = 2}, true);
  list.add(DenseShape{.batch = 64, .in_features = 4096, .out_features = 1024});
  list.add(SoftmaxCrossEntropyShape{.batch = 4096, .classes = 256});
  list.add(HalfSquaredErrorShape{.batch = 4096, .elements = 784});
  constexpr std::int64_t parameters = std::int64_t{1} << 22U;
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    list.add_optimizer(kind, parameters);
  }
  list.add_shuffle(1'000'000);
  return list.take();
}

}  // namespace

std::vector<std::string> set_names() {
  std::vector<std::string> names = Network::names();
  names.emplace_back(large_set);
  names.emplace_back(gaussians_set);
  return names;
}

std::vector<BenchCase> make_cases(const std::string& set, std::int64_t batch, std::uint64_t seed) {
  const std::vector<std::string> names = set_names();
  if (std::find(names.begin(), names.end(), set) == names.end()) {
    throw UsageError(
        fmt::format("unknown set of shapes `{}`{} (known: {})", set, did_you_mean(set, names), fmt::join(names, ", ")));
  }
  return set == large_set       ? large_cases(seed)
         : set == gaussians_set ? gaussian_cases(seed)
                                : network_cases(set, batch, seed);
}

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const auto& cases : {large_cases(1), gaussian_cases(1)}) {
    for (const BenchCase& known : cases) {
      if (std::find(names.begin(), names.end(), known.cost.operation) == names.end()) {
        names.emplace_back(known.cost.operation);
      }
    }
  }
  return names;
}

}  // namespace touchstone::bench
