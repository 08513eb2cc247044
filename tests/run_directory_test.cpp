// SPDX-License-Identifier: Apache-2.0
#include "host/train/run_directory.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

using test::error_message;
using test::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

RunConfiguration full_configuration(const TemporaryDirectory& directory) {
  RunConfiguration run{.network = Network::named("wide"),
                       .device = {.name = "cuda:1", .threads = 3, .graph = false, .tf32 = true, .tensor_cores = false},
                       .initial_weights = directory / "w.safetensors"};
  run.settings.recipe = run.network.recipe();
  run.settings.recipe.use_optimizer(OptimizerKind::adamw);
  run.settings.recipe.learning_rate = 0.1 / 3.0;  // has no short decimal
  run.settings.recipe.schedule = {ScheduleKind::step, 5, 2, 0.3};
  run.settings.seed = 9223372036854775807U;
  run.settings.shuffle = false;
  run.settings.validation = 500;
  run.settings.target_accuracy = 0.98;
  run.data.files = IdxPaths{directory / "a", directory / "b", directory / "c", directory / "d"};
  return run;
}

TEST(RunConfiguration, ReadsBackWhatItWrote) {
  const TemporaryDirectory directory;
  const RunConfiguration written = full_configuration(directory);
  written.save(directory.path());
  const RunConfiguration read = RunConfiguration::load(directory.path());
  EXPECT_EQ(read.network.toml(), written.network.toml());
  EXPECT_EQ(read.device.name, "cuda:1");
  EXPECT_FALSE(read.device.graph);
  EXPECT_TRUE(read.device.tf32);
  EXPECT_FALSE(read.device.tensor_cores);
  EXPECT_EQ(read.device.threads, 3);
  EXPECT_EQ(read.settings.recipe.learning_rate, written.settings.recipe.learning_rate);
  EXPECT_EQ(read.settings.recipe.epochs, written.settings.recipe.epochs);
  EXPECT_EQ(read.settings.recipe.batch_size, written.settings.recipe.batch_size);
  EXPECT_EQ(read.settings.recipe.optimizer, written.settings.recipe.optimizer);
  EXPECT_EQ(read.settings.recipe.schedule, written.settings.recipe.schedule);
  EXPECT_EQ(read.settings.seed, written.settings.seed);
  EXPECT_EQ(read.settings.shuffle, false);
  EXPECT_EQ(read.settings.validation, 500);
  EXPECT_EQ(read.settings.target_accuracy, 0.98);
  EXPECT_EQ(read.initial_weights, directory / "w.safetensors");
  EXPECT_EQ(read.data.files->test_labels, directory / "d");
  EXPECT_FALSE(read.data.directory.has_value());
}

TEST(RunConfiguration, MakesPathsAbsolute) {
  const TemporaryDirectory directory;
  RunConfiguration run = full_configuration(directory);
  run.data = {.directory = "somewhere"};
  run.save(directory.path());
  EXPECT_EQ(RunConfiguration::load(directory.path()).data.directory, std::filesystem::absolute("somewhere"));
}

TEST(RunConfiguration, KeepsANetworkWhoseTextHoldsQuotes) {
  const TemporaryDirectory directory;
  RunConfiguration run = full_configuration(directory);
  run.network = Network::parse(run.network.toml() + "# ''' \\ \"\"\"\r\n", "n.toml");
  run.save(directory.path());
  EXPECT_EQ(RunConfiguration::load(directory.path()).network.toml(), run.network.toml());
}

TEST(RunConfiguration, RefusesAnUnknownKey) {
  const TemporaryDirectory directory;
  full_configuration(directory).save(directory.path());
  std::string text = test::read_file(directory / config_file);
  text.replace(text.find("threads"), 7, "treads ");
  (void)directory.write(config_file, text);
  EXPECT_THAT(error_message([&] { RunConfiguration::load(directory.path()); }),
              AllOf(HasSubstr("config.toml:"), HasSubstr("[run]"), HasSubstr("did you mean `threads`?")));
}

TEST(RunConfiguration, TensorCoresMayBeUsedWhereAnOlderRunDoesNotTell) {
  const TemporaryDirectory directory;
  full_configuration(directory).save(directory.path());
  std::string text = test::read_file(directory / config_file);
  const std::string line = "tensor_cores = false\n";
  ASSERT_NE(text.find(line), std::string::npos) << text;
  (void)directory.write(config_file, text.erase(text.find(line), line.size()));
  EXPECT_TRUE(RunConfiguration::load(directory.path()).device.tensor_cores);
}

TEST(RunConfiguration, SaysWhenThereIsNone) {
  const TemporaryDirectory directory;
  EXPECT_THAT(error_message([&] { RunConfiguration::load(directory.path()); }), HasSubstr("a run directory?"));
}

TEST(RunDirectory, IsNamedAfterTimeDataAndNetwork) {
  EXPECT_THAT(default_run_directory("mnist", "seed").string(),
              MatchesRegex("runs/[0-9]+-[0-9]+-[0-9]+T[0-9]+-[0-9]+-[0-9]+-mnist-seed"));
}

TEST(RunDirectory, IsCreatedWithItsParentsButNotOverARun) {
  const TemporaryDirectory directory;
  const auto run = directory / "a/b";
  create_run_directory(run);
  EXPECT_TRUE(std::filesystem::is_directory(run));
  create_run_directory(run);  // still empty
  (void)directory.write("a/b/config.toml", "");
  EXPECT_THAT(error_message([&] { create_run_directory(run); }),
              AllOf(HasSubstr("holds a run already"), HasSubstr("--resume")));
}

TEST(RunDirectory, CannotBeCreatedUnderAFile) {
  const TemporaryDirectory directory;
  const auto file = directory.write("file", "");
  EXPECT_THAT(error_message([&] { create_run_directory(file / "run"); }), HasSubstr("cannot create the run directory"));
  EXPECT_THAT(error_message([&] { create_run_directory(file); }), HasSubstr("cannot create the run directory"));
}

}  // namespace
}  // namespace touchstone
