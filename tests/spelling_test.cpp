// SPDX-License-Identifier: Apache-2.0
#include "host/model/spelling.h"

#include <gtest/gtest.h>

namespace touchstone {
namespace {

const std::vector<std::string> options = {"--epochs", "--batch-size", "--seed", "--threads"};

TEST(Spelling, FindsTheNearest) {
  EXPECT_EQ(nearest_spelling("--epoch", options), "--epochs");   // one insertion
  EXPECT_EQ(nearest_spelling("--epcohs", options), "--epochs");  // two neighbours swapped
  EXPECT_EQ(nearest_spelling("--batchsize", options), "--batch-size");
  EXPECT_EQ(nearest_spelling("--sead", options), "--seed");
}

TEST(Spelling, KeepsQuietWhereNothingIsNear) {
  EXPECT_EQ(nearest_spelling("--colour", options), std::nullopt);
  EXPECT_EQ(nearest_spelling("x", {}), std::nullopt);
  EXPECT_EQ(did_you_mean("--colour", options), "");
}

TEST(Spelling, AShortWordFindsItsNeighbour) {
  EXPECT_EQ(nearest_spelling("sdg", {"sgd", "adam"}), "sgd");
  EXPECT_EQ(nearest_spelling("cpi", {"auto", "cpu"}), "cpu");
  EXPECT_EQ(did_you_mean("cpi", {"auto", "cpu"}), "; did you mean `cpu`?");
}

TEST(Spelling, TheFirstOfEqualsWins) { EXPECT_EQ(nearest_spelling("b", {"a", "c"}), "a"); }

}  // namespace
}  // namespace touchstone
