// SPDX-License-Identifier: Apache-2.0
#include "host/bench/profile.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace touchstone::bench {
namespace {

using Json = nlohmann::ordered_json;

/// The first step loads the kernels, the second would be captured as a graph.
constexpr std::int64_t warm_up_steps = 3;

Json line_json(const ProfileLine& line, double total_seconds) {
  return {{"operation", line.operation},
          {"layer", line.layer.empty() ? Json(nullptr) : Json(line.layer)},
          {"calls", line.calls},
          {"seconds", line.seconds},
          {"share", line.seconds / total_seconds},
          {"flops", line.flops},
          {"bytes", line.bytes},
          {"flops_per_second", line.flops_per_second()},
          {"bytes_per_second", line.bytes_per_second()}};
}

/// Gives a process or a track its name.
Json name_event(const char* what, int lane, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", lane}, {"args", {{"name", name}}}};
}

Json slice_event(const RecordedOperation& operation) {
  constexpr double microseconds = 1e6;
  Json args = {{"flops", operation.cost.flops}, {"bytes", operation.cost.bytes}};
  std::string name = operation.cost.operation;
  if (!operation.layer.empty()) {
    args["layer"] = operation.layer;
    name = fmt::format("{} {}", operation.layer, name);
  }
  return {{"name", name},
          {"cat", operation.cost.operation},
          {"ph", "X"},
          {"ts", microseconds * operation.begin},
          {"dur", microseconds * operation.seconds},
          {"pid", 1},
          {"tid", operation.lane},
          {"args", args}};
}

}  // namespace

ProfileLine ProfileReport::total() const {
  ProfileLine sum;
  for (const ProfileLine& line : lines) {
    sum.calls += line.calls;
    sum.seconds += line.seconds;
    sum.flops += line.flops;
    sum.bytes += line.bytes;
  }
  return sum;
}

double ProfileReport::busy() const { return total().seconds / (seconds * lanes); }

std::vector<ProfileLine> summarise(const std::vector<RecordedOperation>& operations) {
  std::map<std::pair<std::string, std::string>, ProfileLine> lines;
  for (const RecordedOperation& operation : operations) {
    ProfileLine& line = lines[{operation.cost.operation, operation.layer}];
    line.operation = operation.cost.operation;
    line.layer = operation.layer;
    line.calls += 1;
    line.seconds += operation.seconds;
    line.flops += operation.cost.flops;
    line.bytes += operation.cost.bytes;
  }
  std::vector<ProfileLine> sorted;
  for (auto& [key, line] : lines) sorted.push_back(std::move(line));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ProfileLine& left, const ProfileLine& right) { return left.seconds > right.seconds; });
  return sorted;
}

ProfileReport profile(const Network& network, const SessionSettings& settings, std::int64_t steps) {
  TrainingSession session(network, random_images(network, settings.seed), settings);
  session.run(warm_up_steps);
  session.executor().start_recording();
  ProfileReport report{.device = session.executor().device(),
                       .network = network.name(),
                       .batch_size = settings.batch_size,
                       .steps = steps,
                       .seconds = session.run(steps)};
  report.operations = session.executor().stop_recording();
  for (const RecordedOperation& operation : report.operations) {
    report.lanes = std::max(report.lanes, operation.lane + 1);
  }
  report.lines = summarise(report.operations);
  return report;
}

Json to_json(const ProfileReport& report) {
  Json json = {{"device", report.device}, {"network", report.network},  {"batch_size", report.batch_size},
               {"steps", report.steps},   {"seconds", report.seconds},  {"lanes", report.lanes},
               {"busy", report.busy()},   {"operations", Json::array()}};
  const double total_seconds = report.total().seconds;
  for (const ProfileLine& line : report.lines) json["operations"].push_back(line_json(line, total_seconds));
  return json;
}

Json chrome_trace(const ProfileReport& report) {
  Json events = Json::array();
  events.push_back(name_event(
      "process_name", 0, fmt::format("{} on {}, batches of {}", report.network, report.device, report.batch_size)));
  for (int lane = 0; lane < report.lanes; ++lane) {
    events.push_back(name_event("thread_name", lane, fmt::format("{} {}", report.device, lane)));
  }
  for (const RecordedOperation& operation : report.operations) events.push_back(slice_event(operation));
  return {{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}};
}

}  // namespace touchstone::bench
