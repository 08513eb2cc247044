// SPDX-License-Identifier: Apache-2.0
//
// Who tests the tests: each device here has one deliberate mistake, and the check must find it; the devices without a
// mistake must pass.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/check/operation_checks.h"
#include "host/check/reference_operations.h"
#include "host/check/sweep.h"
#include "host/cpu/cpu_operations.h"
#include "tests/forwarding_operations.h"
#include "touchstone/error.h"

namespace touchstone::check {
namespace {

using test::ForwardingOperations;
using testing::HasSubstr;

constexpr float infinity = std::numeric_limits<float>::infinity();

const OperationCheck& find(std::string_view operation) {
  const auto checks = operation_checks();
  return *std::find_if(checks.begin(), checks.end(), [&](const auto& check) { return check.operation == operation; });
}

std::unique_ptr<DeviceOperations> cpu_operations() { return make_cpu_operations(2); }

template <class Wrong>
OperationReport sweep_wrong(std::string_view operation, std::int64_t cases = 60) {
  Wrong wrong(cpu_operations());
  return sweep(find(operation), wrong, {.cases = cases});
}

/// The first failure's words, all of them wanted.
template <class Wrong>
void expect_found(std::string_view operation, const std::string& problem) {
  const OperationReport report = sweep_wrong<Wrong>(operation);
  ASSERT_GT(report.failed_cases, 0) << operation;
  EXPECT_THAT(report.details.front().problem, HasSubstr(problem));
}

struct OneUlpOff : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                      float* output) override {
    right().conv2d_forward(shape, input, filters, bias, output);
    if (shape.output_count() > 0)
      output[shape.output_count() - 1] = std::nextafter(output[shape.output_count() - 1], infinity);
  }
};

struct OneNaN : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                     float* output) override {
    right().dense_forward(shape, input, weights, bias, output);
    if (shape.output_count() > 0) output[0] = std::numeric_limits<float>::quiet_NaN();
  }
};

struct MissingTap : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                            float* grad_input) override {
    std::vector<float> lacking(filters, filters + shape.filters_count());
    lacking.back() = 0;
    right().conv2d_backward_data(shape, grad_output, lacking.data(), grad_input);
  }
};

/// Takes one stride for the other, and writes as many elements as there are.
struct SwappedAxes : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                      float* output) override {
    Conv2dShape swapped = shape;
    std::swap(swapped.stride_h, swapped.stride_w);
    std::vector<float> all(static_cast<std::size_t>(std::max(swapped.output_count(), shape.output_count())));
    right().conv2d_forward(swapped, input, filters, bias, all.data());
    std::copy_n(all.begin(), shape.output_count(), output);
  }
};

struct SwappedPadding : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                        float* grad_input) override {
    right().maxpool_backward(shape, grad_output, argmax, grad_input);
    for (std::int64_t i = 0; i < shape.input_count(); ++i) {
      if (shape.padding_h != shape.padding_w && i % shape.width < shape.padding_h) grad_input[i] = 0;
    }
  }
};

/// Of equal elements it points at the last.
struct LastOfTies : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void maxpool_forward(const MaxpoolShape& s, const float* input, float* output, std::int32_t* argmax) override {
    right().maxpool_forward(s, input, output, argmax);
    for (std::int64_t window = 0; window < s.output_count(); ++window) {
      const float* plane = input + window / s.out_positions() * s.height * s.width;
      const std::int64_t top = window % s.out_positions() / s.out_w() * s.stride_h - s.padding_h;
      const std::int64_t left = window % s.out_w() * s.stride_w - s.padding_w;
      for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + s.kernel_h, s.height); ++y) {
        for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + s.kernel_w, s.width); ++x) {
          if (plane[y * s.width + x] == output[window]) argmax[window] = static_cast<std::int32_t>(y * s.width + x);
        }
      }
    }
  }
};

struct UnwrittenElement : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void sigmoid_forward(std::int64_t count, const float* input, float* output) override {
    right().sigmoid_forward(std::max<std::int64_t>(count - 1, 0), input, output);
  }
};

struct WrongMeanScale : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                             float /*scale*/, float* losses, float* grad_logits) override {
    const float scale = 1.0F / static_cast<float>(shape.batch + 1);
    right().softmax_cross_entropy(shape, logits, labels, scale, losses, grad_logits);
  }
};

