// SPDX-License-Identifier: Apache-2.0
//
// Each operation on the device against the reference, at a few shapes that take each path through the kernels, under
// every variant (the schedules of the emulated device). The broad sweep is `touchstone check`.
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels_support.h"
#include "reference_values.h"
#include "touchstone/accuracy.h"
#include "touchstone/conv2d.h"
#include "touchstone/dense.h"
#include "touchstone/maxpool.h"
#include "touchstone/sigmoid.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone::test {
namespace {

using testing::poison;
using testing::random_integers;
using testing::random_reals;

constexpr double unit = 0x1p-24;  // half a unit in the last place of float32 at 1

class OperationsTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) {
      operations_ = backend::make_device_operations({.memory = MemoryStrategy::guarded});
    }
  }

  /// Runs a computation under each variant and expects the same bits from all; returns them.
  std::vector<float> under_each_variant(const std::function<std::vector<float>(DeviceOperations&)>& compute) {
    std::vector<float> first;
    const std::vector<std::string> variants = operations_->variants();
    for (std::size_t i = 0; i < variants.size(); ++i) {
      operations_->select_variant(i);
      const std::vector<float> result = compute(*operations_);
      if (i == 0) {
        first = result;
      }
      EXPECT_EQ(first, result) << variants[i];
    }
    operations_->select_variant(0);
    return first;
  }

  std::unique_ptr<DeviceOperations> operations_;
};

struct NamedShape {
  std::string name;
  Conv2dShape shape;
};

Conv2dShape conv(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
                 std::int64_t filters, std::int64_t kernel) {
  return {.batch = batch,
          .channels = channels,
          .height = height,
          .width = width,
          .filters = filters,
          .kernel_h = kernel,
          .kernel_w = kernel};
}

std::vector<NamedShape> conv_shapes() {
  Conv2dShape padded = conv(2, 3, 9, 11, 5, 5);
  padded.padding_h = 2;
  padded.padding_w = 4;
  Conv2dShape padded_vectors = conv(2, 2, 9, 12, 9, 7);
  padded_vectors.padding_h = 3;
  padded_vectors.padding_w = 4;
  Conv2dShape strided = conv(3, 2, 11, 13, 5, 3);
  strided.stride_h = 2;
  strided.stride_w = 3;
  strided.padding_w = 1;
  Conv2dShape oblong = conv(2, 5, 8, 10, 35, 1);
  oblong.kernel_h = 4;
  oblong.kernel_w = 2;
  return {{"seed's first layer", conv(3, 1, 28, 28, 8, 5)},
          {"seed's second layer", conv(5, 8, 12, 12, 16, 5)},
          {"one pixel", conv(1, 1, 1, 1, 1, 1)},
          {"pointwise", conv(3, 17, 5, 6, 9, 1)},
          {"three by three, wide, many tiles", conv(2, 2, 40, 70, 3, 3)},
          {"window of the input's size, several samples a tile", conv(40, 3, 7, 7, 11, 7)},
          {"several chunks of channels", conv(2, 40, 9, 10, 33, 5)},
          {"padded", padded},
          {"padded by whole vectors", padded_vectors},
          {"strided", strided},
          {"oblong", oblong}};
}

// A conv2d operation under test: what it computes on the device and by the reference, from arrays of these sizes.
struct ConvOperation {
  std::int64_t (Conv2dShape::*left_count)() const;
  std::int64_t (Conv2dShape::*right_count)() const;
  std::int64_t (Conv2dShape::*result_count)() const;
  std::function<void(DeviceOperations&, const Conv2dShape&, const float*, const float*, float*)> device;
  std::function<void(const Conv2dShape&, const double*, const double*, double*)> reference;
  std::function<std::int64_t(const Conv2dShape&)> terms;
};

std::vector<double> magnitudes(std::vector<double> values) {
  for (double& value : values) {
    value = std::abs(value);
  }
  return values;
}

ConvOperation forward_operation() {
  return {&Conv2dShape::input_count,
          &Conv2dShape::filters_count,
          &Conv2dShape::output_count,
          [](DeviceOperations& d, const Conv2dShape& s, const float* a, const float* b, float* r) {
            d.conv2d_forward(s, a, b, nullptr, r);
          },
          [](const Conv2dShape& s, const double* a, const double* b, double* r) {
            reference::conv2d_forward(s, a, b, nullptr, r);
          },
          [](const Conv2dShape& s) { return s.channels * s.taps(); }};
}

