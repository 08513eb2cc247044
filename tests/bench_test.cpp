// SPDX-License-Identifier: Apache-2.0
// How a device is measured: sampling, the roofline, and what a report holds. No time is compared with another.
#include "host/bench/bench.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "error_message.h"
#include "host/check/check.h"
#include "host/check/devices.h"
#include "touchstone/error.h"

namespace touchstone::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Measurement, IsTheMedianWithTheQuartilesAround) {
  const Measurement odd = measurement_of({5, 1, 3, 2, 4});
  EXPECT_EQ(odd.median, 3);
  EXPECT_DOUBLE_EQ(odd.spread, (4.0 - 2.0) / 2 / 3);
  EXPECT_EQ(odd.samples, 5);
  EXPECT_EQ(measurement_of({4, 2}).median, 3);
  EXPECT_EQ(measurement_of({7}).spread, 0);
  EXPECT_THAT(test::error_message([] { measurement_of({}); }), HasSubstr("timed nothing"));
}

/// An operation that takes so long, and how it was run.
struct FakeOperation {
  double seconds;
  std::vector<std::int64_t> runs = {};

  OperationTimer::Repeat repeat() {
    return [this](std::int64_t count) {
      runs.push_back(count);
      return seconds * static_cast<double>(count);
    };
  }
};

TEST(Sampler, RepeatsWhatIsShort) {
  FakeOperation operation{.seconds = 1e-3};
  Sampler sampler({.samples = 3, .sample_seconds = 5e-3, .warm_up_seconds = 2e-3, .most_seconds = 1});
  sampler.time(operation.repeat());
  EXPECT_THAT(operation.runs, ElementsAre(1, 1, 5, 5, 5));  // two to warm up
  const Measurement measurement = sampler.take();
  EXPECT_DOUBLE_EQ(measurement.median, 1e-3);
  EXPECT_EQ(measurement.samples, 3);
}

TEST(Sampler, StopsWhenTheTimeIsSpent) {
  FakeOperation slow{.seconds = 0.4};
  Sampler sampler({.samples = 9, .most_seconds = 1});
  sampler.time(slow.repeat());
  EXPECT_THAT(slow.runs, ElementsAre(1, 1, 1));
  EXPECT_EQ(sampler.take().samples, 2);

  FakeOperation slower{.seconds = 3};
  sampler.time(slower.repeat());
  EXPECT_THAT(slower.runs, ElementsAre(1));  // the only run there is time for counts
  EXPECT_EQ(sampler.take().median, 3);
}

TEST(Sampler, AddsUpTheParts) {
  FakeOperation first{.seconds = 0.25};
  FakeOperation second{.seconds = 0.5};
  Sampler sampler({.samples = 2, .most_seconds = 10});
  sampler.time(first.repeat());
  sampler.time(second.repeat());
  EXPECT_EQ(sampler.take().median, 0.75);
  EXPECT_THROW(sampler.take(), Error);  // taken once
}

TEST(Peaks, RoofIsTheSlowerOfArithmeticAndMemory) {
  // Fast while it fits a cache; the smallest copy is too short to show that.
  const Peaks peaks{.flops_per_second = 100,
                    .double_flops_per_second = 50,
                    .copies = {{.bytes = 10, .bytes_per_second = 20},
                               {.bytes = 100, .bytes_per_second = 50},
                               {.bytes = 1000, .bytes_per_second = 10}}};
  EXPECT_EQ(peaks.bytes_per_second(1), 50);
  EXPECT_EQ(peaks.bytes_per_second(200), 50);  // updated in place, 100 bytes are moved twice
  EXPECT_EQ(peaks.bytes_per_second(201), 10);
  EXPECT_EQ(peaks.bytes_per_second(5000), 10);
  EXPECT_EQ(peaks.least_seconds({"arithmetic", 1000, 10}), 10);
  EXPECT_EQ(peaks.least_seconds({"in double precision", 1000, 10, true}), 20);
  EXPECT_EQ(peaks.least_seconds({"memory", 10, 1000}), 100);
}

TEST(BenchCases, HoldEveryOperationThatIsChecked) {
  const std::vector<std::string> measured = operation_names();
  for (const std::string& checked : check::check_names()) {
    if (checked == "network" || checked == "executor") continue;
    // One check may look at several operations: dense_backward at the gradients of data, weights and bias.
    EXPECT_TRUE(std::any_of(measured.begin(), measured.end(), [&checked](const std::string& name) {
      return name.rfind(checked, 0) == 0;
    })) << checked;
  }
}