struct BeyondTheOutput : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input) override {
    right().sigmoid_backward(count, grad_output, output, grad_input);
    grad_input[count] = 0;
  }
};

struct BeforeTheOutput : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) override {
    right().conv2d_backward_bias(shape, grad_output, grad_bias);
    grad_bias[-1] = 0;
  }
};

/// Within its bound, but not the same twice.
struct OtherBits : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  [[nodiscard]] std::vector<std::string> variants() const override { return {"one thread", "two threads"}; }
  void select_variant(std::size_t index) override { variant_ = index; }
  [[nodiscard]] std::size_t selected() const { return variant_; }
  void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
            float* parameters, float* first_moment, float* second_moment) override {
    right().adam(count, settings, step, gradients, parameters, first_moment, second_moment);
    if (variant_ == 1 && count > 0) second_moment[count - 1] = std::nextafter(second_moment[count - 1], infinity);
  }

 private:
  std::size_t variant_ = 0;
};

struct DecayInTheGradient : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
             float* parameters, float* first_moment, float* second_moment) override {
    OptimizerSettings coupled = settings;
    coupled.kind = OptimizerKind::adam;
    right().adam(count, coupled, step, gradients, parameters, first_moment, second_moment);
  }
};

struct StepFromZero : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
            float* parameters, float* first_moment, float* second_moment) override {
    const OptimizerStep later{.learning_rate = step.learning_rate, .step = step.step + 1};
    right().adam(count, settings, later, gradients, parameters, first_moment, second_moment);
  }
};

struct NesterovMomentum : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* momentum_buffer) override {
    right().sgd(count, settings, step, gradients, parameters, momentum_buffer);
    for (std::int64_t i = 0; i < count; ++i) {
      parameters[i] -= static_cast<float>(step.learning_rate * settings.momentum) * gradients[i];
    }
  }
};

struct NextImage : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void gather(const GatherShape& shape, std::int64_t count, const std::uint8_t* pixels, const std::uint8_t* labels,
              const std::uint32_t* indices, const PixelScale& scale, float* images,
              std::uint8_t* batch_labels) override {
    std::vector<std::uint32_t> next(indices, indices + shape.batch);
    if (!next.empty()) next.back() = (next.back() + 1) % static_cast<std::uint32_t>(count);
    right().gather(shape, count, pixels, labels, next.data(), scale, images, batch_labels);
  }
};

struct CountsTies : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                        const std::uint8_t* labels) override {
    std::int64_t correct = 0;
    for (std::int64_t n = 0; n < shape.batch; ++n) {
      const float* row = logits + n * shape.classes;
      correct += row[labels[n]] == *std::max_element(row, row + shape.classes) ? 1 : 0;
    }
    return correct;
  }
};

struct ShorterOrder : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  std::vector<std::uint32_t> shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                     std::uint32_t count) override {
    std::vector<std::uint32_t> order = right().shuffle(seed, purpose, epoch, count);
    if (!order.empty()) order.pop_back();
    return order;
  }
};

struct MissingSample : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                               float* grad_filters) override {
    Conv2dShape fewer = shape;
    fewer.batch = std::max<std::int64_t>(shape.batch - 1, 0);
    right().conv2d_backward_filters(fewer, grad_output, input, grad_filters);
  }
};

struct MissingUnit : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights,
                           float* grad_input) override {
    std::vector<float> lacking(weights, weights + shape.weights_count());
    lacking.back() = 0;
    right().dense_backward_data(shape, grad_output, lacking.data(), grad_input);
  }
};

struct Throws : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void dense_forward(const DenseShape& /*shape*/, const float* /*input*/, const float* /*weights*/,
                     const float* /*bias*/, float* /*output*/) override {
    throw Error("the guard band behind output was written");
  }
};

/// Within its bound, but not the same for logits that are all shifted.
struct ShiftDependent : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                             float scale, float* losses, float* grad_logits) override {
    right().softmax_cross_entropy(shape, logits, labels, scale, losses, grad_logits);
    if (shape.count() > 0 && logits[0] > 20) losses[0] = std::nextafter(losses[0], infinity);
  }
};

