// SPDX-License-Identifier: Apache-2.0
// `touchstone train` as its users meet it: results, files, going on.
#include <cmath>
#include <utility>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

using ::nlohmann::json;

class CliTrain : public CliTest {
 protected:
  /// The bytes of a safetensors file's tensors, without its header.
  [[nodiscard]] std::string tensors(std::string_view file) const {
    const std::string bytes = read(file);
    std::uint64_t header = 0;
    for (std::size_t i = 0; i < 8; ++i) header |= std::uint64_t{static_cast<unsigned char>(bytes.at(i))} << (8 * i);
    return bytes.substr(8 + header);
  }
};

TEST_F(CliTrain, JsonHoldsTheWholeRun) {
  const ProgramResult result = run(train_arguments({"--json", "--seed", "7"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  const json run = parse_json(result.out);
  EXPECT_EQ(run["device"], "cpu");
  EXPECT_EQ(run["dataset"], "data");
  EXPECT_EQ(run["network"], "tiny");
  EXPECT_EQ(run["parameters"], 3 * 9 + 3 + 3 * 12 + 3);
  EXPECT_EQ(run["seed"], 7);
  EXPECT_EQ(run["batch_size"], 8);
  EXPECT_TRUE(run["target_reached"].is_null());
  EXPECT_EQ(run["interrupted"], false);
  EXPECT_EQ(run["run_directory"], "run");
  EXPECT_EQ(run["model"], "run/model.safetensors");
  ASSERT_EQ(run["epochs"].size(), 2U);
  for (const char* key : {"train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate", "seconds"}) {
    EXPECT_TRUE(run["epochs"][1][key].is_number()) << key;
  }
  EXPECT_EQ(run["epochs"][1]["epoch"], 2);
  EXPECT_EQ(run["test_accuracy"], run["epochs"][1]["test_accuracy"]);
  EXPECT_LE(run["train_seconds"].get<double>() + run["load_seconds"].get<double>(), run["total_seconds"]);
  // What people read goes to standard error then.
  EXPECT_NE(result.err.find("train loss"), std::string::npos);
}

TEST_F(CliTrain, AnAutoencoderHasReconstructionErrors) {
  write("auto.toml", tiny_autoencoder(tied_decoder).toml());
  const std::vector<std::string> arguments = {"train", "data", "--network", "auto.toml", "--out", "auto"};
  const ProgramResult result = run(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"train error  test error  ", "\ntest error     ", "touchstone eval auto\n"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  }
  for (const char* part : {"accuracy", "predict"}) EXPECT_EQ(result.out.find(part), std::string::npos) << result.out;

  std::filesystem::remove_all(folder() / "auto");
  const json trained = run_json(arguments);
  EXPECT_TRUE(trained["test_loss"].is_number());
  EXPECT_FALSE(trained.contains("test_accuracy") || trained["epochs"][0].contains("test_accuracy"));
  const json evaluation = run_json({"eval", "auto"});
  EXPECT_NEAR(evaluation["test_loss"].get<double>(), trained["test_loss"].get<double>(), 1e-5);
  EXPECT_FALSE(evaluation.contains("test_accuracy") || evaluation.contains("confusion_matrix"));
  EXPECT_NE(run({"eval", "auto"}).out.find("error     "), std::string::npos);
  EXPECT_EQ(run_json({"info", "auto.toml"})["code"], (json{{"layer", "encoder"}, {"size", 3}}));
}

TEST_F(CliTrain, AnAutoencoderRefusesWhatNeedsClasses) {
  write("auto.toml", tiny_autoencoder(untied_decoder).toml());
  const std::vector<std::string> arguments = {"train", "data", "--network", "auto.toml", "--out", "auto"};
  std::vector<std::string> with_target = arguments;
  with_target.insert(with_target.end(), {"--target-accuracy", "0.9"});
  expect_error(run(with_target), 2, "is an autoencoder, which has no accuracy");
  EXPECT_FALSE(exists("auto"));
  ASSERT_EQ(run(arguments).exit_code, 0);
  write("a.pgm", "P5\n7 6\n255\n" + std::string(42, 'x'));
  expect_error(run({"predict", "auto", "a.pgm"}), 1, "`touchstone reconstruct`");
}

TEST_F(CliTrain, TextHoldsALineAnEpochAndWhatToDoNext) {
  const ProgramResult result = run(train_arguments());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  for (const char* part :
       {"device     cpu", "network    tiny, 69 parameters", "48 training and 20 test images of 1x6x7", "\n    1  ",
        "\n    2  ", "test accuracy  ", "touchstone eval run\n", "touchstone predict run IMAGE.png\n"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  }
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(result.out.find('\r'), std::string::npos);
}

TEST_F(CliTrain, QuietLeavesNothingButTheJson) {
  const ProgramResult silent = run(train_arguments({"--quiet"}));
  EXPECT_EQ(silent.exit_code, 0);
  EXPECT_EQ(silent.out + silent.err, "");
  const ProgramResult data = run({"train", "data", "--network", "tiny.toml", "--out", "other", "--quiet", "--json"});
  EXPECT_EQ(data.err, "");
  EXPECT_EQ(parse_json(data.out)["run_directory"], "other");
}

TEST_F(CliTrain, WithoutOutTheRunGetsADirectoryOfItsOwn) {
  const json run = run_json({"train", "data", "--network", "tiny.toml", "--epochs", "1"});
  const std::string directory = run["run_directory"];
  EXPECT_EQ(directory.rfind("runs/", 0), 0U) << directory;
  EXPECT_NE(directory.find("-data-tiny"), std::string::npos) << directory;
  EXPECT_TRUE(exists(directory + "/config.toml"));
}

TEST_F(CliTrain, HeldOutImagesGetTheirColumns) {
  const json run = run_json(train_arguments({"--validation", "16"}));
  EXPECT_TRUE(run["epochs"][0]["validation_loss"].is_number());
  EXPECT_TRUE(run["epochs"][0]["validation_accuracy"].is_number());
  std::filesystem::remove_all(folder() / "run");
  const std::string text = this->run(train_arguments({"--validation", "16"})).out;
  EXPECT_NE(text.find("held-out loss"), std::string::npos) << text;
}

TEST_F(CliTrain, TellsWhetherTheTargetWasReached) {
  EXPECT_EQ(run_json(train_arguments({"--target-accuracy", "0.01"}))["target_reached"], true);
  const json missed = run_json({"train", "data", "--network", "tiny.toml", "--out", "other", "--epochs", "1",
                                "--learning-rate", "1e-30", "--target-accuracy", "1"});
  EXPECT_EQ(missed["target_reached"], false);
}

TEST_F(CliTrain, AnotherOptimizerStartsFromItsOwnDefaults) {
  (void)run_json(train_arguments({"--optimizer", "adamw"}));
  const std::string config = read("run/config.toml");
  EXPECT_NE(config.find("adamw"), std::string::npos) << config;
  EXPECT_NE(config.find("learning_rate = 0.001"), std::string::npos) << config;
  EXPECT_NE(config.find("weight_decay = 0.01"), std::string::npos) << config;
}

TEST_F(CliTrain, FourFilesStandForADirectory) {
  const json run =
      run_json({"train", "--train-images", "data/train-images-idx3-ubyte", "--train-labels",
                "data/train-labels-idx1-ubyte", "--test-images", "data/t10k-images-idx3-ubyte", "--test-labels",
                "data/t10k-labels-idx1-ubyte", "--network", "tiny.toml", "--out", "files", "--epochs", "2"});
  const json directory = run_json(train_arguments());
  EXPECT_EQ(run["epochs"][1]["train_loss"], directory["epochs"][1]["train_loss"]);
}

TEST_F(CliTrain, DoesNotOverwriteARun) {
  (void)run_json(train_arguments());
  const std::string before = read("run/model.safetensors");
  expect_error(run(train_arguments({"--quiet"})), 1, "--resume");
  EXPECT_EQ(read("run/model.safetensors"), before);
}

TEST_F(CliTrain, ResumeWithMoreEpochsGivesTheBitsOfALongerRun) {
  (void)run_json(train_arguments({"--epochs", "3"}));
  const json resumed = run_json({"train", "--resume", "run", "--epochs", "5"});
  EXPECT_EQ(resumed["epochs"].size(), 5U);
  (void)run_json(train_arguments({"--epochs", "5", "--out", "whole"}));
  EXPECT_EQ(read("run/model.safetensors"), read("whole/model.safetensors"));
  EXPECT_EQ(tensors("run/checkpoint.safetensors"), tensors("whole/checkpoint.safetensors"));
  // The new number of epochs is the run's own from here on.
  EXPECT_EQ(run_json({"train", "--resume", "run"})["epochs"].size(), 5U);
}

TEST_F(CliTrain, ResumeTakesTheSettingsOfTheRun) {
  (void)run_json(train_arguments({"--device", "reference", "--seed", "9", "--batch-size", "5"}));
  const json resumed = run_json({"train", "--resume", "run", "--epochs", "3", "--batch-size", "5", "--seed", "9",
                                 "data", "--network", "tiny.toml"});
  EXPECT_EQ(resumed["device"], "reference");
  EXPECT_EQ(resumed["seed"], 9);
  EXPECT_EQ(resumed["batch_size"], 5);
}

TEST_F(CliTrain, ResumeRefusesAnythingElse) {
  (void)run_json(train_arguments());
  const std::vector<std::pair<std::vector<std::string>, std::string>> refusals = {
      {{"--network", "seed"}, "--network: the run in run has tiny, seed was given"},
      {{"--batch-size", "16"}, "--batch-size: the run in run has 8, 16 was given"},
      {{"--learning-rate", "0.5"}, "--learning-rate: the run in run has 0.2, 0.5 was given"},
      {{"--optimizer", "adam"}, "--optimizer: the run in run has sgd, adam was given"},
      {{"--seed", "2"}, "--seed: the run in run has 1, 2 was given"},
      {{"--no-shuffle"}, "--no-shuffle: the run in run has no, yes was given"},
      {{"--init", "x"}, "--init: the run in run has none"},
      {{"mnist"}, "DATA: the run in run has"},
      {{"--epochs", "1"}, "--epochs: the run in run has 2, 1 were given"},
  };
  const std::string before = read("run/config.toml") + tensors("run/checkpoint.safetensors");
  for (const auto& [more, part] : refusals) {
    std::vector<std::string> arguments = {"train", "--resume", "run"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_error(run(arguments), 1, part);
  }
  EXPECT_EQ(read("run/config.toml") + tensors("run/checkpoint.safetensors"), before);
  std::string other(tiny_network_toml);
  other.replace(other.find("filters = 3"), 11, "filters = 4");
  write("other.toml", other);
  expect_error(run({"train", "--resume", "run", "--network", "other.toml"}), 1, "the description of tiny is not the");
}

TEST_F(CliTrain, TensorCoresCanBeTurnedOffAndStaySoWhenARunGoesOn) {
  for (const auto& [prefix, count] : {std::pair{"train", 4U}, std::pair{"t10k", 2U}}) {
    write("data/" + std::string(prefix) + "-images-idx3-ubyte",
          idx_header({count, 28, 28}) + std::string(std::size_t{count} * 28 * 28, 'x'));
    write("data/" + std::string(prefix) + "-labels-idx1-ubyte", idx_header({count}) + std::string(count, '\1'));
  }
  const std::vector<std::string> seed = {"train", "data",     "--network",  "seed",     "--batch-size",
                                         "4",     "--device", "emulated:1", "--epochs", "1"};
  const auto path_of = [&](std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_json(arguments)["path"].get<std::string>();
  };
  const std::string part = ", convolutions by tensor cores";
  EXPECT_NE(path_of(seed, {"--out", "with"}).find(part), std::string::npos);
  EXPECT_NE(path_of(seed, {"--out", "auto", "--tensor-cores", "auto"}).find(part), std::string::npos);
  const std::string without = path_of(seed, {"--out", "without", "--tensor-cores", "off"});
  EXPECT_EQ(without.rfind("fused: persistent", 0), 0U) << without;
  EXPECT_EQ(without.find("tensor cores"), std::string::npos) << without;
  EXPECT_EQ(path_of({"train", "--resume", "without"}, {"--epochs", "2"}), without);
}

TEST_F(CliTrain, InitStartsFromGivenWeights) {
  (void)run_json(train_arguments());
  (void)run_json(train_arguments(
      {"--out", "again", "--epochs", "1", "--learning-rate", "1e-30", "--init", "run/model.safetensors"}));
  EXPECT_EQ(tensors("again/model.safetensors"), tensors("run/model.safetensors"));
}

}  // namespace
}  // namespace touchstone::test