ConvOperation data_operation() {
  return {&Conv2dShape::output_count,
          &Conv2dShape::filters_count,
          &Conv2dShape::input_count,
          [](DeviceOperations& d, const Conv2dShape& s, const float* a, const float* b, float* r) {
            d.conv2d_backward_data(s, a, b, r);
          },
          reference::conv2d_backward_data,
          [](const Conv2dShape& s) { return s.filters * s.taps(); }};
}

ConvOperation filters_operation() {
  return {&Conv2dShape::output_count,
          &Conv2dShape::input_count,
          &Conv2dShape::filters_count,
          [](DeviceOperations& d, const Conv2dShape& s, const float* a, const float* b, float* r) {
            d.conv2d_backward_filters(s, a, b, r);
          },
          reference::conv2d_backward_filters,
          [](const Conv2dShape& s) { return s.batch * s.out_positions(); }};
}

class ConvTest : public OperationsTest {
 protected:
  // Small integers: no sum is rounded, so the result is the reference's to the bit.
  void expect_exact(const ConvOperation& operation) {
    for (const NamedShape& named : conv_shapes()) {
      SCOPED_TRACE(named.name);
      const std::vector<double> left = random_integers((named.shape.*operation.left_count)(), 4, 1);
      const std::vector<double> right = random_integers((named.shape.*operation.right_count)(), 4, 2);
      EXPECT_EQ(to_doubles(on_device(operation, named.shape, left, right)),
                by_reference(operation, named.shape, left, right));
    }
  }

  // Random reals: each element errs by at most n*u/(1-n*u) times the sum of its terms' magnitudes.
  void expect_bounded(const ConvOperation& operation) {
    for (const NamedShape& named : conv_shapes()) {
      SCOPED_TRACE(named.name);
      const std::vector<double> left = to_doubles(to_floats(random_reals((named.shape.*operation.left_count)(), 3)));
      const std::vector<double> right = to_doubles(to_floats(random_reals((named.shape.*operation.right_count)(), 4)));
      const std::vector<float> got = on_device(operation, named.shape, left, right);
      const std::vector<double> expected = by_reference(operation, named.shape, left, right);
      const std::vector<double> sizes = by_reference(operation, named.shape, magnitudes(left), magnitudes(right));
      const double terms = static_cast<double>(operation.terms(named.shape)) + 1;
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_LE(std::abs(got[i] - expected[i]), terms * unit / (1 - terms * unit) * sizes[i]) << "element " << i;
      }
    }
  }

 private:
  std::vector<float> on_device(const ConvOperation& operation, const Conv2dShape& shape,
                               const std::vector<double>& left, const std::vector<double>& right) {
    return under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten((shape.*operation.result_count)());
      operation.device(device, shape, to_floats(left).data(), to_floats(right).data(), result.data());
      return result;
    });
  }

  static std::vector<double> by_reference(const ConvOperation& operation, const Conv2dShape& shape,
                                          const std::vector<double>& left, const std::vector<double>& right) {
    std::vector<double> result = poison((shape.*operation.result_count)());
    operation.reference(shape, left.data(), right.data(), result.data());
    return result;
  }
};

TEST_F(ConvTest, ForwardIsExactOnIntegers) { expect_exact(forward_operation()); }
TEST_F(ConvTest, ForwardIsBoundedOnReals) { expect_bounded(forward_operation()); }
TEST_F(ConvTest, DataGradientIsExactOnIntegers) { expect_exact(data_operation()); }
TEST_F(ConvTest, DataGradientIsBoundedOnReals) { expect_bounded(data_operation()); }
TEST_F(ConvTest, FilterGradientIsExactOnIntegers) { expect_exact(filters_operation()); }
TEST_F(ConvTest, FilterGradientIsBoundedOnReals) { expect_bounded(filters_operation()); }

