// SPDX-License-Identifier: Apache-2.0
// The command line itself: help, version, what it refuses and how.
#include <sstream>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

class CliUsage : public CliTest {};

TEST_F(CliUsage, HelpFitsEightyColumnsAndHasExamples) {
  const std::vector<std::vector<std::string>> calls = {{},
                                                       {"--help"},
                                                       {"-h"},
                                                       {"train", "--help"},
                                                       {"eval", "-h"},
                                                       {"--help", "predict"},
                                                       {"info", "--help"},
                                                       {"bench", "--help"},
                                                       {"encode", "--help"},
                                                       {"reconstruct", "--help"},
                                                       {"divergence", "--help"},
                                                       {"profile", "--help"}};
  for (const auto& call : calls) {
    const ProgramResult result = run(call);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_NE(result.out.find("Usage: touchstone"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("Examples:\n  touchstone "), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("--device auto|cpu|cuda|emulated|reference"), std::string::npos) << result.out;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST_F(CliUsage, HelpOfTrainShowsEveryOptionWithItsDefault) {
  const std::string help = run({"train", "--help"}).out;
  for (const char* option :
       {"--network",         "--epochs",   "--batch-size", "--learning-rate", "--optimizer",    "--momentum",
        "--weight-decay",    "--schedule", "--warmup",     "--init",          "--no-shuffle",   "--validation",
        "--target-accuracy", "--out",      "--resume",     "--train-images",  "--train-labels", "--test-images",
        "--test-labels",     "--threads",  "--seed",       "--quiet"}) {
    EXPECT_NE(help.find(option), std::string::npos) << option;
  }
  EXPECT_NE(help.find("[default: seed]"), std::string::npos) << help;
  EXPECT_NE(help.find("[default: 64]"), std::string::npos) << help;
}

TEST_F(CliUsage, VersionNamesTheBuild) {
  const std::string text = run({"--version"}).out;
  EXPECT_EQ(text.rfind("touchstone 0.1.0\n", 0), 0U) << text;
  for (const char* part : {"commit", "compiler", "backends", "emulated reference", "CUDA architectures", "processor"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  const nlohmann::json json = run_json({"--version"});
  EXPECT_EQ(json["version"], "0.1.0");
  EXPECT_TRUE(json["backends"].is_array());
}

/// A command line that is refused, and a part of what is said about it.
struct Refusal {
  std::vector<std::string> arguments;
  std::string part;
};

TEST_F(CliUsage, RefusesWithTheNearestSpelling) {
  const std::vector<Refusal> refusals = {
      {{"trian"}, "unknown command trian: did you mean train?"},
      {{"frobnicate"}, "unknown command frobnicate: expected train, eval, predict"},
      {{"--device", "cpu", "evla"}, "did you mean eval?"},
      {{"train", "--epoch", "3"}, "unknown option --epoch: did you mean --epochs?"},
      {{"train", "--epoch=3"}, "unknown option --epoch: did you mean --epochs?"},
      {{"--epochs", "3", "train"}, "unknown option --epochs: touchstone --help"},
      {{"train", "--frobnicate"}, "unknown option --frobnicate: touchstone train --help"},
      {{"train", "-x"}, "unknown option -x"},
      {{"train", "--optimizer", "sdg"}, "--optimizer: unknown value sdg: did you mean sgd?"},
      {{"train", "--optimizer", "lion"}, "--optimizer: unknown value lion: expected sgd, adam or adamw"},
      {{"train", "--schedule", "cosin"}, "--schedule: unknown value cosin: did you mean cosine?"},
      {{"train", "--device", "cpi"}, "--device: unknown device cpi: did you mean cpu?"},
      {{"train", "--tensor-cores", "of"}, "--tensor-cores: unknown value of: did you mean off?"},
      {{"train", "--tensor-cores", "on"}, "--tensor-cores: unknown value on: expected auto or off"},
      {{"train", "--device", "emulated:x"}, "unknown device"},
      {{"--device", "toaster", "train"}, "--device: unknown device toaster: expected auto, cpu"},
      {{"train", "--network", "sead"}, "seed"},
      {{"info", "devises"}, "did you mean devices?"},
      {{"info", "minst"}, "did you mean mnist?"},
      {{"eval", "model", "--split", "tset"}, "--split: unknown value tset: did you mean test?"},
      {{"--json"}, "a command is missing"},
  };
  for (const Refusal& refusal : refusals) expect_error(run(refusal.arguments), 2, refusal.part);
}

TEST_F(CliUsage, RefusesValuesThatDoNotFit) {
  const std::vector<Refusal> refusals = {
      {{"train", "--epochs"}, "--epochs needs a value: N"},
      {{"train", "--epochs", "--quiet"}, "--epochs needs a value: N"},
      {{"train", "--epochs", "0"}, "--epochs: expected a whole number from 1"},
      {{"train", "--epochs", "-1"}, "got -1"},
      {{"train", "--epochs", "3x"}, "got 3x"},
      {{"train", "--epochs", ""}, "--epochs: expected a whole number"},
      {{"train", "--epochs", "99999999999999999999"}, "got 99999999999999999999"},
      {{"train", "--batch-size", "1.5"}, "got 1.5"},
      {{"train", "--learning-rate", "fast"}, "--learning-rate: expected a number of at least 0, got fast"},
      {{"train", "--learning-rate", "nan"}, "got nan"},
      {{"train", "--learning-rate", "-0.1"}, "got -0.1"},
      {{"train", "--target-accuracy", "98"}, "--target-accuracy: expected a number from 0 to 1, got 98"},
      {{"train", "--threads", "-2"}, "--threads: expected a whole number from 0 to 1024, got -2"},
      {{"train", "--seed", "-1"}, "--seed: expected a whole number"},
      {{"train", "--momentum", "1"}, "momentum"},
      {{"train", "--optimizer", "adam", "--momentum", "0.9"}, "--momentum belongs to sgd, the optimizer is adam"},
      {{"train", "--out", ""}, "--out: expected DIR, got an empty text"},
      {{"train", "data", "more"}, "unexpected argument more"},
      {{"train", "--train-images", "a", "--test-labels", "b"},
       "--train-images, --test-labels needs --train-labels, --test-images beside it"},
      {{"train", "data", "--train-images", "a"}, "DATA is given already"},
      {{"train", "--resume", "run", "--out", "other"}, "--out: a run that is resumed"},
      {{"eval"}, "MODEL is missing"},
      {{"predict"}, "MODEL is missing"},
      {{"predict", "model.safetensors"}, "IMAGE is missing"},
  };
  for (const Refusal& refusal : refusals) expect_error(run(refusal.arguments), 2, refusal.part);
  EXPECT_FALSE(exists("runs"));
}

TEST_F(CliUsage, GlobalOptionsStandBeforeOrAfterTheCommand) {
  const std::string before = run({"--json", "info", "seed"}).out;
  EXPECT_EQ(before, run({"info", "seed", "--json"}).out);
  EXPECT_EQ(parse_json(before)["name"], "seed");
  EXPECT_EQ(run({"--quiet", "info"}).out, "");
  EXPECT_EQ(run({"info", "--quiet"}).out, "");
}

TEST_F(CliUsage, TheLastOfRepeatedOptionsCounts) {
  EXPECT_EQ(run_json(train_arguments({"--epochs", "1", "--seed", "3", "--seed=5"}))["seed"], 5);
}

}  // namespace
}  // namespace touchstone::test