TEST(BenchCases, AreThoseOfTheNetwork) {
  const std::vector<BenchCase> cases = make_cases("seed", 64, 1);
  const auto flops_of = [&cases](const std::string& operation) {
    std::vector<std::int64_t> flops;
    for (const BenchCase& known : cases) {
      if (known.cost.operation == operation) flops.push_back(known.cost.flops);
    }
    return flops;
  };
  // The multiply-adds that `touchstone info seed` shows, twice and 64 times.
  EXPECT_THAT(flops_of("conv2d_forward"), ElementsAre(128 * 115'200, 128 * 204'800));
  EXPECT_THAT(flops_of("conv2d_backward_data"), ElementsAre(128 * 204'800));  // no gradient by the images
  EXPECT_THAT(flops_of("dense_forward"), ElementsAre(128 * 2'560));
  EXPECT_EQ(flops_of("conv2d_maxpool_sigmoid_forward").size(), 2U);
  EXPECT_EQ(flops_of("adam").size(), 1U);
}

TEST(BenchCases, OfGaussiansGiveOnEachDeviceWhatTheReferenceGives) {
  DeviceRequest cpu{.name = "cpu"};
  cpu.threads = 1;
  const auto device = check::make_operations(cpu);
  const auto reference = check::make_operations({.name = "reference"});
  for (const BenchCase& known : make_cases("gaussians", 64, 1)) {
    if (known.shape.find("K=32") == std::string::npos) continue;
    EXPECT_TRUE(known.cost.double_precision) << known.cost.operation;
    const std::vector<float> got = known.run(*device);
    const std::vector<float> expected = known.run(*reference);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], 1e-5 * (1 + std::abs(expected[i]))) << known.cost.operation << " " << i;
    }
  }
}

TEST(BenchCases, ReachSixtyFourChannelsOf112) {
  const std::vector<BenchCase> cases = make_cases("large", 64, 1);
  EXPECT_TRUE(std::any_of(cases.begin(), cases.end(),
                          [](const BenchCase& known) { return known.shape == "N=4 C=64 112x112 K=64 3x3"; }));
  EXPECT_THAT(test::error_message([] { make_cases("sede", 64, 1); }), HasSubstr("did you mean `seed`?"));
}

/// As little as can be measured.
BenchSettings quick(const std::string& device, const std::string& against) {
  BenchSettings settings;
  settings.device.name = device;
  settings.device.threads = 2;
  settings.against = settings.device;
  settings.against->name = against;
  settings.sets = {"seed"};
  settings.batch = 2;
  settings.batch_sizes = {4};
  settings.sampling.most_seconds = 0;
  settings.most_epoch_seconds = 0;
  return settings;
}

TEST(Bench, ReportsEveryOperationBesideTheReference) {
  std::vector<std::string> heard;
  const BenchReport report =
      run_bench(quick("cpu", "reference"), [&heard](const std::string& what) { heard.push_back(what); });
  ASSERT_TRUE(report.peaks);
  EXPECT_GT(report.peaks->flops_per_second, 0);
  EXPECT_EQ(report.operations.size(), make_cases("seed", 2, 1).size());
  EXPECT_GE(heard.size(), report.operations.size());
  for (const OperationLine& line : report.operations) {
    EXPECT_GT(line.time.median, 0) << line.cost.operation;
    EXPECT_GT(line.roof_share, 0) << line.cost.operation;
    ASSERT_TRUE(line.against);
    EXPECT_GT(line.against->speedup, 0);
    EXPECT_LT(line.against->worst_error, 1e-5) << line.cost.operation << " " << line.shape;
  }
  ASSERT_EQ(report.blocks.size(), 4U);  // two blocks, forward and backward
  for (const BlockLine& line : report.blocks) {
    EXPECT_GT(line.layered_seconds, 0);
    EXPECT_GT(line.fused_seconds, 0);
  }
  ASSERT_EQ(report.epochs.size(), 1U);
  EXPECT_EQ(report.epochs[0].measured_steps, 1);
  EXPECT_EQ(report.epochs[0].against->steps, 1);
  EXPECT_LT(report.epochs[0].against->worst_error, 1e-5);
}

TEST(Bench, MeasuresAnEpochOnBothPathsUnlessToldWhich) {
  BenchSettings settings = quick("cpu", "cpu");
  settings.against.reset();
  settings.names = {"epoch"};
  const BenchReport both = run_bench(settings);
  ASSERT_EQ(both.epochs.size(), 1U);
  EXPECT_EQ(both.epochs[0].path.name, "fused");
  ASSERT_TRUE(both.epochs[0].layered_seconds);
  EXPECT_GT(*both.epochs[0].layered_seconds, 0);
  EXPECT_DOUBLE_EQ(both.epochs[0].fused_speedup(), *both.epochs[0].layered_seconds / both.epochs[0].seconds);
  const nlohmann::ordered_json json = to_json(both)["epochs"][0];
  EXPECT_EQ(json["layered_seconds"], *both.epochs[0].layered_seconds);
  EXPECT_EQ(json["fused_speedup"], both.epochs[0].fused_speedup());
  for (const auto& [path, name] :
       {std::pair(PathRequest::layered, "layered"), std::pair(PathRequest::fused, "fused")}) {
    settings.device.path = path;
    const BenchReport one = run_bench(settings);
    EXPECT_EQ(one.epochs[0].path.name, name);
    EXPECT_FALSE(one.epochs[0].layered_seconds) << name;
    EXPECT_FALSE(to_json(one)["epochs"][0].contains("layered_seconds")) << name;
  }
}

TEST(Bench, SeesWhatDevicesDoNotHaveInCommon) {
  // The same device twice gives the same bits, so whatever the comparison finds is between devices.
  BenchSettings settings = quick("cpu", "cpu");
  settings.names = {"conv2d_forward", "softmax_cross_entropy"};
  for (const OperationLine& line : run_bench(settings).operations) EXPECT_EQ(line.against->worst_error, 0);
  settings.against->name = "reference";
  const BenchReport report = run_bench(settings);
  EXPECT_TRUE(std::any_of(report.operations.begin(), report.operations.end(),
                          [](const OperationLine& line) { return line.against->worst_error > 0; }));
}

TEST(Bench, MeasuresTheKernelsUnderEmulation) {
  BenchSettings settings = quick("emulated", "cpu");
  settings.names = {"dense_forward", "maxpool_forward", "sgd", "accuracy", "shuffle", "gather"};
  const BenchReport report = run_bench(settings);
  EXPECT_EQ(report.operations.size(), 7U);  // two of them pool
  for (const OperationLine& line : report.operations) {
    EXPECT_GT(line.time.median, 0) << line.cost.operation;
    EXPECT_LT(line.against->worst_error, 1e-5) << line.cost.operation;
  }
  EXPECT_TRUE(report.blocks.empty());  // parts of a block say nothing of the whole
  EXPECT_TRUE(report.epochs.empty());
}

TEST(Bench, JsonHoldsWhatTheReportDoes) {
  BenchSettings settings = quick("cpu", "cpu");
  settings.names = {"sigmoid_forward", "epoch"};
  const nlohmann::ordered_json json = to_json(run_bench(settings));
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["against"], "cpu");
  EXPECT_GT(json["peaks"]["copies"].size(), 3U);
  ASSERT_EQ(json["operations"].size(), 2U);
  const auto& line = json["operations"][0];
  EXPECT_EQ(line["operation"], "sigmoid_forward");
  EXPECT_EQ(line["set"], "seed");
  EXPECT_EQ(line["flops"], 3 * 2 * 8 * 12 * 12);
  for (const char* key :
       {"seconds", "spread", "samples", "bytes", "flops_per_second", "bytes_per_second", "roof_share"}) {
    EXPECT_TRUE(line[key].is_number()) << key;
  }
  EXPECT_TRUE(line["against"]["worst_error"].is_number());
  EXPECT_EQ(json["epochs"][0]["batch_size"], 4);
  EXPECT_EQ(json["epochs"][0]["measured_steps"], 1);
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  BenchSettings settings = quick("cpu", "cpu");
  settings.names = {"conv2d_foward"};
  EXPECT_THAT(test::error_message([&] { run_bench(settings); }), HasSubstr("did you mean `conv2d_forward`?"));
  settings = quick("reference", "cpu");
  EXPECT_THAT(test::error_message([&] { run_bench(settings); }), HasSubstr("how fast reference could be"));
}

}  // namespace
}  // namespace touchstone::bench
