// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/clock_recorder.h"

#include <string>

namespace touchstone::cpu {

namespace {

double seconds_between(ClockRecorder::Clock::time_point from, ClockRecorder::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

void ClockRecorder::begin(std::string_view layer, const OperationCost& cost) {
  records_.push_back({.cost = cost, .layer = std::string(layer), .lane = lane_});
  started_ = Clock::now();  // last, so that what the record costs is not counted
}

void ClockRecorder::end() noexcept {
  const Clock::time_point ended = Clock::now();
  records_.back().begin = seconds_between(origin_, started_);
  records_.back().seconds = seconds_between(started_, ended);
}

}  // namespace touchstone::cpu
