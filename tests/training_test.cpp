// SPDX-License-Identifier: Apache-2.0
#include "touchstone/training.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "host/model/safetensors.h"
#include "host/train/run_directory.h"
#include "tests/error_message.h"
#include "tests/temporary_directory.h"
#include "tests/tiny_data.h"

namespace touchstone {
namespace {

using test::error_message;
using test::TemporaryDirectory;
using test::tiny_dataset;
using test::tiny_images;
using test::tiny_network;
using ::testing::AllOf;
using ::testing::HasSubstr;

TrainingSettings tiny_settings() { return {.recipe = tiny_network().recipe()}; }

/// Requests a stop once `calls` reports of progress have come.
class Stopper : public TrainingObserver {
 public:
  explicit Stopper(int calls) : calls_(calls) {
    if (calls_ == 0) source_.request_stop();
  }
  void on_progress(const TrainingProgress& progress) override {
    EXPECT_LE(progress.samples, progress.samples_per_epoch);
    if (--calls_ == 0) source_.request_stop();
  }
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  int calls_;
};

/// The tensors' bytes of a run's checkpoint, by name.
std::map<std::string, std::vector<double>> checkpoint_tensors(const TemporaryDirectory& run) {
  std::map<std::string, std::vector<double>> values;
  for (const auto& [name, tensor] : Safetensors::load(run / checkpoint_file).tensors) values[name] = tensor.values;
  return values;
}

std::vector<double> losses(const TrainingResult& result) {
  std::vector<double> values;
  for (const EpochReport& report : result.epochs) {
    values.insert(values.end(), {report.train_loss, *report.train_accuracy, report.test_loss, *report.test_accuracy});
  }
  return values;
}

class TrainingOn : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static DeviceRequest device() { return {.name = GetParam(), .threads = 2}; }
};

TEST_P(TrainingOn, AutoencodersLearn) {
  for (const std::string& decoder : {test::untied_decoder, test::tied_decoder}) {
    const Network network = test::tiny_autoencoder(decoder);
    const TrainingResult result = train(network, tiny_dataset(), {.recipe = network.recipe()}, device());
    ASSERT_EQ(result.epochs.size(), 8U);
    EXPECT_LT(result.test_loss, 0.5 * result.epochs.front().test_loss);
    EXPECT_EQ(result.test_loss, result.epochs.back().test_loss);
    EXPECT_FALSE(result.test_accuracy || result.epochs.back().train_accuracy || result.epochs.back().test_accuracy);
  }
}

TEST_P(TrainingOn, Learns) {
  const TrainingResult result = train(tiny_network(), tiny_dataset(), tiny_settings(), device());
  ASSERT_EQ(result.epochs.size(), 4U);
  EXPECT_GT(result.test_accuracy, 0.9);
  EXPECT_LT(result.epochs.back().train_loss, 0.5 * result.epochs.front().train_loss);
  EXPECT_EQ(result.test_accuracy, result.epochs.back().test_accuracy);
  EXPECT_EQ(result.target_reached, std::nullopt);
  EXPECT_FALSE(result.interrupted);
}

// 101 samples in batches of 8: 13 steps an epoch. Stopped before the first step, within the first epoch, within a later
// one, and exactly at an epoch's end.
TEST_P(TrainingOn, AStoppedRunGoesOnToTheSameBits) {
  const Network network = tiny_network();
  const Dataset dataset = tiny_dataset();
  TrainingSettings settings = tiny_settings();
  settings.validation = 20;
  settings.recipe.schedule.kind = ScheduleKind::cosine;
  const TemporaryDirectory whole;
  const TrainingResult uninterrupted = train(network, dataset, settings, device(), {.run_directory = whole.path()});
  for (const int reports : {0, 1, 3, 11, 12}) {
    const TemporaryDirectory parts;
    Stopper stopper(reports);
    const TrainingResult stopped =
        train(network, dataset, settings, device(),
              {.run_directory = parts.path(), .stop = stopper.token(), .observer = &stopper});
    ASSERT_TRUE(stopped.interrupted);
    EXPECT_LT(stopped.epochs.size(), 4U);
    const TrainingResult resumed =
        train(network, dataset, settings, device(), {.run_directory = parts.path(), .resume = true});
    EXPECT_FALSE(resumed.interrupted);
    EXPECT_EQ(losses(resumed), losses(uninterrupted));
    EXPECT_EQ(resumed.model.parameters, uninterrupted.model.parameters);
    EXPECT_EQ(checkpoint_tensors(parts), checkpoint_tensors(whole));
    EXPECT_EQ(test::read_file(parts / model_file), test::read_file(whole / model_file));
  }
}

TEST_P(TrainingOn, OrderlyBatchesAreTakenInFileOrderWithTheSmallerLast) {
  const Network network = tiny_network();
  const Dataset dataset = tiny_dataset();
  TrainingSettings settings = tiny_settings();
  settings.shuffle = false;
  settings.recipe.epochs = 1;
  const TrainingResult result = train(network, dataset, settings, device());

  const auto executor = make_executor(device(), {.plan = make_plan(network),
                                                 .normalisation = compute_normalisation(*dataset.training),
                                                 .optimizer = settings.recipe.optimizer,
                                                 .batch_size = 8});
  executor->upload(Split::training, dataset.training);
  const std::vector<float> initial = initial_parameters(network, settings.seed);
  executor->set_state(
      {.parameters = {initial.begin(), initial.end()}, .optimizer_slots = {std::vector<double>(initial.size(), 0.0)}});
  std::vector<std::uint32_t> samples(101);
  std::iota(samples.begin(), samples.end(), 0U);
  const std::vector<double> rates(13, settings.recipe.learning_rate);
  const Metrics metrics =
      executor->train({.samples = samples, .batch_size = 8, .learning_rates = rates, .first_step = 1});
  const std::vector<double> parameters = executor->state().parameters;
  EXPECT_EQ(result.model.parameters, std::vector<float>(parameters.begin(), parameters.end()));
  EXPECT_EQ(metrics.count, 101);
  EXPECT_NEAR(result.epochs[0].train_loss, metrics.mean_loss(), 1e-12);
}

TEST_P(TrainingOn, StopsWhereTheLossIsNoLongerFinite) {
  const TemporaryDirectory directory;
  Model model{tiny_network(), {}, initial_parameters(tiny_network(), 1)};
  model.parameters[3] = std::numeric_limits<float>::quiet_NaN();
  model.save(directory / "nan.safetensors");
  const TrainingOptions options{.initial_weights = directory / "nan.safetensors"};
  EXPECT_THAT(error_message([&] { train(tiny_network(), tiny_dataset(), tiny_settings(), device(), options); }),
              AllOf(HasSubstr("NaN or infinite at step 1 (epoch 1)"), HasSubstr("smaller learning rate than 0.2")));
}

INSTANTIATE_TEST_SUITE_P(Devices, TrainingOn, ::testing::Values("cpu", "reference"),
                         [](const auto& parameter) { return parameter.param; });

TEST(Training, ShufflingChangesTheOrderOfEachEpoch) {
  TrainingSettings settings = tiny_settings();
  const auto model_of = [&] { return train(tiny_network(), tiny_dataset(), settings).model.parameters; };
  const std::vector<float> shuffled = model_of();
  EXPECT_EQ(model_of(), shuffled);
  settings.shuffle = false;
  EXPECT_NE(model_of(), shuffled);
}

TEST(Training, KeepsTheWeightsThatAreBestOnTheHeldOutImages) {
  TrainingSettings settings = tiny_settings();
  settings.validation = 30;
  settings.recipe.epochs = 6;
  settings.recipe.learning_rate = 2.0;  // rough, so that the last epoch is not the best
  settings.seed = 3;
  const TrainingResult result = train(tiny_network(), tiny_dataset(), settings);
  const auto best = std::max_element(result.epochs.begin(), result.epochs.end(), [](const auto& a, const auto& b) {
    return *a.validation_accuracy < *b.validation_accuracy;
  });
  ASSERT_NE(best, std::prev(result.epochs.end())) << "the test needs a run whose last epoch is not its best";
  EXPECT_EQ(result.test_accuracy, best->test_accuracy);
  settings.recipe.epochs = best->epoch;
  EXPECT_EQ(train(tiny_network(), tiny_dataset(), settings).model.parameters, result.model.parameters);
}

TEST(Training, StopsEarlyAtTheTarget) {
  TrainingSettings settings = tiny_settings();
  settings.recipe.epochs = 50;
  settings.target_accuracy = 0.8;
  const TrainingResult result = train(tiny_network(), tiny_dataset(), settings);
  EXPECT_EQ(result.target_reached, true);
  EXPECT_LT(result.epochs.size(), 50U);
  EXPECT_GE(result.epochs.back().test_accuracy, 0.8);
  for (std::size_t i = 0; i + 1 < result.epochs.size(); ++i) EXPECT_LT(result.epochs[i].test_accuracy, 0.8);
}

TEST(Training, EndsNormallyWhereTheTargetIsNotReached) {
  TrainingSettings settings = tiny_settings();
  settings.recipe.epochs = 1;
  settings.recipe.learning_rate = 1e-9;
  settings.target_accuracy = 1.0;
  const TrainingResult result = train(tiny_network(), tiny_dataset(), settings);
  EXPECT_EQ(result.target_reached, false);
  EXPECT_FALSE(result.interrupted);
}

TEST(Training, AnAutoencodersBestWeightsHaveTheLeastError) {
  const Network network = test::tiny_autoencoder(test::tied_decoder);
  TrainingSettings settings{.recipe = network.recipe(), .validation = 20};
  settings.recipe.learning_rate = 0.3;  // so large that the last epoch need not be the best
  const TrainingResult result = train(network, tiny_dataset(), settings);
  const auto best = std::min_element(
      result.epochs.begin(), result.epochs.end(),
      [](const EpochReport& a, const EpochReport& b) { return *a.validation_loss < *b.validation_loss; });
  EXPECT_EQ(result.test_loss, best->test_loss);
  EXPECT_FALSE(best->validation_accuracy);
}

TEST(Training, AnAutoencoderHasNoTargetAccuracy) {
  const Network network = test::tiny_autoencoder(test::untied_decoder);
  const TrainingSettings settings{.recipe = network.recipe(), .target_accuracy = 0.9};
  EXPECT_THAT(error_message([&] { train(network, tiny_dataset(), settings); }),
              HasSubstr("target accuracy: the network `tiny-autoencoder` is an autoencoder"));
}

TEST(Training, AnAutoencodersMetricsHaveNoAccuracies) {
  const TemporaryDirectory run;
  const Network network = test::tiny_autoencoder(test::tied_decoder);
  train(network, tiny_dataset(), {.recipe = network.recipe()}, {}, {.run_directory = run.path()});
  std::istringstream lines(test::read_file(run / metrics_file));
  std::string line;
  std::getline(lines, line);
  const nlohmann::json json = nlohmann::json::parse(line);
  EXPECT_TRUE(json.contains("test_loss"));
  EXPECT_FALSE(json.contains("test_accuracy") || json.contains("train_accuracy"));
}

TEST(Training, WritesALineOfMetricsAnEpochAndTheModel) {
  const TemporaryDirectory run;
  const TrainingResult result =
      train(tiny_network(), tiny_dataset(), tiny_settings(), {}, {.run_directory = run.path()});
  std::istringstream lines(test::read_file(run / metrics_file));
  std::string line;
  for (const EpochReport& report : result.epochs) {
    ASSERT_TRUE(std::getline(lines, line));
    const nlohmann::json json = nlohmann::json::parse(line);
    EXPECT_EQ(json.at("epoch"), report.epoch);
    EXPECT_EQ(json.at("train_loss"), report.train_loss);
    EXPECT_EQ(json.at("test_accuracy"), *report.test_accuracy);
    EXPECT_EQ(json.at("learning_rate"), report.learning_rate);
    EXPECT_GT(json.at("seconds"), 0.0);
  }
  EXPECT_FALSE(std::getline(lines, line));
  EXPECT_EQ(Model::load(run / model_file).parameters, result.model.parameters);
}

TEST(Training, StartsFromGivenWeights) {
  const TemporaryDirectory run;
  const TrainingResult first =
      train(tiny_network(), tiny_dataset(), tiny_settings(), {}, {.run_directory = run.path()});
  TrainingSettings settings = tiny_settings();
  settings.recipe.epochs = 1;
  settings.recipe.learning_rate = 1e-30;  // below half an ulp of every weight
  const TrainingResult second =
      train(tiny_network(), tiny_dataset(), settings, {}, {.initial_weights = run / model_file});
  EXPECT_EQ(second.model.parameters, first.model.parameters);
}

TEST(Training, TakesABatchLargerThanTheSet) {
  TrainingSettings settings = tiny_settings();
  settings.recipe.batch_size = 1000;
  EXPECT_EQ(train(tiny_network(), tiny_dataset(), settings).epochs.size(), 4U);
}

TEST(Training, TrainsWhereAllPixelsAreEqual) {
  ImageSet images = {.count = 12,
                     .shape = {1, 6, 7},
                     .pixels = std::vector<std::uint8_t>(12 * 42, 77),
                     .labels = std::vector<std::uint8_t>(12, 1)};
  const auto shared = std::make_shared<const ImageSet>(std::move(images));
  const TrainingResult result = train(tiny_network(), {"equal", shared, shared}, tiny_settings());
  EXPECT_EQ(result.test_accuracy, 1.0);  // all have the same label
  EXPECT_EQ(result.model.normalisation.std, 1.0);
}

TEST(Training, RefusesDataThatDoNotFit) {
  const auto message = [](const Network& network, const Dataset& dataset) {
    return error_message([&] { train(network, dataset, tiny_settings()); });
  };
  EXPECT_THAT(message(Network::named("seed"), tiny_dataset()),
              AllOf(HasSubstr("1x6x7"), HasSubstr("1x28x28"), HasSubstr("`seed`")));
  ImageSet labels = {.count = 2, .shape = {1, 6, 7}, .pixels = std::vector<std::uint8_t>(84), .labels = {0, 3}};
  const auto bad = std::make_shared<const ImageSet>(std::move(labels));
  EXPECT_THAT(message(tiny_network(), {"bad", bad, tiny_images(5, 1)}),
              AllOf(HasSubstr("training image 1 has label 3"), HasSubstr("labels 0 to 2")));
  EXPECT_THAT(message(tiny_network(), {"bad", tiny_images(5, 1), bad}), HasSubstr("test image 1 has label 3"));
}

TEST(Training, RefusesSettingsOutOfRange) {
  const auto message = [](auto&& change) {
    TrainingSettings settings = tiny_settings();
    change(settings);
    return error_message([&] { train(tiny_network(), tiny_dataset(), settings); });
  };
  EXPECT_THAT(message([](auto& settings) { settings.recipe.epochs = 0; }), HasSubstr("epochs is 0"));
  EXPECT_THAT(message([](auto& settings) { settings.recipe.batch_size = -1; }), HasSubstr("batch size is -1"));
  EXPECT_THAT(message([](auto& settings) { settings.recipe.learning_rate = 0; }), HasSubstr("learning rate is 0"));
  EXPECT_THAT(message([](auto& settings) { settings.target_accuracy = 98; }), HasSubstr("target accuracy is 98"));
  EXPECT_THAT(message([](auto& settings) { settings.validation = 101; }), HasSubstr("101 images cannot be held out"));
}

TEST(Training, ATiedAutoencoderGoesOnToTheSameBits) {
  const Network network = test::tiny_autoencoder(test::tied_decoder);
  const TrainingSettings settings{.recipe = network.recipe()};
  const TrainingResult whole = train(network, tiny_dataset(), settings);
  const TemporaryDirectory run;
  Stopper stopper(20);
  const TrainingResult part = train(network, tiny_dataset(), settings, {},
                                    {.run_directory = run.path(), .stop = stopper.token(), .observer = &stopper});
  EXPECT_TRUE(part.interrupted);
  const TrainingResult resumed =
      train(network, tiny_dataset(), settings, {}, {.run_directory = run.path(), .resume = true});
  EXPECT_EQ(resumed.model.parameters, whole.model.parameters);
  EXPECT_EQ(resumed.test_loss, whole.test_loss);
  EXPECT_FALSE(resumed.epochs.front().test_accuracy);
}

TEST(Training, ResumesOnlyWhatItStarted) {
  const TemporaryDirectory run;
  Stopper stopper(3);
  train(tiny_network(), tiny_dataset(), tiny_settings(), {},
        {.run_directory = run.path(), .stop = stopper.token(), .observer = &stopper});
  const auto message = [&](const Network& network, const Dataset& dataset, const TrainingSettings& settings) {
    return error_message([&] { train(network, dataset, settings, {}, {.run_directory = run.path(), .resume = true}); });
  };
  EXPECT_THAT(message(tiny_network(), tiny_dataset(102), tiny_settings()), HasSubstr("another data set"));
  TrainingSettings settings = tiny_settings();
  settings.seed = 2;
  EXPECT_THAT(message(tiny_network(), tiny_dataset(), settings), HasSubstr("another seed (1, now 2)"));
  const Network other = Network::parse(test::tiny_network_toml + "# changed", "n.toml");
  EXPECT_THAT(message(other, tiny_dataset(), tiny_settings()), HasSubstr("another network"));
}

TEST(Training, RefusesATruncatedCheckpoint) {
  const TemporaryDirectory run;
  train(tiny_network(), tiny_dataset(), tiny_settings(), {}, {.run_directory = run.path()});
  std::string bytes = test::read_file(run / checkpoint_file);
  (void)run.write(checkpoint_file, bytes.substr(0, bytes.size() - 10));
  EXPECT_THAT(error_message([&] {
                train(tiny_network(), tiny_dataset(), tiny_settings(), {},
                      {.run_directory = run.path(), .resume = true});
              }),
              AllOf(HasSubstr("checkpoint.safetensors"), HasSubstr("not a valid safetensors file")));
}

}  // namespace
}  // namespace touchstone