TEST_F(ConvTest, BiasIsAddedAndItsGradientSummed) {
  for (const NamedShape& named : conv_shapes()) {
    SCOPED_TRACE(named.name);
    const Conv2dShape& shape = named.shape;
    const std::vector<double> input = random_integers(shape.input_count(), 4, 1);
    const std::vector<double> filters = random_integers(shape.filters_count(), 4, 2);
    const std::vector<double> bias = random_integers(shape.filters, 50, 3);
    std::vector<double> expected = poison(shape.output_count());
    reference::conv2d_forward(shape, input.data(), filters.data(), bias.data(), expected.data());
    std::vector<float> output = unwritten(shape.output_count());
    operations_->conv2d_forward(shape, to_floats(input).data(), to_floats(filters).data(), to_floats(bias).data(),
                                output.data());
    EXPECT_EQ(to_doubles(output), expected);

    const std::vector<double> gradient = random_integers(shape.output_count(), 9, 4);
    std::vector<double> expected_bias = poison(shape.filters);
    reference::conv2d_backward_bias(shape, gradient.data(), expected_bias.data());
    const std::vector<float> grad_bias = under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten(shape.filters);
      device.conv2d_backward_bias(shape, to_floats(gradient).data(), result.data());
      return result;
    });
    EXPECT_EQ(to_doubles(grad_bias), expected_bias);
  }
}

TEST_F(ConvTest, GradientsOverNoSamplesAreZero) {
  const Conv2dShape shape = conv(0, 2, 6, 7, 3, 3);
  std::vector<float> filters = unwritten(shape.filters_count());
  operations_->conv2d_backward_filters(shape, nullptr, nullptr, filters.data());
  EXPECT_EQ(filters, std::vector<float>(filters.size(), 0.0F));
  std::vector<float> bias = unwritten(shape.filters);
  operations_->conv2d_backward_bias(shape, nullptr, bias.data());
  EXPECT_EQ(bias, std::vector<float>(bias.size(), 0.0F));
}

TEST_F(OperationsTest, SigmoidIsRightToAFewUlps) {
  std::vector<float> input;
  for (float x = -110.0F; x < 110.0F; x += 0.37F) {
    input.push_back(x);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  input.insert(input.end(), {0.0F, -0.0F, 1e-30F, -1e-30F, infinity, -infinity});
  const auto count = static_cast<std::int64_t>(input.size());
  const std::vector<float> output = under_each_variant([&](DeviceOperations& device) {
    std::vector<float> result = unwritten(count);
    device.sigmoid_forward(count, input.data(), result.data());
    return result;
  });
  std::vector<double> expected = poison(count);
  reference::sigmoid_forward(count, to_doubles(input).data(), expected.data());
  for (std::size_t i = 0; i < output.size(); ++i) {
    const double smallest_normal = std::numeric_limits<float>::min();
    EXPECT_NEAR(output[i], expected[i], 4 * 2 * unit * std::max(expected[i], smallest_normal)) << "at " << input[i];
  }
}

TEST_F(OperationsTest, SigmoidGradientComesFromTheStoredOutput) {
  const std::int64_t count = 1027;
  const std::vector<float> gradient = to_floats(random_reals(count, 1));
  std::vector<float> output = to_floats(random_reals(count, 2));
  for (float& s : output) {
    s = std::abs(s);
  }
  std::vector<float> grad_input = unwritten(count);
  operations_->sigmoid_backward(count, gradient.data(), output.data(), grad_input.data());
  for (std::size_t i = 0; i < grad_input.size(); ++i) {
    const double expected = static_cast<double>(gradient[i]) * output[i] * (1.0 - output[i]);
    EXPECT_NEAR(grad_input[i], expected, 4 * unit * std::abs(expected));
  }
}

std::vector<MaxpoolShape> pool_shapes() {
  return {
      {.batch = 2,
       .channels = 3,
       .height = 24,
       .width = 24,
       .kernel_h = 2,
       .kernel_w = 2,
       .stride_h = 2,
       .stride_w = 2},
      {.batch = 2, .channels = 1, .height = 7, .width = 9, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
      {.channels = 2,
       .height = 9,
       .width = 8,
       .kernel_h = 3,
       .kernel_w = 2,
       .stride_h = 2,
       .stride_w = 1,
       .padding_h = 1},
      {.batch = 3,
       .height = 10,
       .width = 11,
       .kernel_h = 2,
       .kernel_w = 3,
       .stride_h = 4,
       .stride_w = 5,
       .padding_w = 1},
      {.height = 5, .width = 6, .kernel_h = 5, .kernel_w = 6}};
}

TEST_F(OperationsTest, MaxpoolSelectsAndGathersAsTheReference) {
  for (const MaxpoolShape& shape : pool_shapes()) {
    SCOPED_TRACE("kernel " + std::to_string(shape.kernel_h) + "x" + std::to_string(shape.kernel_w));
    const std::vector<double> input = random_integers(shape.input_count(), 2, 1);  // many ties
    const auto outputs = static_cast<std::size_t>(shape.output_count());
    std::vector<double> expected(outputs);
    std::vector<std::int32_t> expected_argmax(outputs);
    reference::maxpool_forward(shape, input.data(), expected.data(), expected_argmax.data());
    std::vector<std::int32_t> argmax(outputs);
    const std::vector<float> output = under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten(shape.output_count());
      device.maxpool_forward(shape, to_floats(input).data(), result.data(), argmax.data());
      EXPECT_EQ(argmax, expected_argmax);
      return result;
    });
    EXPECT_EQ(to_doubles(output), expected);

    const std::vector<double> gradient = random_integers(shape.output_count(), 9, 2);
    std::vector<double> expected_gradient = poison(shape.input_count());
    reference::maxpool_backward(shape, gradient.data(), expected_argmax.data(), expected_gradient.data());
    const std::vector<float> grad_input = under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten(shape.input_count());
      device.maxpool_backward(shape, to_floats(gradient).data(), argmax.data(), result.data());
      return result;
    });
    EXPECT_EQ(to_doubles(grad_input), expected_gradient);
  }
}

