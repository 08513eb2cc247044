// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "host/check/operation_checks.h"
#include "host/check/shapes.h"
#include "touchstone/random.h"

namespace touchstone::check {
namespace {

/// What to put into which order.
struct ShuffleKey {
  std::uint64_t seed = 1;
  RandomPurpose purpose = RandomPurpose::shuffle;
  std::uint32_t epoch = 1;
  std::uint32_t count = 0;
};

/// A shuffle permutes: the order must be equal.
class ShuffleTrial final : public Trial {
 public:
  explicit ShuffleTrial(const ShuffleKey& key) : Trial("exact"), key_(key) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    const std::vector<std::uint32_t> order = device.shuffle(key_.seed, key_.purpose, key_.epoch, key_.count);
    Outputs outputs;
    auto* copy = outputs.add<std::uint32_t>("order", {static_cast<std::int64_t>(order.size())});
    std::copy(order.begin(), order.end(), copy);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const std::vector<std::uint32_t> order = shuffled_order(key_.seed, key_.purpose, key_.epoch, key_.count);
    return {{{order.begin(), order.end()}, {}}};
  }

 private:
  ShuffleKey key_;
};

/// MNIST's training set comes first among the random ones; it is the one that matters, and large enough for two keys
/// to be equal.
constexpr std::int64_t mnist_case = 27;

}  // namespace

Case shuffle_case(std::int64_t index, CaseRandom& random) {
  const auto [count, label] = length(index, random);
  ShuffleKey key;
  key.count = index == mnist_case ? 60'000 : static_cast<std::uint32_t>(count);
  key.seed = std::uint64_t{random.word()} << (random.one_in(2) ? 32U : 0U);
  key.purpose = random.pick({RandomPurpose::shuffle, RandomPurpose::validation, RandomPurpose::augmentation});
  key.epoch = random.one_in(4) ? random.word() : static_cast<std::uint32_t>(random.between(1, 20));
  Case result{fmt::format("count={} seed={} epoch={}", key.count, key.seed, key.epoch), {}};
  result.trials.push_back(std::make_unique<ShuffleTrial>(key));
  return result;
}

}  // namespace touchstone::check
