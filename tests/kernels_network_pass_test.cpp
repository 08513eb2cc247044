// SPDX-License-Identifier: Apache-2.0
//
// The pass through a network with its blocks fused, against the same pass layer by layer.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/check.h"
#include "kernels/network_pass.h"
#include "kernels_support.h"
#include "plan_builder.h"
#include "reference_values.h"

namespace touchstone::test {
namespace {

using testing::PlanBuilder;
using testing::random_reals;

constexpr std::int64_t batch_size = 9;

// Adds a convolution and the pool and sigmoid behind it; returns what the next layer reads.
Conv2dShape add_block(PlanBuilder& builder, const Conv2dShape& conv2d, std::int64_t pool) {
  const Conv2dMaxpoolSigmoidShape block{.conv2d = conv2d, .pool = pool};
  builder.conv2d(conv2d).maxpool(block.maxpool()).sigmoid();
  return {.channels = conv2d.filters, .height = block.out_h(), .width = block.out_w()};
}

// Two blocks, with kernels and pools of their own, behind and before each other, and a dense layer.
ExecutionPlan two_blocks(Conv2dShape first, std::int64_t first_pool, std::int64_t filters, std::int64_t kernel_h,
                         std::int64_t kernel_w, std::int64_t pool) {
  PlanBuilder builder(first.input_count());
  Conv2dShape second = add_block(builder, first, first_pool);
  second.filters = filters;
  second.kernel_h = kernel_h;
  second.kernel_w = kernel_w;
  add_block(builder, second, pool);
  return builder.dense(7).plan();
}

// A padded convolution, which is in no block, between two blocks; a sigmoid alone, and two dense layers.
ExecutionPlan mixed() {
  PlanBuilder builder(2 * 17 * 20);
  Conv2dShape padded =
      add_block(builder, {.channels = 2, .height = 17, .width = 20, .filters = 6, .kernel_h = 3, .kernel_w = 3}, 2);
  padded.filters = 5;
  padded.kernel_h = padded.kernel_w = 3;
  padded.padding_h = padded.padding_w = 1;
  builder.conv2d(padded).sigmoid();
  Conv2dShape last{.channels = 5, .height = padded.out_h(), .width = padded.out_w(), .filters = 33};
  last.kernel_h = last.kernel_w = 1;
  add_block(builder, last, 3);
  return builder.dense(11).sigmoid().dense(4).plan();
}

struct NamedPlan {
  std::string name;
  ExecutionPlan plan;
};

std::vector<NamedPlan> plans() {
  const Conv2dShape mnist{.height = 28, .width = 28, .filters = 8, .kernel_h = 5, .kernel_w = 5};
  const Conv2dShape colour{.channels = 3, .height = 31, .width = 29, .filters = 10, .kernel_h = 3, .kernel_w = 3};
  const Conv2dShape even{.channels = 2, .height = 23, .width = 26, .filters = 3, .kernel_h = 4, .kernel_w = 2};
  return {{"as seed", two_blocks(mnist, 2, 16, 5, 5, 2)},
          {"3x3, pools of 3 and 2, three channels, odd sizes", two_blocks(colour, 3, 17, 3, 3, 2)},
          {"7x7, pools of 2 and 3", two_blocks(colour, 2, 5, 7, 7, 3)},
          {"kernels without a specialised version", two_blocks(even, 2, 6, 2, 5, 3)},
          {"layers between the blocks", mixed()}};
}

// What a pass gives, copied to the host.
struct Results {
  std::vector<float> logits;
  std::vector<float> code;
  std::vector<float> gradients;
};

class OperationNames final : public OperationRecorder {
 public:
  void begin(std::string_view /*layer*/, const OperationCost& cost) override {
    names.emplace_back(cost.operation);
    flops += cost.flops;
  }
  void end() noexcept override {}

  std::vector<std::string> names;
  std::int64_t flops = 0;
};

// A pass with all that it works on.
class Pass {
 public:
  Pass(const ExecutionPlan& plan, bool fuses_blocks)
      : plan_(plan),
        stream_(backend::make_stream()),
        workspace_(allocator_, static_cast<std::int64_t>(backend::blas_workspace_bytes), "the workspace of cuBLAS"),
        blas_(backend::make_blas_handle(stream_.get(), workspace_.data(), workspace_.bytes(), false)),
        parameters_(allocator_, plan.parameter_floats, "the parameters"),
        gradients_(allocator_, plan.parameter_floats, "the gradients"),
        pass_(plan, batch_size, allocator_, fuses_blocks) {}

