// SPDX-License-Identifier: Apache-2.0
#include "touchstone/pca_comparison.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "host/report/pca_report.h"
#include "tests/error_message.h"
#include "touchstone/plan.h"
#include "touchstone/training.h"

namespace touchstone {
namespace {

using ::testing::HasSubstr;

/// Six images of four pixels that differ from 100 by 30 in the first, 20 in the second or 10 in the third.
ImageSet cross() {
  ImageSet images;
  images.count = 6;
  images.shape = {1, 1, 4};
  images.pixels = {130, 100, 100, 100, 70,  100, 100, 100, 100, 120, 100, 100,
                   100, 80,  100, 100, 100, 100, 110, 100, 100, 100, 90,  100};
  images.labels.assign(6, 0);
  return images;
}

Network network(const std::string& layers, const std::string& loss = "half-squared-error") {
  return Network::parse(
      "name = \"small\"\ninput = [1, 1, 4]\nloss = \"" + loss + "\"\nlayers = [{type = \"flatten\"}, " + layers + "]\n",
      "small.toml");
}

const std::string untied = "{type = \"dense\", units = 2}, {type = \"dense\", units = 4}";
const std::string tied = "{type = \"dense\", name = \"encoder\", units = 2}, {type = \"dense\", tied_to = \"encoder\"}";
const std::string deep =
    "{type = \"dense\", units = 3}, {type = \"dense\", units = 2}, {type = \"dense\", units = 3}, "
    "{type = \"dense\", units = 4}";

/// A model without normalisation whose biases are 7.
Model make_model(const Network& network) {
  Model model{network, {}, {}};
  const ExecutionPlan plan = make_plan(network);
  model.parameters.assign(static_cast<std::size_t>(plan.parameter_floats), 0.0F);
  for (const Operation& operation : plan.operations) {
    std::fill_n(model.parameters.begin() + operation.parameters.bias, operation.parameters.bias_count, 7.0F);
  }
  return model;
}

void set_weights(Model& model, std::size_t operation, const std::vector<float>& weights) {
  const ParameterSlot slot = make_plan(model.network).operations[operation].parameters;
  std::copy(weights.begin(), weights.end(), model.parameters.begin() + slot.weights);
}

/// What the third pixel varies by is lost: twice 10 in six images.
constexpr double best_loss = 2 * 10.0 * 10.0 / 6 / (255.0 * 255.0) / 2;

void expect_angles(const PcaComparison& comparison, double first, double second) {
  ASSERT_EQ(comparison.angles.size(), 2U);
  EXPECT_NEAR(comparison.angles[0], first, 1e-6);
  EXPECT_NEAR(comparison.angles[1], second, 1e-6);
}

TEST(PcaComparison, OfADecoderThatSpansTheComponents) {
  Model model = make_model(network(untied));
  set_weights(model, 1, {1, 1, 2, -1, 0, 0, 0, 0});  // [out,in]: the columns are (1,2,0,0) and (1,-1,0,0)
  const PcaComparison comparison = compare_with_pca(model, cross(), cross());
  EXPECT_EQ(comparison.components, 2);
  EXPECT_EQ(comparison.fitted_images, 6);
  EXPECT_NEAR(comparison.loss, best_loss, 1e-9);  // pixels are rounded to float32
  expect_angles(comparison, 0, 0);
}

TEST(PcaComparison, OfADecoderThatIsTurned) {
  Model model = make_model(network(untied));
  set_weights(model, 1, {2, 0, 0, 3, 0, 3, 0, 0});  // (2,0,0,0) and (0,3,3,0)
  expect_angles(compare_with_pca(model, cross(), cross()), 0, std::numbers::pi / 4);
}

TEST(PcaComparison, OfTiedWeights) {
  Model model = make_model(network(tied));
  set_weights(model, 0, {1, 0, 0, 0, 0, 0, 0, 1});  // [2,4]: the rows span what the decoder does
  expect_angles(compare_with_pca(model, cross(), cross()), 0, std::numbers::pi / 2);
}

TEST(PcaComparison, OfADecoderOfSeveralLayers) {
  Model model = make_model(network(deep));
  set_weights(model, 2, {1, 0, 0, 1, 0, 0});                    // (1,0) to (1,0,0) and (0,1) to (0,1,0)
  set_weights(model, 3, {0, 1, 5, 3, 0, 5, 0, 0, 5, 0, 1, 5});  // columns (0,3,0,0), (1,0,0,1), (5,5,5,5)
  expect_angles(compare_with_pca(model, cross(), cross()), 0, std::numbers::pi / 4);
}

TEST(PcaComparison, EvaluatesOtherImagesThanItIsFittedTo) {
  Model model = make_model(network(untied));
  set_weights(model, 1, {1, 0, 0, 1, 0, 0, 0, 0});
  model.normalisation = {.mean = 0.5, .std = 0.5};
  ImageSet other = cross();
  other.count = 1;
  other.pixels = {0, 0, 151, 100};  // 51 pixels' worth from the mean, in a direction left out
  EXPECT_NEAR(compare_with_pca(model, cross(), other).loss, 0.4 * 0.4 / 2, 1e-6);
}

TEST(PcaComparison, IsForLinearAutoencoders) {
  EXPECT_TRUE(is_linear_autoencoder(network(untied)));
  EXPECT_TRUE(is_linear_autoencoder(network(tied)));
  EXPECT_TRUE(is_linear_autoencoder(network(deep)));
  EXPECT_FALSE(is_linear_autoencoder(network(untied, "softmax-cross-entropy")));
  EXPECT_FALSE(is_linear_autoencoder(network("{type = \"dense\", units = 4}, {type = \"dense\", units = 4}")));
  EXPECT_FALSE(is_linear_autoencoder(
      network("{type = \"dense\", units = 2}, {type = \"sigmoid\"}, {type = \"dense\", units = 4}")));
}

TEST(PcaComparison, SaysWhyItCannotBe) {
  const Model model = make_model(network(untied));
  EXPECT_THAT(test::error_message([&] { compare_with_pca(model, cross(), cross()); }), HasSubstr("linearly dependent"));
  ImageSet none = cross();
  none.count = 0;
  none.pixels = {};
  none.labels = {};
  EXPECT_THAT(test::error_message([&] { compare_with_pca(model, none, cross()); }), HasSubstr("no training images"));
  ImageSet other = cross();
  other.shape = {1, 4, 1};
  EXPECT_THAT(test::error_message([&] { compare_with_pca(model, other, cross()); }),
              HasSubstr("the training images are 1x4x1"));
}

/// Training approaches the best that there is, and does not fall below it.
TEST(PcaComparison, BoundsWhatTrainingReaches) {
  Dataset dataset{.name = "cross",
                  .training = std::make_shared<const ImageSet>(cross()),
                  .test = std::make_shared<const ImageSet>(cross())};
  const Network untrained = network(untied);
  TrainingRecipe recipe = untrained.recipe();
  recipe.epochs = 400;
  recipe.batch_size = 6;
  recipe.use_optimizer(OptimizerKind::adam);
  recipe.learning_rate = 0.02;
  const Model model = train(untrained, dataset, {.recipe = recipe}).model;
  const double loss = evaluate(model, dataset.test).loss;
  const PcaComparison comparison = compare_with_pca(model, *dataset.training, *dataset.test);
  EXPECT_GE(loss, comparison.loss * (1 - 1e-5));
  EXPECT_LE(loss, comparison.loss * 1.01);
  EXPECT_LT(comparison.angles.back(), 0.1);
}

TEST(PcaReport, GivesDegrees) {
  const PcaComparison comparison = {
      .components = 2, .fitted_images = 60000, .loss = 4, .angles = {0, std::numbers::pi / 4}};
  EXPECT_EQ(report::pca_text(comparison, 5),
            "PCA       4.0000 with 2 components of 60,000 training images, the optimum; the autoencoder's error is "
            "125.00 % of it\n"
            "angles    45 degrees at most, 22.5 in the median, between the decoder's subspace and that of PCA\n");
  const nlohmann::json json = report::pca_json(comparison, 5);
  EXPECT_EQ(json["ratio"], 1.25);
  EXPECT_EQ(json["loss"], 4);
  EXPECT_DOUBLE_EQ(json["largest_angle"], 45);
  EXPECT_DOUBLE_EQ(json["median_angle"], 22.5);
  EXPECT_EQ(json["angles"].size(), 2U);
}

}  // namespace
}  // namespace touchstone