TEST_F(OperationsTest, DenseIsExactOnIntegers) {
  for (const DenseShape& shape :
       {DenseShape{.batch = 5, .in_features = 37, .out_features = 10}, DenseShape{},
        DenseShape{.batch = 70, .in_features = 3, .out_features = 129},
        DenseShape{.batch = 5, .in_features = 37, .out_features = 10, .transposed_weights = true}}) {
    const std::vector<double> input = random_integers(shape.input_count(), 4, 1);
    const std::vector<double> weights = random_integers(shape.weights_count(), 4, 2);
    const std::vector<double> bias = random_integers(shape.out_features, 9, 3);
    const std::vector<double> gradient = random_integers(shape.output_count(), 4, 4);

    std::vector<double> expected = poison(shape.output_count());
    reference::dense_forward(shape, input.data(), weights.data(), bias.data(), expected.data());
    std::vector<float> output = unwritten(shape.output_count());
    operations_->dense_forward(shape, to_floats(input).data(), to_floats(weights).data(), to_floats(bias).data(),
                               output.data());
    EXPECT_EQ(to_doubles(output), expected);

    expected = poison(shape.input_count());
    reference::dense_backward_data(shape, gradient.data(), weights.data(), expected.data());
    std::vector<float> grad_input = unwritten(shape.input_count());
    operations_->dense_backward_data(shape, to_floats(gradient).data(), to_floats(weights).data(), grad_input.data());
    EXPECT_EQ(to_doubles(grad_input), expected);

    expected = poison(shape.weights_count());
    reference::dense_backward_weights(shape, gradient.data(), input.data(), expected.data());
    std::vector<float> grad_weights = unwritten(shape.weights_count());
    operations_->dense_backward_weights(shape, to_floats(gradient).data(), to_floats(input).data(),
                                        grad_weights.data());
    EXPECT_EQ(to_doubles(grad_weights), expected);

    expected = poison(shape.out_features);
    reference::dense_backward_bias(shape, gradient.data(), expected.data());
    std::vector<float> grad_bias = unwritten(shape.out_features);
    operations_->dense_backward_bias(shape, to_floats(gradient).data(), grad_bias.data());
    EXPECT_EQ(to_doubles(grad_bias), expected);
  }
}

TEST_F(OperationsTest, SoftmaxCrossEntropyForAnyNumberOfClasses) {
  for (const std::int64_t classes : {1, 2, 3, 10, 33, 100, 256, 300}) {
    SCOPED_TRACE(std::to_string(classes) + " classes");
    const SoftmaxCrossEntropyShape shape{.batch = 37, .classes = classes};
    std::vector<float> logits = to_floats(random_reals(shape.count(), 1));
    std::vector<std::uint8_t> labels;
    for (std::int64_t row = 0; row < shape.batch; ++row) {
      labels.push_back(static_cast<std::uint8_t>(row * 7 % std::min<std::int64_t>(classes, 256)));
    }
    logits[0] = 3e38F;  // would overflow without the shift
    logits.back() = -3e38F;
    const double scale = 0.25;
    std::vector<double> expected_losses = poison(shape.batch);
    std::vector<double> expected_gradient = poison(shape.count());
    reference::softmax_cross_entropy(shape, to_doubles(logits).data(), labels.data(), scale, expected_losses.data(),
                                     expected_gradient.data());
    std::vector<float> losses = unwritten(shape.batch);
    const std::vector<float> gradient = under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten(shape.count());
      device.softmax_cross_entropy(shape, logits.data(), labels.data(), static_cast<float>(scale), losses.data(),
                                   result.data());
      return result;
    });
    const double terms = static_cast<double>(classes) + 8;
    for (std::size_t row = 0; row < losses.size(); ++row) {
      EXPECT_NEAR(losses[row], expected_losses[row], terms * 2 * unit * (2 + std::abs(expected_losses[row])));
    }
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      EXPECT_NEAR(gradient[i], expected_gradient[i], terms * 2 * unit * scale);
    }
    EXPECT_EQ(operations_->accuracy(shape, logits.data(), labels.data()),
              reference::accuracy(shape, to_doubles(logits).data(), labels.data()));
  }
}

