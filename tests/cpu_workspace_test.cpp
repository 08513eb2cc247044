// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/cpu/instruction_set.h"
#include "host/cpu/workspace.h"
#include "tests/error_message.h"

namespace touchstone::cpu {
namespace {

bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % Workspace::alignment == 0; }

TEST(Workspace, KeepsAllocationsApartAndAligned) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  std::vector<float*> starts;
  for (std::int64_t count = 0; count < 300000; count = count * 3 + 1) {
    starts.push_back(workspace.allocate<float>(count));
    ASSERT_TRUE(is_aligned(starts.back()));
    std::fill_n(starts.back(), count, static_cast<float>(starts.size()));
  }
  std::int64_t count = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto value = static_cast<float>(i + 1);
    EXPECT_EQ(std::count(starts[i], starts[i] + count, value), count);
    count = count * 3 + 1;
  }
}

TEST(Workspace, GivesTheSameMemoryAgainAfterAScope) {
  Workspace workspace;
  const Workspace::Scope outer(workspace);
  const float* kept = workspace.allocate<float>(100);
  const float* first = nullptr;
  for (int round = 0; round < 3; ++round) {
    const Workspace::Scope inner(workspace);
    const float* inside = workspace.allocate<float>(50);
    EXPECT_NE(inside, kept);
    first = first == nullptr ? inside : first;
    EXPECT_EQ(inside, first);
  }
}

TEST(Workspace, AllocatesNothingOnceItHasGrown) {
  Workspace workspace;
  const auto use = [&] {
    const Workspace::Scope scope(workspace);
    std::vector<const double*> places;
    for (int i = 0; i < 10; ++i) {
      places.push_back(workspace.allocate<double>(20000));
    }
    return places;
  };
  use();  // in several pieces, made one at the end
  const std::vector<const double*> second = use();
  EXPECT_EQ(use(), second);
  for (std::size_t i = 1; i < second.size(); ++i) {
    EXPECT_EQ(second[i] - second[i - 1], 20000);
  }
}

TEST(InstructionSet, HasAName) {
  EXPECT_FALSE(instruction_set().empty());
  EXPECT_EQ(instruction_set().find("AVX3"), std::string::npos);
}

TEST(InstructionSet, CanBeLimited) {
  const std::vector<std::string> names = instruction_sets();
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), instruction_set());
  limit_instruction_set(names.back());
  EXPECT_EQ(instruction_set(), names.back());
  limit_instruction_set(names.front());
  EXPECT_EQ(instruction_set(), names.front());
}

TEST(InstructionSet, MustBeOneThatTheProcessorHas) {
  EXPECT_NE(test::error_message([] { limit_instruction_set("abacus"); }).find("unknown instruction set `abacus`"),
            std::string::npos);
}

}  // namespace
}  // namespace touchstone::cpu