  Results run(std::int64_t batch, OperationRecorder* recorder = nullptr) {
    upload(parameters_.data(), plan_.parameter_floats, 0.5, 1);
    upload(pass_.images(), batch * plan_.input_count, 1.0, 2);
    upload(pass_.grad_logits(), batch * plan_.output_count, 1.0, 3);
    upload(gradients_.data(), plan_.parameter_floats, 0.0, 4);
    pass_.forward(batch, parameters_.data(), blas_.get(), stream_.get(), recorder);
    pass_.backward(batch, parameters_.data(), gradients_.data(), blas_.get(), stream_.get(), recorder);
    backend::check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
    allocator_.verify();
    const std::size_t code = plan_.code_operation;
    return {download(pass_.logits(), batch * plan_.output_count),
            download(pass_.input_of(code), batch * plan_.operations[code].input_count),
            download(gradients_.data(), plan_.parameter_floats)};
  }

  [[nodiscard]] const backend::NetworkPass& pass() const { return pass_; }

 private:
  static void upload(float* target, std::int64_t count, double scale, std::uint32_t stream) {
    std::vector<float> values = to_floats(random_reals(count, stream));
    for (float& value : values) {
      value *= static_cast<float>(scale);
    }
    backend::check(cudaMemcpy(target, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice),
                   "cudaMemcpy");
  }

  static std::vector<float> download(const float* source, std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    backend::check(cudaMemcpy(values.data(), source, values.size() * sizeof(float), cudaMemcpyDeviceToHost),
                   "cudaMemcpy");
    return values;
  }

  ExecutionPlan plan_;
  backend::Stream stream_;
  backend::GuardedAllocator allocator_;
  backend::Buffer<char> workspace_;
  backend::BlasHandle blas_;
  backend::Buffer<float> parameters_;
  backend::Buffer<float> gradients_;
  backend::NetworkPass pass_;
};

// The largest difference, as a share of the largest value.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  double apart = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
    apart = std::max(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest > 0 ? apart / largest : 1.0;
}

class NetworkPassTest : public KernelTest {};

TEST_F(NetworkPassTest, FusedBlocksGiveWhatLayersGive) {
  for (const NamedPlan& named : plans()) {
    SCOPED_TRACE(named.name);
    Pass fused(named.plan, true);
    Pass layered(named.plan, false);
    for (const std::int64_t batch : {batch_size, std::int64_t{4}}) {
      const Results a = fused.run(batch);
      const Results b = layered.run(batch);
      ASSERT_EQ(a.logits.size(), b.logits.size());
      EXPECT_LT(difference(a.logits, b.logits), 1e-5);
      EXPECT_LT(difference(a.code, b.code), 1e-5);
      EXPECT_LT(difference(a.gradients, b.gradients), 1e-5);
    }
  }
}

TEST_F(NetworkPassTest, FusedBlocksHaveNoPreactivations) {
  const ExecutionPlan plan = plans().front().plan;
  const Pass fused(plan, true);
  const Pass layered(plan, false);
  for (const std::size_t within : {1U, 2U, 4U, 5U}) {
    EXPECT_EQ(fused.pass().input_of(within), nullptr) << within;
    EXPECT_NE(layered.pass().input_of(within), nullptr) << within;
  }
  for (const std::size_t between : {0U, 3U, 6U}) {
    EXPECT_NE(fused.pass().input_of(between), nullptr) << between;
  }
}

TEST_F(NetworkPassTest, TellsTheRecorderOfBlocksAsOneOperation) {
  const ExecutionPlan plan = plans().front().plan;
  OperationNames fused;
  OperationNames layered;
  Pass(plan, true).run(batch_size, &fused);
  Pass(plan, false).run(batch_size, &layered);
  EXPECT_THAT(fused.names, ::testing::ElementsAre(
                               "conv2d_maxpool_sigmoid_forward", "conv2d_maxpool_sigmoid_forward", "dense_forward",
                               "dense_backward_data", "dense_backward_weights", "dense_backward_bias",
                               "conv2d_maxpool_sigmoid_backward_data", "conv2d_maxpool_sigmoid_backward_filters",
                               "conv2d_maxpool_sigmoid_backward_bias", "conv2d_maxpool_sigmoid_backward_filters",
                               "conv2d_maxpool_sigmoid_backward_bias"));
  EXPECT_EQ(layered.names.size(), 19U);
  EXPECT_LT(fused.flops, layered.flops);  // backwards a quarter of the products
}

}  // namespace
}  // namespace touchstone::test