TEST(CheckFinds, OneUlp) { expect_found<OneUlpOff>("conv2d_forward", "1 of "); }
TEST(CheckFinds, OneNaN) { expect_found<OneNaN>("dense_forward", "got nan"); }
TEST(CheckFinds, MissingTap) { expect_found<MissingTap>("conv2d_backward_data", "wrong"); }
TEST(CheckFinds, SwappedStrides) { expect_found<SwappedAxes>("conv2d_forward", "wrong"); }
TEST(CheckFinds, SwappedPadding) { expect_found<SwappedPadding>("maxpool_backward", "wrong"); }
TEST(CheckFinds, WrongTieRule) { expect_found<LastOfTies>("maxpool_forward", "argmax["); }
TEST(CheckFinds, UnwrittenElement) { expect_found<UnwrittenElement>("sigmoid_forward", "nothing was written"); }
TEST(CheckFinds, WrongMeanScale) { expect_found<WrongMeanScale>("softmax_cross_entropy", "grad_logits["); }
TEST(CheckFinds, WriteBehind) { expect_found<BeyondTheOutput>("sigmoid_backward", "beside grad_input"); }
TEST(CheckFinds, WriteBefore) { expect_found<BeforeTheOutput>("conv2d_backward_bias", "beside grad_bias"); }
TEST(CheckFinds, OtherBitsWithAnotherVariant) {
  expect_found<OtherBits>("adam", "second_moment has other bits with two threads than with one thread");
}
TEST(Sweep, LeavesTheFirstVariantSelected) {
  OtherBits device(cpu_operations());
  sweep(find("sigmoid_forward"), device, {.cases = 5});
  EXPECT_EQ(device.selected(), 0);
}
TEST(CheckFinds, CoupledWeightDecay) { expect_found<DecayInTheGradient>("adamw", "wrong"); }
TEST(CheckFinds, WrongBiasCorrection) { expect_found<StepFromZero>("adam", "parameters["); }
TEST(CheckFinds, OtherMomentum) { expect_found<NesterovMomentum>("sgd", "parameters["); }
TEST(CheckFinds, WrongImage) { expect_found<NextImage>("gather", "wrong"); }
TEST(CheckFinds, CountedTies) { expect_found<CountsTies>("accuracy", "correct[]"); }
TEST(CheckFinds, WrongNumberOfElements) { expect_found<ShorterOrder>("shuffle", "elements; expected"); }
TEST(CheckFinds, MissingSample) { expect_found<MissingSample>("conv2d_backward_filters", "wrong"); }
TEST(CheckFinds, MissingUnit) { expect_found<MissingUnit>("dense_backward", "grad_input["); }
TEST(CheckFinds, Exceptions) { expect_found<Throws>("dense_forward", "the guard band behind output was written"); }
TEST(CheckFinds, SoftmaxThatDependsOnAShift) {
  const OperationReport report = sweep_wrong<ShiftDependent>("softmax_cross_entropy", 200);
  EXPECT_GT(report.failed_cases, 0);
}

class RightDevice : public testing::TestWithParam<std::unique_ptr<DeviceOperations> (*)()> {};

TEST_P(RightDevice, Passes) {
  const std::unique_ptr<DeviceOperations> device = GetParam()();
  for (const OperationCheck& check : operation_checks()) {
    const OperationReport report = sweep(check, *device, {.cases = 80});
    EXPECT_EQ(report.cases, 80);
    EXPECT_EQ(report.failed_cases, 0) << check.operation << ": "
                                      << (report.details.empty() ? "" : report.details.front().problem);
    EXPECT_LE(report.worst_ratio, 1) << check.operation;
  }
}

INSTANTIATE_TEST_SUITE_P(Check, RightDevice, testing::Values(&cpu_operations, &make_reference_operations),
                         [](const auto& device) { return device.param()->device(); });

TEST(CheckCases, AreTheSameAloneAndAmongOthers) {
  const OperationReport all = sweep_wrong<SwappedAxes>("conv2d_forward", 120);
  ASSERT_FALSE(all.details.empty());
  const Failure& first = all.details.front();
  SwappedAxes wrong(cpu_operations());
  const OperationReport alone = sweep(find("conv2d_forward"), wrong, {.cases = 1, .only = first.case_index});
  ASSERT_EQ(alone.cases, 1);
  ASSERT_FALSE(alone.details.empty());
  EXPECT_EQ(alone.details.front().problem, first.problem);
  EXPECT_EQ(alone.details.front().shape, first.shape);
}

