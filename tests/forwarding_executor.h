// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "touchstone/executor.h"

namespace touchstone::test {

/// An executor that passes every call on to another: what one with a deliberate mistake derives from.
class ForwardingExecutor : public Executor {
 public:
  explicit ForwardingExecutor(std::unique_ptr<Executor> right) : right_(std::move(right)) {}

  [[nodiscard]] std::string device() const override { return right_->device(); }
  void upload(Split split, SharedImageSet images) override { right_->upload(split, std::move(images)); }
  [[nodiscard]] ExecutorState state() const override { return right_->state(); }
  void set_state(const ExecutorState& state) override { right_->set_state(state); }
  Metrics train(const TrainingSteps& steps) override { return right_->train(steps); }
  Metrics evaluate(Split split, std::span<const std::uint32_t> samples) override {
    return right_->evaluate(split, samples);
  }
  std::vector<float> logits(Split split, std::span<const std::uint32_t> samples) override {
    return right_->logits(split, samples);
  }
  std::vector<float> codes(Split split, std::span<const std::uint32_t> samples) override {
    return right_->codes(split, samples);
  }
  std::vector<double> gradients(std::span<const std::uint32_t> samples) override { return right_->gradients(samples); }

 protected:
  [[nodiscard]] Executor& right() { return *right_; }

 private:
  std::unique_ptr<Executor> right_;
};

}  // namespace touchstone::test
