// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <nlohmann/json.hpp>

#include "host/bench/bench.h"

namespace touchstone::bench {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no infinity.
Json finite(double number) { return std::isfinite(number) ? Json(number) : Json(nullptr); }

Json peaks_json(const Peaks& peaks) {
  Json json = {{"flops_per_second", peaks.flops_per_second},
               {"double_flops_per_second", peaks.double_flops_per_second},
               {"call_seconds", peaks.call_seconds},
               {"copies", Json::array()}};
  for (const CopyPeak& copy : peaks.copies) {
    json["copies"].push_back({{"bytes", copy.bytes}, {"bytes_per_second", copy.bytes_per_second}});
  }
  return json;
}

Json line_json(const OperationLine& line) {
  Json json = {{"operation", line.cost.operation},
               {"set", line.set},
               {"shape", line.shape},
               {"seconds", line.time.median},
               {"spread", line.time.spread},
               {"samples", line.time.samples},
               {"flops", line.cost.flops},
               {"bytes", line.cost.bytes},
               {"flops_per_second", line.flops_per_second()},
               {"bytes_per_second", line.bytes_per_second()},
               {"roof_share", line.roof_share}};
  if (line.against) {
    json["against"] = {{"seconds", line.against->time.median},
                       {"spread", line.against->time.spread},
                       {"speedup", line.against->speedup},
                       {"worst_error", finite(line.against->worst_error)}};
  }
  return json;
}

Json block_json(const BlockLine& line) {
  return {{"set", line.set},
          {"block", line.block},
          {"pass", line.forward ? "forward" : "backward"},
          {"layered_seconds", line.layered_seconds},
          {"fused_seconds", line.fused_seconds},
          {"speedup", line.speedup()}};
}

Json epoch_json(const EpochLine& line) {
  Json json = {{"network", line.network},
               {"batch_size", line.batch_size},
               {"seconds", line.seconds},
               {"images_per_second", line.images_per_second()},
               {"measured_steps", line.measured_steps},
               {"path", describe(line.path)}};
  if (line.layered_seconds) {
    json["layered_seconds"] = *line.layered_seconds;
    json["fused_speedup"] = line.fused_speedup();
  }
  if (line.against) {
    json["against"] = {{"seconds", line.against->seconds},
                       {"speedup", line.against->speedup},
                       {"steps", line.against->steps},
                       {"worst_error", finite(line.against->worst_error)}};
  }
  return json;
}

template <class Line, class ToJson>
Json array_of(const std::vector<Line>& lines, const ToJson& to_json) {
  Json array = Json::array();
  for (const Line& line : lines) array.push_back(to_json(line));
  return array;
}

}  // namespace

Json to_json(const BenchReport& report) {
  return {{"device", report.device.name},
          {"against", report.against ? Json(report.against->name) : Json(nullptr)},
          {"peaks", report.peaks ? peaks_json(*report.peaks) : Json(nullptr)},
          {"operations", array_of(report.operations, &line_json)},
          {"blocks", array_of(report.blocks, &block_json)},
          {"epochs", array_of(report.epochs, &epoch_json)}};
}

}  // namespace touchstone::bench
