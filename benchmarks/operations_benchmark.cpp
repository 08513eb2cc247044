// SPDX-License-Identifier: Apache-2.0
//
// The operations of the cpu device on one thread, at the shapes of the networks that ship and at a larger one. The
// counter FLOPS counts the multiplications and additions of the textbook formula; an operation that works at the
// argmax of each window alone is counted with those.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "host/cpu/workspace.h"
#include "touchstone/conv2d.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/dense.h"
#include "touchstone/maxpool.h"
#include "touchstone/optimizer.h"
#include "touchstone/random.h"
#include "touchstone/sigmoid.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone {
namespace {

constexpr std::int64_t batch = 64;

struct NamedConv2d {
  const char* name;
  Conv2dShape shape;
};

// N C H W, K, kernel, stride, padding.
constexpr NamedConv2d convolutions[] = {
    {"seed-1", {batch, 1, 28, 28, 8, 5, 5, 1, 1, 0, 0}},  {"seed-2", {batch, 8, 12, 12, 16, 5, 5, 1, 1, 0, 0}},
    {"wide-1", {batch, 1, 28, 28, 32, 5, 5, 1, 1, 0, 0}}, {"wide-2", {batch, 32, 12, 12, 64, 5, 5, 1, 1, 0, 0}},
    {"large", {8, 64, 56, 56, 64, 3, 3, 1, 1, 0, 0}},
};

/// Numbers in [-1, 1).
std::vector<float> numbers(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(random_word(1, RandomPurpose::check, 0, i)) * 0x1p-31F - 1.0F;
  }
  return values;
}

/// Measures `call` and reports `multiply_adds` of each.
void measure(const std::string& name, std::int64_t multiply_adds, const std::function<void()>& call) {
  benchmark::RegisterBenchmark(name.c_str(), [call, multiply_adds](benchmark::State& state) {
    for ([[maybe_unused]] auto step : state) {
      call();
      benchmark::ClobberMemory();
    }
    state.counters["FLOPS"] =
        benchmark::Counter(2.0 * static_cast<double>(multiply_adds), benchmark::Counter::kIsIterationInvariantRate);
  })->Unit(benchmark::kMicrosecond);
}

/// The buffers of one shape, which live as long as the program.
struct Tensors {
  explicit Tensors(const Conv2dShape& shape)
      : input(numbers(shape.input_count())),
        filters(numbers(shape.filters_count())),
        bias(numbers(shape.filters)),
        output(numbers(shape.output_count())),
        grad_output(numbers(shape.output_count())),
        grad_input(input.size()),
        grad_filters(filters.size()),
        argmax(output.size()) {}

  std::vector<float> input;
  std::vector<float> filters;
  std::vector<float> bias;
  std::vector<float> output;
  std::vector<float> grad_output;
  std::vector<float> grad_input;
  std::vector<float> grad_filters;
  std::vector<std::uint8_t> argmax;
  cpu::Workspace workspace;
};

void register_conv2d(const std::string& name, const Conv2dShape& shape, Tensors& t) {
  const std::int64_t work = shape.multiply_adds();
  measure("conv2d_forward/" + name, work, [shape, &t] {
    cpu::conv2d_forward(shape, t.input.data(), t.filters.data(), t.bias.data(), t.output.data(), t.workspace);
  });
  measure("conv2d_backward_data/" + name, work, [shape, &t] {
    cpu::conv2d_backward_data(shape, t.grad_output.data(), t.filters.data(), t.grad_input.data(), t.workspace);
  });
  measure("conv2d_backward_filters/" + name, work, [shape, &t] {
    cpu::conv2d_backward_filters(shape, t.grad_output.data(), t.input.data(), t.grad_filters.data(), t.workspace);
  });
}

void register_block(const std::string& name, const Conv2dShape& conv2d, Tensors& t) {
  const Conv2dMaxpoolSigmoidShape shape{.conv2d = conv2d, .pool = 2};
  const std::int64_t at_argmax = shape.output_count() * conv2d.channels * conv2d.taps();
  measure("conv2d_maxpool_sigmoid_forward/" + name, conv2d.multiply_adds(), [shape, &t] {
    cpu::conv2d_maxpool_sigmoid_forward(shape, t.input.data(), t.filters.data(), t.bias.data(), t.output.data(),
                                        t.argmax.data(), t.workspace);
  });
  measure("conv2d_maxpool_sigmoid_backward_data/" + name, at_argmax, [shape, &t] {
    cpu::conv2d_maxpool_sigmoid_backward_data(shape, t.grad_output.data(), t.output.data(), t.argmax.data(),
                                              t.filters.data(), t.grad_input.data(), t.workspace);
  });
  measure("conv2d_maxpool_sigmoid_backward_filters/" + name, at_argmax, [shape, &t] {
    cpu::conv2d_maxpool_sigmoid_backward_filters(shape, t.grad_output.data(), t.output.data(), t.argmax.data(),
                                                 t.input.data(), t.grad_filters.data(), t.workspace);
  });
}

void register_rest() {
  constexpr std::int64_t count = batch * 8 * 24 * 24;
  static std::vector<float> values = numbers(count);
  static std::vector<float> results(values.size());
  static std::vector<std::int32_t> argmax(values.size());
  static std::vector<float> moment(values.size());
  static std::vector<float> second_moment(values.size());
  static const std::vector<std::uint8_t> labels(batch, 3);
  static cpu::Workspace workspace;
  measure("sigmoid_forward/seed-1", count, [] { cpu::sigmoid_forward(count, values.data(), results.data()); });
  measure("maxpool_forward/seed-1", count, [] {
    cpu::maxpool_forward({batch, 8, 24, 24, 2, 2, 2, 2, 0, 0}, values.data(), results.data(), argmax.data());
  });
  measure("dense_forward/seed", batch * 256 * 10, [] {
    cpu::dense_forward({batch, 256, 10}, values.data(), values.data(), values.data(), results.data(), workspace);
  });
  measure("softmax_cross_entropy/seed", batch * 10, [] {
    cpu::softmax_cross_entropy({batch, 10}, values.data(), labels.data(), 1.0F / batch, results.data(), moment.data());
  });
  measure("sgd/wide", 62'346, [] {
    cpu::sgd(62'346, {.kind = OptimizerKind::sgd, .momentum = 0.9}, {.learning_rate = 1e-6, .step = 1}, results.data(),
             moment.data(), second_moment.data());
  });
}

void register_all() {
  static std::deque<Tensors> tensors;
  for (const NamedConv2d& convolution : convolutions) {
    Tensors& buffers = tensors.emplace_back(convolution.shape);
    register_conv2d(convolution.name, convolution.shape, buffers);
    register_block(convolution.name, convolution.shape, buffers);
  }
  register_rest();
}

}  // namespace
}  // namespace touchstone

int main(int argc, char** argv) {
  touchstone::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
