// SPDX-License-Identifier: Apache-2.0
// bench, profile and scripts/nsight as they are called.
#include "cli_fixture.h"

namespace touchstone::test {
namespace {

using ::nlohmann::json;

class CliBench : public CliTest {
 protected:
  /// `touchstone bench` of as little as can be measured.
  [[nodiscard]] static std::vector<std::string> bench_arguments(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"bench", "--device",  "cpu", "--shapes",        "seed", "--batch-size",
                                          "2",     "--seconds", "0",   "--epoch-batches", "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  [[nodiscard]] ProgramResult run_nsight(std::vector<std::string> arguments) const {
    return run_program(TOUCHSTONE_SOURCE_DIR "/scripts/nsight", settings(std::move(arguments)));
  }
};

TEST_F(CliBench, TablesForPeople) {
  const std::string text = run(bench_arguments({"--against", "reference"})).out;
  for (const char* part :
       {"device   cpu", "against  reference", "peaks    ", "GFLOP/s", "of roof", "speed-up", "worst error",
        "seed: N=2 C=1 28x28 K=8 5x5 pool 2", "backward", "layered", "fused", "an epoch of", "images/s"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

TEST_F(CliBench, OneOperationInJson) {
  const json result = run_json(bench_arguments({"--operation", "sgd,epoch", "--operation", "accuracy"}));
  EXPECT_EQ(result["device"], "cpu");
  EXPECT_TRUE(result["against"].is_null());
  ASSERT_EQ(result["operations"].size(), 2U);
  EXPECT_EQ(result["operations"][0]["operation"], "accuracy");
  EXPECT_EQ(result["operations"][1]["operation"], "sgd");
  EXPECT_FALSE(result["operations"][1].contains("against"));
  ASSERT_EQ(result["epochs"].size(), 1U);
  EXPECT_EQ(result["epochs"][0]["batch_size"], 8);
  EXPECT_GT(result["epochs"][0]["layered_seconds"], 0);
}

TEST_F(CliBench, AnEpochOnBothPathsIsOneLine) {
  const std::string both = run(bench_arguments({"--operation", "epoch"})).out;
  EXPECT_NE(both.find("steps run  layered  speed-up"), std::string::npos) << both;
  const std::string one = run(bench_arguments({"--operation", "epoch", "--path", "layered"})).out;
  EXPECT_NE(one.find("layered"), std::string::npos) << one;
  EXPECT_EQ(one.find("speed-up"), std::string::npos) << one;
}

TEST_F(CliBench, BenchRefusesWhatThereIsNot) {
  expect_error(run(bench_arguments({"--operation", "sdg"})), 2, "unknown operation `sdg`; did you mean `sgd`?");
  expect_error(run(bench_arguments({"--shapes", "huge"})), 2, "unknown set of shapes `huge`");
  expect_error(run(bench_arguments({"--epoch-batches", "16,x"})), 2, "--epoch-batches: expected whole numbers");
  expect_error(run(bench_arguments({"--against", "gpu"})), 2, "gpu");
  expect_error(run({"bench", "--device", "reference"}), 2, "how fast reference could be");
}

TEST_F(CliBench, ProfileWritesTableAndTrace) {
  const ProgramResult result = run({"profile", "--network", "tiny.toml", "--device", "cpu", "--batch-size", "8",
                                    "--steps", "2", "--trace", "trace.json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"network  tiny, batches of 8", "steps    2", "operation", "share", "dense_forward", "total",
                           "a step takes", "trace    trace.json", "https://ui.perfetto.dev"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " is not in\n" << result.out;
  }
  EXPECT_GT(parse_json(read("trace.json"))["traceEvents"].size(), 10U);

  const json summary = run_json({"profile", "--network", "tiny.toml", "--device", "emulated", "--steps", "1"});
  EXPECT_EQ(summary["device"], "emulated");
  EXPECT_EQ(summary["operations"].size(), 2U);  // the launches of a fused step
  EXPECT_NE(summary["path"].get<std::string>().find("fused"), std::string::npos);
  const json layered =
      run_json({"profile", "--network", "tiny.toml", "--device", "emulated", "--steps", "1", "--path", "layered"});
  EXPECT_GT(layered["operations"].size(), 5U);
  EXPECT_FALSE(summary.contains("trace"));
}

TEST_F(CliBench, ProfileRefuses) {
  expect_error(run({"profile", "--device", "reference"}), 2, "reference does not time single operations");
  expect_error(run({"profile", "--steps", "0"}), 2, "--steps: expected a whole number from 1");
  expect_error(run({"profile", "--network", "sede"}), 2, "seed");
  expect_error(run({"profile", "--device", "cpu", "--steps", "1", "--trace", "no/such/folder/t.json"}), 1,
               "no/such/folder");
}

TEST_F(CliBench, NsightTellsWhatItWouldRun) {
  const ProgramResult systems =
      run_nsight({"systems", "--dry-run", "--program", "touchstone", "--output", "here", "--", "--network", "wide"});
  EXPECT_EQ(systems.exit_code, 0) << systems.err;
  for (const char* part : {"nsys profile ", "--trace=cuda", "--capture-range=cudaProfilerApi", "--output=here",
                           "touchstone profile --device cuda --network wide", "here.nsys-rep"}) {
    EXPECT_NE(systems.out.find(part), std::string::npos) << part << " is not in\n" << systems.out;
  }
  const ProgramResult compute = run_nsight({"compute", "--dry-run", "--kernel", "conv2d"});
  for (const char* part : {"ncu ", "--profile-from-start off", "SpeedOfLight_RooflineChart", "regex:conv2d",
                           "profile --device cuda --steps 1"}) {
    EXPECT_NE(compute.out.find(part), std::string::npos) << part << " is not in\n" << compute.out;
  }
}

TEST_F(CliBench, NsightSaysWhatIsMissing) {
  EXPECT_NE(run_nsight({"--help"}).out.find("usage: scripts/nsight"), std::string::npos);
  EXPECT_EQ(run_nsight({}).exit_code, 2);
  EXPECT_NE(run_nsight({"systems", "--kernel", "x"}).err.find("--kernel is for compute"), std::string::npos);

  // A PATH with what the script itself needs, and no profiler.
  std::filesystem::create_directory(folder() / "bin");
  for (const char* tool : {"bash", "env", "dirname", "readlink", "mkdir", "cat"}) {
    std::filesystem::create_symlink(std::string("/usr/bin/") + tool, folder() / "bin" / tool);
  }
  ProgramSettings without = settings({"compute"});
  without.environment = {{"PATH", (folder() / "bin").string()}};
  const ProgramResult result = run_program(TOUCHSTONE_SOURCE_DIR "/scripts/nsight", without);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("ncu was not found: install Nsight Compute"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace touchstone::test
