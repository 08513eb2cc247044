// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/tiny_data.h"
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

INSTANTIATE_TEST_SUITE_P(Devices, EvaluationOn, ::testing::Values("cpu", "reference"),
                         [](const auto& parameter) { return parameter.param; });

TEST(Evaluation, RefusesImagesOfAnotherSize) {
  const Network network = Network::named("seed");
  const Model model{network, {}, initial_parameters(network, 1)};
  EXPECT_THAT(test::error_message([&] { evaluate(model, tiny_images(3, 1)); }), HasSubstr("1x6x7"));
}

}  // namespace
}  // namespace touchstone
