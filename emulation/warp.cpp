// SPDX-License-Identifier: Apache-2.0
#include "emulation/warp.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "emulation/defect.h"

namespace touchstone::emulation {
namespace {

constexpr unsigned bit(int lane) { return 1U << static_cast<unsigned>(lane); }

std::string describe(const Warp::Arrival& arrival) {
  return fmt::format("{}(0x{:08x}) at {}:{}", arrival.name, arrival.mask, arrival.place.file, arrival.place.line);
}

bool same_place(const Place& a, const Place& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

[[noreturn]] void fail(std::string text) { throw Defect{runtime::cudaErrorLaunchFailure, std::move(text)}; }

}  // namespace

void Warp::begin(int lanes) {
  present_ = lanes == 32 ? 0xFFFFFFFFU : bit(lanes) - 1;
  meetings_.clear();
}

void Warp::check_mask(int lane, const Arrival& arrival) const {
  if ((arrival.mask & bit(lane)) == 0) {
    fail(fmt::format("{}: the mask does not name lane {}, which calls it", describe(arrival), lane));
  }
  if (const unsigned absent = arrival.mask & ~present_; absent != 0) {
    fail(fmt::format("{}: the mask names lanes 0x{:08x}, which have ended or never were", describe(arrival), absent));
  }
}

Warp::Meeting& Warp::meeting_for(int lane, const Arrival& arrival) {
  for (Meeting& meeting : meetings_) {
    if ((meeting.first.mask & arrival.mask) == 0) {
      continue;
    }
    if (meeting.first.mask != arrival.mask || !same_place(meeting.first.place, arrival.place)) {
      fail(fmt::format("lane {} comes to {} while lanes 0x{:08x} wait at {}", lane, describe(arrival), meeting.arrived,
                       describe(meeting.first)));
    }
    return meeting;
  }
  meetings_.emplace_back().first = arrival;
  return meetings_.back();
}

unsigned Warp::arrive(int lane, const Arrival& arrival) {
  check_mask(lane, arrival);
  Meeting& meeting = meeting_for(lane, arrival);
  const auto index = static_cast<std::size_t>(lane);
  meeting.arrived |= bit(lane);
  meeting.bits[index] = arrival.bits;
  meeting.sources[index] = arrival.source;
  meeting.factors[index] = arrival.product;
  meeting.ballot |= arrival.predicate ? bit(lane) : 0;
  if (meeting.arrived != arrival.mask) {
    return 0;
  }
  if (arrival.product != nullptr) {
    multiply(meeting.factors);
  }
  conclude(meeting);
  meetings_.erase(meetings_.begin() + (&meeting - meetings_.data()));
  return arrival.mask;
}

void Warp::conclude(const Meeting& meeting) {
  for (int lane = 0; lane < 32; ++lane) {
    if ((meeting.arrived & bit(lane)) == 0) {
      continue;
    }
    const int source = meeting.sources[static_cast<std::size_t>(lane)];
    if ((meeting.arrived & bit(source)) == 0) {
      fail(fmt::format("{}: lane {} reads lane {}, which the mask does not name", describe(meeting.first), lane,
                       source));
    }
    results_[static_cast<std::size_t>(lane)] = {meeting.bits[static_cast<std::size_t>(source)], meeting.ballot};
  }
}

void Warp::leave(int lane) {
  present_ &= ~bit(lane);
  for (const Meeting& meeting : meetings_) {
    if ((meeting.first.mask & bit(lane)) != 0) {
      fail(fmt::format("lane {} has ended while lanes 0x{:08x} wait for it at {}", lane, meeting.arrived,
                       describe(meeting.first)));
    }
  }
}

std::string Warp::description() const {
  std::string text;
  for (const Meeting& meeting : meetings_) {
    text += fmt::format("{}lanes 0x{:08x} wait at {} for lanes 0x{:08x}", text.empty() ? "" : ", ", meeting.arrived,
                        describe(meeting.first), meeting.first.mask & ~meeting.arrived);
  }
  return text;
}

}  // namespace touchstone::emulation
