// SPDX-License-Identifier: Apache-2.0
// Where a step's time goes: what is recorded, how it is summed up, and that recording changes nothing.
#include "host/bench/profile.h"

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "error_message.h"

namespace touchstone::bench {
namespace {

using ::testing::HasSubstr;

constexpr const char* small_network = R"(
name = "small"
input = [1, 9, 8]
[[layers]]
type = "conv2d"
filters = 3
kernel = 2
[[layers]]
type = "sigmoid"
[[layers]]
type = "maxpool2d"
kernel = 2
[[layers]]
type = "flatten"
[[layers]]
type = "dense"
units = 4
)";

Network network() { return Network::parse(small_network, "small.toml"); }

SessionSettings settings_for(const std::string& device, int threads = 1) {
  SessionSettings settings{.batch_size = 16};
  settings.device.name = device;
  settings.device.threads = threads;
  return settings;
}

RecordedOperation recorded(const char* operation, const char* layer, double begin, double seconds) {
  return {.cost = {operation, 6, 2}, .layer = layer, .lane = 0, .begin = begin, .seconds = seconds};
}

TEST(Summarise, AddsUpByOperationAndLayer) {
  const std::vector<ProfileLine> lines =
      summarise({recorded("dense_forward", "dense1", 0, 1), recorded("conv2d_forward", "conv1", 1, 2),
                 recorded("conv2d_forward", "conv2", 3, 5), recorded("conv2d_forward", "conv1", 8, 2)});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].layer, "conv2");  // the longest first
  EXPECT_EQ(lines[1].layer, "conv1");
  EXPECT_EQ(lines[1].calls, 2);
  EXPECT_EQ(lines[1].seconds, 4);
  EXPECT_EQ(lines[1].flops, 12);
  EXPECT_EQ(lines[1].flops_per_second(), 3);
  EXPECT_EQ(lines[1].bytes_per_second(), 1);
  const ProfileReport report{.seconds = 10, .lanes = 2, .lines = lines};
  EXPECT_EQ(report.total().calls, 4);
  EXPECT_EQ(report.busy(), 0.5);
}

std::map<std::string, ProfileLine> by_operation(const ProfileReport& report) {
  std::map<std::string, ProfileLine> lines;
  for (const ProfileLine& line : report.lines) lines[line.operation] = line;
  return lines;
}

TEST(Profile, RecordsEveryOperationOfTheCpu) {
  const ProfileReport report = profile(network(), settings_for("cpu", 2), 3);
  EXPECT_EQ(report.device, "cpu");
  EXPECT_EQ(report.steps, 3);
  EXPECT_GT(report.seconds, 0);
  const auto lines = by_operation(report);
  for (const char* operation :
       {"gather", "conv2d_maxpool_sigmoid_forward", "dense_forward", "softmax_cross_entropy", "accuracy",
        "dense_backward_data", "dense_backward_weights", "dense_backward_bias",
        "conv2d_maxpool_sigmoid_backward_filters", "conv2d_maxpool_sigmoid_backward_bias", "sgd"}) {
    EXPECT_TRUE(lines.contains(operation)) << operation;
  }
  EXPECT_EQ(lines.size(), 11U);
  // Whatever the groups that a mini-batch is cut into, together they are 3 steps of 16 samples.
  EXPECT_EQ(lines.at("dense_forward").flops, cost::forward(DenseShape{3 * 16, 36, 4}).flops);
  EXPECT_EQ(lines.at("dense_forward").layer, "dense1");
  EXPECT_EQ(lines.at("conv2d_maxpool_sigmoid_forward").layer, "conv1");
  for (const RecordedOperation& operation : report.operations) {
    EXPECT_GE(operation.begin, 0);
    EXPECT_GE(operation.seconds, 0);
    EXPECT_LT(operation.lane, 2);
  }
}

