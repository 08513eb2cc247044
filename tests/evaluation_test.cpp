// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/tiny_data.h"
#include "touchstone/dense.h"
#include "touchstone/plan.h"
#include "touchstone/softmax_cross_entropy.h"
#include "touchstone/training.h"

namespace touchstone {
namespace {

using test::tiny_dataset;
using test::tiny_images;
using test::tiny_network;
using ::testing::HasSubstr;

Model trained_model() { return train(tiny_network(), tiny_dataset(), {.recipe = tiny_network().recipe()}).model; }

class EvaluationOn : public ::testing::TestWithParam<std::string> {};

TEST_P(EvaluationOn, AgreesWithTheTrainersOwn) {
  const DeviceRequest device{.name = GetParam()};
  const TrainingResult result = train(tiny_network(), tiny_dataset(), {.recipe = tiny_network().recipe()}, device);
  const Evaluation evaluation = evaluate(result.model, tiny_dataset().test, device);
  EXPECT_EQ(evaluation.count, 40);
  EXPECT_EQ(evaluation.accuracy, result.test_accuracy);
  EXPECT_NEAR(evaluation.loss, result.epochs.back().test_loss, 1e-5);
}

TEST_P(EvaluationOn, TheConfusionMatrixCountsEveryImageOnce) {
  const Dataset dataset = tiny_dataset();
  const Evaluation evaluation = evaluate(trained_model(), dataset.test, {.name = GetParam()});
  ASSERT_EQ(evaluation.confusion.size(), 3U);
  std::int64_t correct = 0;
  for (std::size_t label = 0; label < 3; ++label) {
    const auto& row = evaluation.confusion[label];
    const auto images =
        std::count(dataset.test->labels.begin(), dataset.test->labels.end(), static_cast<std::uint8_t>(label));
    EXPECT_EQ(std::accumulate(row.begin(), row.end(), std::int64_t{0}), images);
    correct += row[label];
  }
  EXPECT_EQ(evaluation.accuracy, static_cast<double>(correct) / 40.0);
}

TEST_P(EvaluationOn, ProbabilitiesSumToOneAndFavourTheClass) {
  const SharedImageSet images = tiny_images(300, 4);  // more than are computed at once
  const auto probabilities = predict(trained_model(), images, {.name = GetParam()});
  ASSERT_EQ(probabilities.size(), 300U);
  int favoured = 0;
  for (std::size_t n = 0; n < probabilities.size(); ++n) {
    EXPECT_NEAR(std::accumulate(probabilities[n].begin(), probabilities[n].end(), 0.0), 1.0, 1e-12);
    const auto largest = std::max_element(probabilities[n].begin(), probabilities[n].end());
    favoured += largest - probabilities[n].begin() == images->labels[n] ? 1 : 0;
  }
  EXPECT_GT(favoured, 270);
}

/// The last dense layer of a code gives the network's answer.
TEST_P(EvaluationOn, CodesAreTheInputOfTheLastDenseLayer) {
  const Model model = trained_model();
  const SharedImageSet images = tiny_images(300, 4);
  const Codes codes = encode(model, images, {.name = GetParam()});
  const ExecutionPlan plan = make_plan(model.network);
  const Operation& dense = plan.operations.back();
  ASSERT_EQ(codes.size, dense.input_count);
  ASSERT_EQ(codes.count, 300);
  ASSERT_EQ(codes.values.size(), static_cast<std::size_t>(codes.count * codes.size));

  const std::vector<double> parameters(model.parameters.begin(), model.parameters.end());
  const std::vector<double> values(codes.values.begin(), codes.values.end());
  const DenseShape shape{.batch = codes.count, .in_features = codes.size, .out_features = dense.output_count};
  std::vector<double> logits(static_cast<std::size_t>(shape.output_count()));
  reference::dense_forward(shape, values.data(), parameters.data() + dense.parameters.weights,
                           parameters.data() + dense.parameters.bias, logits.data());
  const auto probabilities = predict(model, images, {.name = GetParam()});
  const SoftmaxCrossEntropyShape row{.batch = 1, .classes = dense.output_count};
  for (std::size_t n = 0; n < probabilities.size(); ++n) {
    std::vector<double> expected(probabilities[n].size());
    reference::softmax_forward(row, logits.data() + n * expected.size(), expected.data());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(probabilities[n][i], expected[i], 1e-5);
  }
}

TEST_P(EvaluationOn, OfAnAutoencoderIsItsReconstructionError) {
  const Network network = test::tiny_autoencoder(test::tied_decoder);
  const Model model{network, {0.4, 0.3}, initial_parameters(network, 2)};
  const SharedImageSet images = tiny_images(300, 4);
  const Evaluation evaluation = evaluate(model, images, {.name = GetParam()});
  EXPECT_EQ(evaluation.count, 300);
  EXPECT_FALSE(evaluation.accuracy);
  EXPECT_TRUE(evaluation.confusion.empty());
  EXPECT_NEAR(evaluation.loss, evaluate(model, images, {.name = "reference"}).loss, 1e-5 * evaluation.loss);
  EXPECT_EQ(encode(model, images, {.name = GetParam()}).size, 3);
  EXPECT_THAT(test::error_message([&] { predict(model, images, {.name = GetParam()}); }),
              HasSubstr("`touchstone reconstruct`"));
}

INSTANTIATE_TEST_SUITE_P(Devices, EvaluationOn, ::testing::Values("cpu", "emulated", "reference"),
                         [](const auto& parameter) { return parameter.param; });

TEST(Evaluation, RefusesImagesOfAnotherSize) {
  const Network network = Network::named("seed");
  const Model model{network, {}, initial_parameters(network, 1)};
  EXPECT_THAT(test::error_message([&] { evaluate(model, tiny_images(3, 1)); }), HasSubstr("1x6x7"));
}

}  // namespace
}  // namespace touchstone