TEST(CheckCases, DependOnTheSeed) {
  CaseRandom one(1, "conv2d_forward", 150);
  CaseRandom two(2, "conv2d_forward", 150);
  EXPECT_NE(conv2d_forward_case(150, one).shape, conv2d_forward_case(150, two).shape);
}

/// Takes the last of the largest elements of a window where the first is asked for.
struct LastOfTiesInBlock : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                      const float* bias, float* output, std::uint8_t* argmax) override {
    right().conv2d_maxpool_sigmoid_forward(shape, input, filters, bias, output, argmax);
    std::vector<float> sums(static_cast<std::size_t>(shape.conv2d.output_count()));
    right().conv2d_forward(shape.conv2d, input, filters, bias, sums.data());
    for (std::int64_t window = 0; window < shape.output_count(); ++window) {
      const std::int64_t in_plane = window % shape.windows();
      const auto at = [&](std::int64_t position) {
        return sums[static_cast<std::size_t>(window / shape.windows() * shape.conv2d.out_positions() +
                                             (in_plane / shape.out_w() * shape.pool + position / shape.pool) *
                                                 shape.conv2d.out_w() +
                                             in_plane % shape.out_w() * shape.pool + position % shape.pool)];
      };
      for (std::int64_t position = 0; position < shape.pool * shape.pool; ++position) {
        if (at(position) >= at(argmax[window])) argmax[window] = static_cast<std::uint8_t>(position);
      }
    }
  }
};

struct UnscaledDelta : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* /*output*/, float* grad_bias) override {
    const std::vector<float> half(static_cast<std::size_t>(shape.output_count()), 0.5F);
    right().conv2d_maxpool_sigmoid_backward_bias(shape, grad_output, half.data(), grad_bias);
  }
};

struct ForgottenArgmax : ForwardingOperations {
  using ForwardingOperations::ForwardingOperations;
  void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, const std::uint8_t* /*argmax*/, const float* filters,
                                            float* grad_input) override {
    const std::vector<std::uint8_t> first(static_cast<std::size_t>(shape.output_count()));
    right().conv2d_maxpool_sigmoid_backward_data(shape, grad_output, output, first.data(), filters, grad_input);
  }
};

TEST(CheckBlocks, FindsTheLastOfTies) {
  expect_found<LastOfTiesInBlock>("conv2d_maxpool_sigmoid_forward", "elements are wrong, first argmax[");
}

TEST(CheckBlocks, FindsAGradientThatForgetsTheActivation) {
  expect_found<UnscaledDelta>("conv2d_maxpool_sigmoid_backward_bias", "elements are wrong, first grad_bias[");
}

TEST(CheckBlocks, FindsAGradientThatForgetsTheArgmax) {
  expect_found<ForgottenArgmax>("conv2d_maxpool_sigmoid_backward_data", "elements are wrong, first grad_input[");
}

TEST(CheckBlocks, FollowsChoicesThatRoundingMade) {
  const std::unique_ptr<DeviceOperations> device = cpu_operations();
  const OperationReport report = sweep(find("conv2d_maxpool_sigmoid_forward"), *device, {.cases = 60});
  EXPECT_EQ(report.failed_cases, 0);
  EXPECT_GT(report.followed, 0);
}

TEST(CheckCases, AreNotZeroNearlyEverywhere) {
  // A result that is zero nearly everywhere would prove little; the max-pool's gradient is so at three of four places.
  const std::unique_ptr<DeviceOperations> reference = make_reference_operations();
  for (const OperationCheck& check : operation_checks()) {
    std::int64_t elements = 0;
    std::int64_t zeros = 0;
    for (std::int64_t index = 0; index < 80; ++index) {
      CaseRandom random(1, check.operation, index);
      const Case one = check.make_case(index, random);
      for (const auto& trial : one.trials) {
        for (const Expected& expected : trial->expected(trial->run(*reference), *reference)) {
          elements += static_cast<std::int64_t>(expected.values.size());
          zeros += std::count(expected.values.begin(), expected.values.end(), 0.0);
        }
      }
    }
    EXPECT_LT(zeros * 10, elements * 9) << check.operation;
  }
}

}  // namespace
}  // namespace touchstone::check
