// SPDX-License-Identifier: Apache-2.0
// Ctrl-C: the step is finished, the state is saved, and a resumed run ends with the bits of one that was never stopped.
#include <chrono>
#include <csignal>
#include <thread>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

using namespace std::chrono_literals;

class CliInterrupt : public CliTest {
 protected:
  /// A run that stands still as soon as it has written `room` bytes.
  [[nodiscard]] ProgramSettings blocked_run(const std::vector<std::string>& more, std::size_t room) const {
    ProgramSettings start = settings(train_arguments(more));
    start.pipe_room = room;
    return start;
  }

  void wait_for(std::string_view name) const {
    for (int i = 0; i < 6000 && !exists(name); ++i) std::this_thread::sleep_for(5ms);
    ASSERT_TRUE(exists(name));
  }

  /// Checks that what was interrupted can go on and ends as an uninterrupted run does.
  void expect_same_end(const std::string& epochs) {
    const nlohmann::json resumed = run_json({"train", "--resume", "run"});
    const nlohmann::json whole = run_json(train_arguments({"--out", "whole", "--epochs", epochs}));
    EXPECT_EQ(resumed["interrupted"], false);
    EXPECT_EQ(resumed["epochs"].size(), whole["epochs"].size());
    EXPECT_EQ(resumed["test_accuracy"], whole["test_accuracy"]);
    EXPECT_EQ(read("run/model.safetensors"), read("whole/model.safetensors"));
  }
};

TEST_F(CliInterrupt, BeforeTheFirstStep) {
  // It blocks at the first line of its output, after the run directory is made and before the first step.
  Subprocess program(TOUCHSTONE_PROGRAM, blocked_run({"--epochs", "3"}, 0));
  wait_for("run/config.toml");
  program.send(SIGINT);
  std::this_thread::sleep_for(100ms);  // the signal is on its way to the thread that waits for it
  const ProgramResult result = program.finish();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(result.out.find("interrupted after 0 of 3 epochs"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("touchstone train --resume run\n"), std::string::npos) << result.out;
  expect_same_end("3");
}

TEST_F(CliInterrupt, MidRun) {
  // What stands before the epochs takes some 500 bytes, an epoch's line 75: it stands still long before the last.
  Subprocess program(TOUCHSTONE_PROGRAM, blocked_run({"--epochs", "30"}, 1000));
  wait_for("run/metrics.jsonl");
  program.send(SIGTERM);
  std::this_thread::sleep_for(100ms);
  const ProgramResult result = program.finish();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(result.out.find("of 30 epochs; go on with"), std::string::npos) << result.out;
  expect_same_end("30");
}

TEST_F(CliInterrupt, TheJsonSaysSo) {
  std::vector<std::string> arguments = train_arguments({"--epochs", "30", "--json"});
  ProgramSettings start = settings(arguments);
  Subprocess program(TOUCHSTONE_PROGRAM, start);
  wait_for("run/config.toml");
  program.send(SIGINT);
  const ProgramResult result = program.finish();
  const nlohmann::json json = parse_json(result.out);
  // How far it got is a matter of chance; that both say the same is not.
  EXPECT_EQ(json["interrupted"].get<bool>(), result.exit_code == 130) << result.err;
  EXPECT_EQ(json["test_accuracy"].is_null(), json["epochs"].empty());
}

TEST_F(CliInterrupt, ASecondSignalEndsItAtOnce) {
  Subprocess program(TOUCHSTONE_PROGRAM, blocked_run({}, 0));
  wait_for("run/config.toml");
  program.send(SIGINT);
  std::this_thread::sleep_for(100ms);
  program.send(SIGTERM);
  EXPECT_EQ(program.finish().exit_code, -SIGTERM);
}

}  // namespace
}  // namespace touchstone::test