TEST_F(OperationsTest, HalfSquaredErrorIsExactOnIntegers) {
  for (const std::int64_t elements : {1, 2, 3, 10, 33, 100, 784}) {
    SCOPED_TRACE(std::to_string(elements) + " elements");
    const HalfSquaredErrorShape shape{.batch = 37, .elements = elements};
    const std::vector<double> outputs = random_integers(shape.count(), 20, 1);
    const std::vector<double> targets = random_integers(shape.count(), 20, 2);
    std::vector<double> expected_losses = poison(shape.batch);
    std::vector<double> expected_gradient = poison(shape.count());
    reference::half_squared_error(shape, outputs.data(), targets.data(), 0.125, expected_losses.data(),
                                  expected_gradient.data());
    std::vector<float> losses = unwritten(shape.batch);
    const std::vector<float> gradient = under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten(shape.count());
      device.half_squared_error(shape, to_floats(outputs).data(), to_floats(targets).data(), 0.125F, losses.data(),
                                result.data());
      return result;
    });
    EXPECT_EQ(to_doubles(losses), expected_losses);
    EXPECT_EQ(to_doubles(gradient), expected_gradient);
  }
}

TEST_F(OperationsTest, AccuracyTakesTheFirstOfEqualLogits) {
  const SoftmaxCrossEntropyShape shape{.batch = 50, .classes = 11};
  const std::vector<double> logits = random_integers(shape.count(), 1, 1);
  std::vector<std::uint8_t> labels(50);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    labels[row] = static_cast<std::uint8_t>(row % 3);
  }
  EXPECT_EQ(operations_->accuracy(shape, to_floats(logits).data(), labels.data()),
            reference::accuracy(shape, logits.data(), labels.data()));
}

TEST_F(OperationsTest, GatherPicksNormalisesAndLeavesTheRest) {
  for (const std::int64_t image_size : {784, 42, 7}) {
    const GatherShape shape{.batch = 5, .image_size = image_size};
    const std::int64_t count = 9;
    std::vector<std::uint8_t> pixels;
    for (std::int64_t i = 0; i < count * image_size; ++i) {
      pixels.push_back(
          static_cast<std::uint8_t>(random_word(1, RandomPurpose::check, 5, static_cast<std::uint64_t>(i))));
    }
    const std::vector<std::uint8_t> labels = {3, 1, 4, 1, 5, 9, 2, 6, 5};
    const std::vector<std::uint32_t> indices = {8, 0, 3, 3, 7};
    const PixelScale scale = Normalisation{.mean = 0.1307, .std = 0.3081}.pixel_scale();
    std::vector<double> expected = poison(shape.batch * image_size);
    std::vector<std::uint8_t> expected_labels(5);
    reference::gather(shape, pixels.data(), labels.data(), indices.data(), scale, expected.data(),
                      expected_labels.data());
    std::vector<std::uint8_t> batch_labels(5);
    const std::vector<float> images = under_each_variant([&](DeviceOperations& device) {
      std::vector<float> result = unwritten(shape.batch * image_size);
      device.gather(shape, count, pixels.data(), labels.data(), indices.data(), scale, result.data(),
                    batch_labels.data());
      EXPECT_EQ(batch_labels, expected_labels);
      return result;
    });
    EXPECT_EQ(to_doubles(images), expected);
  }
}

TEST_F(OperationsTest, ShuffleGivesTheHostsOrder) {
  for (const std::uint32_t count : {0U, 1U, 2U, 1000U, 5003U}) {
    EXPECT_EQ(operations_->shuffle(7, RandomPurpose::shuffle, 3, count),
              shuffled_order(7, RandomPurpose::shuffle, 3, count));
  }
}

}  // namespace
}  // namespace touchstone::test
