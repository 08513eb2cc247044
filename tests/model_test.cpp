// SPDX-License-Identifier: Apache-2.0
#include "touchstone/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/model/safetensors.h"
#include "tests/error_message.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Model seed_model() {
  const Network network = Network::named("seed");
  return {network, {0.1307, 0.3081}, initial_parameters(network, 3)};
}

std::span<const float> weights(const std::vector<float>& parameters, const Operation& operation) {
  return std::span(parameters)
      .subspan(static_cast<std::size_t>(operation.parameters.weights),
               static_cast<std::size_t>(operation.parameters.weights_count));
}

float largest_of(std::span<const float> values) { return *std::max_element(values.begin(), values.end()); }

double deviation(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

TEST(Model, SavesPyTorchsShapesAndNothingElse) {
  const test::TemporaryDirectory directory;
  seed_model().save(directory / "m.safetensors");
  const Safetensors contents = Safetensors::load(directory / "m.safetensors");
  ASSERT_EQ(contents.tensors.size(), 6U);
  EXPECT_EQ(contents.tensors.at("conv1.weight").shape_text(), "[8, 1, 5, 5]");
  EXPECT_EQ(contents.tensors.at("conv1.bias").shape_text(), "[8]");
  EXPECT_EQ(contents.tensors.at("conv2.weight").shape_text(), "[16, 8, 5, 5]");
  EXPECT_EQ(contents.tensors.at("dense1.weight").shape_text(), "[10, 256]");
  EXPECT_EQ(contents.tensors.at("dense1.bias").shape_text(), "[10]");
  EXPECT_EQ(contents.metadata.at("normalisation"), R"({"mean": 0.1307, "std": 0.3081})");
  EXPECT_EQ(contents.metadata.at("classes"), "10");
  EXPECT_EQ(contents.metadata.at("network"), Network::named("seed").toml());
  EXPECT_EQ(contents.metadata.size(), 3U);
}

TEST(Model, SmallNumbersAreSavedAsPlainDecimals) {
  const test::TemporaryDirectory directory;
  Model model = seed_model();
  model.normalisation = {1e-7, 2.5e-6};
  model.save(directory / "m");
  EXPECT_EQ(Safetensors::load(directory / "m").metadata.at("normalisation"),
            R"({"mean": 0.0000001, "std": 0.0000025})");
  EXPECT_EQ(Model::load(directory / "m").normalisation, model.normalisation);
}

TEST(Model, LoadsWhatItSaved) {
  const test::TemporaryDirectory directory;
  const Model model = seed_model();
  model.save(directory / "m.safetensors");
  const Model loaded = Model::load(directory / "m.safetensors");
  EXPECT_EQ(loaded.parameters, model.parameters);
  EXPECT_EQ(loaded.normalisation, model.normalisation);
  EXPECT_EQ(loaded.network.toml(), model.network.toml());
  EXPECT_EQ(load_parameters(directory / "m.safetensors", model.network), model.parameters);
}

TEST(Model, RefusesWhatDoesNotFit) {
  const test::TemporaryDirectory directory;
  const auto file = directory / "m.safetensors";
  seed_model().save(file);
  const Safetensors good = Safetensors::load(file);
  const auto message = [&](auto&& change) {
    Safetensors bad = good;
    change(bad);
    bad.save(file);
    return test::error_message([&] { Model::load(file); });
  };
  EXPECT_THAT(message([](Safetensors& bad) {
                bad.tensors.at("conv2.weight").shape = {8, 16, 5, 5};
              }),
              AllOf(HasSubstr("`conv2.weight` has shape [8, 16, 5, 5]"), HasSubstr("[16, 8, 5, 5]")));
  EXPECT_THAT(message([](Safetensors& bad) { bad.tensors.erase("dense1.bias"); }),
              HasSubstr("`dense1.bias` is missing"));
  EXPECT_THAT(message([](Safetensors& bad) {
                bad.tensors["extra"] = {TensorType::float32, {1}, {0}};
              }),
              HasSubstr("`extra` belongs to no layer"));
  EXPECT_THAT(message([](Safetensors& bad) { bad.metadata.erase("network"); }), HasSubstr("lack `network`"));
  EXPECT_THAT(message([](Safetensors& bad) { bad.metadata["network"] = "name = 3"; }), HasSubstr("metadata `network`"));
  EXPECT_THAT(message([](Safetensors& bad) { bad.metadata["classes"] = "11"; }),
              HasSubstr("its network has 10 outputs"));
  EXPECT_THAT(message([](Safetensors& bad) { bad.metadata["normalisation"] = "{}"; }), HasSubstr("normalisation"));
  EXPECT_THAT(message([](Safetensors& bad) { bad.metadata["normalisation"] = R"({"mean": 0, "std": 0})"; }),
              HasSubstr("a positive std"));
}

TEST(Model, ParametersOfAnotherNetworkAreRefused) {
  const test::TemporaryDirectory directory;
  seed_model().save(directory / "m");
  EXPECT_THAT(test::error_message([&] { load_parameters(directory / "m", Network::named("wide")); }),
              AllOf(HasSubstr("[8, 1, 5, 5]"), HasSubstr("[32, 1, 5, 5]"), HasSubstr("`wide`")));
}

TEST(InitialParameters, AreDecidedByTheSeed) {
  const Network network = Network::named("seed");
  EXPECT_EQ(initial_parameters(network, 5), initial_parameters(network, 5));
  EXPECT_NE(initial_parameters(network, 5), initial_parameters(network, 6));
}

TEST(InitialParameters, HaveGlorotsDeviationWithTheGainOfASigmoid) {
  const Network network = Network::named("wide");
  const ExecutionPlan plan = make_plan(network);
  const std::vector<float> parameters = initial_parameters(network, 1);
  // Uniform in +-a has the deviation a / sqrt(3). conv2: fan 32*25 and 64*25, gain 4; dense1: 1024 and 10, gain 1.
  const double conv2 = 4.0 * std::sqrt(2.0 / (800.0 + 1600.0));
  const double dense = std::sqrt(2.0 / (1024.0 + 10.0));
  EXPECT_NEAR(deviation(weights(parameters, plan.operations[3])) / conv2, 1.0, 0.02);
  EXPECT_NEAR(deviation(weights(parameters, plan.operations[6])) / dense, 1.0, 0.02);
  const float largest = largest_of(weights(parameters, plan.operations[6]));
  EXPECT_LE(largest, static_cast<float>(dense * std::sqrt(3.0)));
}

TEST(InitialParameters, BiasesAndGapsAreZero) {
  const Network network = Network::named("seed");
  std::vector<float> parameters = initial_parameters(network, 1);
  for (const Operation& operation : make_plan(network).operations) {
    const auto first = parameters.begin() + operation.parameters.weights;
    std::fill(first, first + operation.parameters.weights_count, 0.0F);
  }
  EXPECT_EQ(std::count(parameters.begin(), parameters.end(), 0.0F), static_cast<std::ptrdiff_t>(parameters.size()));
}

TEST(InitialParameters, NormalSchemesHaveTheSameDeviation) {
  std::string toml = Network::named("wide").toml();
  const std::string scheme = "glorot-uniform";
  toml.replace(toml.find(scheme), scheme.size(), "he-normal");
  const Network network = Network::parse(toml, "n.toml");
  const std::vector<float> parameters = initial_parameters(network, 1);
  const Operation dense = make_plan(network).operations[6];
  EXPECT_NEAR(deviation(weights(parameters, dense)) / std::sqrt(2.0 / 1024.0), 1.0, 0.02);
  EXPECT_GT(largest_of(weights(parameters, dense)), 3.0 * std::sqrt(2.0 / 1024.0));  // it has tails
}

TEST(Model, ATiedLayerSavesItsBiasAlone) {
  const test::TemporaryDirectory directory;
  const Network network = Network::named("autoencoder-tied");
  const Model model{network, {0.1307, 0.3081}, initial_parameters(network, 3)};
  model.save(directory / "m.safetensors");
  const Safetensors contents = Safetensors::load(directory / "m.safetensors");
  ASSERT_EQ(contents.tensors.size(), 3U);
  EXPECT_EQ(contents.tensors.at("encoder.weight").shape_text(), "[32, 784]");
  EXPECT_EQ(contents.tensors.at("decoder.bias").shape_text(), "[784]");
  EXPECT_EQ(Model::load(directory / "m.safetensors").parameters, model.parameters);
}

}  // namespace
}  // namespace touchstone