TEST(Profile, RecordsEveryLaunchUnderEmulation) {
  const ProfileReport report = profile(network(), settings_for("emulated"), 2);
  EXPECT_EQ(report.lanes, 1);
  const auto lines = by_operation(report);
  // In spite of the graph that a step has become by then.
  for (const char* operation : {"gather", "dense_forward", "softmax_cross_entropy", "accuracy", "sgd"}) {
    ASSERT_TRUE(lines.contains(operation)) << operation;
    EXPECT_EQ(lines.at(operation).calls, 2) << operation;
  }
  EXPECT_EQ(lines.at("dense_forward").flops, cost::forward(DenseShape{2 * 16, 36, 4}).flops);
  for (std::size_t i = 1; i < report.operations.size(); ++i) {
    EXPECT_GE(report.operations[i].begin, report.operations[i - 1].begin);
  }
}

TEST(Profile, ReferenceIsRefused) {
  EXPECT_THAT(test::error_message([] { profile(network(), settings_for("reference"), 1); }),
              HasSubstr("reference does not time single operations"));
}

TEST(Profile, RecordingChangesNoResult) {
  for (const char* device : {"cpu", "emulated"}) {
    const SharedImageSet images = random_images(network(), 1);
    TrainingSession plain(network(), images, settings_for(device));
    TrainingSession watched(network(), images, settings_for(device));
    plain.run(5);
    watched.run(3);
    watched.executor().start_recording();
    watched.run(1);
    EXPECT_FALSE(watched.executor().stop_recording().empty()) << device;
    watched.run(1);
    EXPECT_EQ(plain.executor().state().parameters, watched.executor().state().parameters) << device;
    EXPECT_TRUE(watched.executor().stop_recording().empty()) << "nothing is recorded any more on " << device;
  }
}

TEST(Profile, JsonSharesAddUpToOne) {
  const nlohmann::ordered_json json = to_json(profile(network(), settings_for("cpu"), 2));
  double share = 0;
  for (const auto& line : json["operations"]) {
    share += line["share"].get<double>();
    EXPECT_TRUE(line["flops_per_second"].is_number());
  }
  EXPECT_NEAR(share, 1, 1e-9);
  EXPECT_EQ(json["batch_size"], 16);
  EXPECT_EQ(json["steps"], 2);
}

TEST(Trace, HoldsASliceForEachOperationThatOverlapsNoOther) {
  const ProfileReport report = profile(network(), settings_for("cpu", 2), 2);
  const nlohmann::json trace = nlohmann::json::parse(chrome_trace(report).dump());
  std::size_t slices = 0;
  std::map<int, double> ends;  // by track
  std::set<int> named;
  for (const auto& event : trace.at("traceEvents")) {
    EXPECT_EQ(event.at("pid"), 1);
    const int track = event.at("tid").get<int>();
    if (event.at("ph") == "M") {
      EXPECT_FALSE(event.at("args").at("name").get<std::string>().empty());
      if (event.at("name") == "thread_name") named.insert(track);
      continue;
    }
    ASSERT_EQ(event.at("ph"), "X");
    ++slices;
    const auto begin = event.at("ts").get<double>();
    EXPECT_GE(begin, ends[track]) << event;
    ends[track] = begin + event.at("dur").get<double>();
    EXPECT_TRUE(event.at("args").at("flops").is_number());
    EXPECT_TRUE(named.contains(track));
  }
  EXPECT_EQ(slices, report.operations.size());
}

TEST(RandomImages, FitTheNetworkAndRepeat) {
  const SharedImageSet images = random_images(network(), 7);
  EXPECT_EQ(images->count, epoch_images);
  EXPECT_EQ(images->shape, network().input());
  EXPECT_EQ(images->labels.size(), 60'000U);
  EXPECT_LT(*std::max_element(images->labels.begin(), images->labels.end()), 4);
  EXPECT_TRUE(std::equal(images->pixels.begin(), images->pixels.end(), random_images(network(), 7)->pixels.begin()));
  EXPECT_FALSE(std::equal(images->pixels.begin(), images->pixels.end(), random_images(network(), 8)->pixels.begin()));
}

}  // namespace
}  // namespace touchstone::bench
