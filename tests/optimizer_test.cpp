// SPDX-License-Identifier: Apache-2.0
#include "touchstone/optimizer.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "touchstone/error.h"

namespace touchstone {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

/// The betas, epsilon and gradients of the steps that are worked by hand below, and what the moments make of them:
///   step 1, g = 2:   m = 0.5*0 + 0.5*2 = 1              v = 0.75*0 + 0.25*4 = 1
///                    m^ = 1 / (1 - 0.5) = 2             v^ = 1 / (1 - 0.75) = 4
///   step 2, g = 4:   m = 0.5*1 + 0.5*4 = 2.5            v = 0.75*1 + 0.25*16 = 4.75
///                    m^ = 2.5 / (1 - 0.25) = 10/3       v^ = 4.75 / (1 - 0.5625) = 76/7
///   step 3, g = -2:  m = 0.5*2.5 - 0.5*2 = 0.25         v = 0.75*4.75 + 0.25*4 = 4.5625
///                    m^ = 0.25 / (1 - 0.125) = 2/7      v^ = 4.5625 / (1 - 0.421875) = 292/37
/// The step is learning_rate * m^ / (sqrt(v^) + epsilon); with a learning rate and an epsilon of 1:
OptimizerSettings worked_settings(OptimizerKind kind) {
  return {.kind = kind, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 1};
}
const double worked_step1 = 2.0 / (2.0 + 1.0);
const double worked_step2 = 10.0 / 3.0 / (std::sqrt(76.0 / 7.0) + 1.0);
const double worked_step3 = 2.0 / 7.0 / (std::sqrt(292.0 / 37.0) + 1.0);

/// One parameter with its slots, stepped from 1 on.
struct Stepped {
  OptimizerSettings settings;
  double learning_rate = 1;
  double parameter = 1;
  double slot0 = 0;
  double slot1 = 0;
  std::int64_t steps = 0;

  double step(double gradient) {
    const OptimizerStep now{.learning_rate = learning_rate, .step = ++steps};
    switch (settings.kind) {
      case OptimizerKind::sgd:
        reference::sgd(1, settings, now, &gradient, &parameter, &slot0);
        break;
      case OptimizerKind::adam:
        reference::adam(1, settings, now, &gradient, &parameter, &slot0, &slot1);
        break;
      case OptimizerKind::adamw:
        reference::adamw(1, settings, now, &gradient, &parameter, &slot0, &slot1);
        break;
    }
    return parameter;
  }
};

TEST(SgdReference, PlainStepsWorkedByHand) {
  Stepped sgd{.settings = {}, .learning_rate = 0.25};
  EXPECT_EQ(sgd.step(2), 0.5);  // 1 - 0.25*2
  EXPECT_EQ(sgd.step(-1), 0.75);
  EXPECT_EQ(sgd.slot0, -1);  // without momentum the buffer is the last gradient
}

TEST(SgdReference, MomentumAndWeightDecayWorkedByHand) {
  Stepped sgd{.settings = {.momentum = 0.5, .weight_decay = 0.25}, .learning_rate = 0.5};
  // g = 1 + 0.25*1 = 1.25;                  b = 1.25;                                w = 1 - 0.5*1.25
  EXPECT_EQ(sgd.step(1), 0.375);
  // g = 2 + 0.25*0.375 = 2.09375;           b = 0.5*1.25 + 2.09375 = 2.71875;        w = 0.375 - 0.5*2.71875
  EXPECT_EQ(sgd.step(2), -0.984375);
  // g = -1 - 0.25*0.984375 = -1.24609375;   b = 0.5*2.71875 + g = 0.11328125;        w = -0.984375 - 0.5*b
  EXPECT_EQ(sgd.step(-1), -1.041015625);
  EXPECT_EQ(sgd.slot0, 0.11328125);
}

TEST(SgdReference, TheBufferHoldsNoLearningRate) {
  // As in PyTorch: a changed rate applies to the whole buffer at once. b = 4, then 0.5*4 + 0 = 2.
  Stepped sgd{.settings = {.momentum = 0.5}, .learning_rate = 0};
  EXPECT_EQ(sgd.step(4), 1);
  sgd.learning_rate = 0.25;
  EXPECT_EQ(sgd.step(0), 0.5);
}

TEST(AdamReference, StepsWorkedByHand) {
  Stepped adam{.settings = worked_settings(OptimizerKind::adam)};
  EXPECT_DOUBLE_EQ(adam.step(2), 1 - worked_step1);
  EXPECT_DOUBLE_EQ(adam.step(4), 1 - worked_step1 - worked_step2);
  EXPECT_DOUBLE_EQ(adam.step(-2), 1 - worked_step1 - worked_step2 - worked_step3);
  EXPECT_EQ(adam.slot0, 0.25);
  EXPECT_EQ(adam.slot1, 4.5625);
}

TEST(AdamReference, TheFirstStepIsTheLearningRateWithTheGradientsSign) {
  // Bias correction makes m^ = g and v^ = g^2: the step is r * g / (|g| + epsilon).
  for (const double gradient : {1e-3, 0.5, -700.0}) {
    Stepped adam{.settings = {.kind = OptimizerKind::adam}, .learning_rate = 0.001};
    const double expected = 1 - 0.001 * gradient / (std::abs(gradient) + 1e-8);
    EXPECT_NEAR(adam.step(gradient), expected, 1e-15) << "gradient " << gradient;
  }
}

TEST(AdamReference, WeightDecayIsPartOfTheGradient) {
  // 1.5 + 0.5*1 = 2, so the first step and the moments are those of gradient 2.
  Stepped adam{.settings = worked_settings(OptimizerKind::adam)};
  adam.settings.weight_decay = 0.5;
  EXPECT_DOUBLE_EQ(adam.step(1.5), 1 - worked_step1);
  EXPECT_EQ(adam.slot0, 1);
  EXPECT_EQ(adam.slot1, 1);
  // Now w = 1/3: 4 - 0.5/3 + 0.5/3 = 4.
  EXPECT_DOUBLE_EQ(adam.step(4 - 0.5 / 3), 1 - worked_step1 - worked_step2);
}

TEST(AdamwReference, WeightDecayShrinksTheParameterFirst) {
  // w = 1 * (1 - 0.5) - step 1 = -1/6, then -1/6 * 0.5 - step 2; the moments see the plain gradients.
  Stepped adamw{.settings = worked_settings(OptimizerKind::adamw)};
  adamw.settings.weight_decay = 0.5;
  EXPECT_DOUBLE_EQ(adamw.step(2), 0.5 - worked_step1);
  EXPECT_DOUBLE_EQ(adamw.step(4), (0.5 - worked_step1) * 0.5 - worked_step2);
  EXPECT_EQ(adamw.slot0, 2.5);
  EXPECT_EQ(adamw.slot1, 4.75);
}

TEST(AdamwReference, TheDecayIsProportionalToTheLearningRate) {
  Stepped adamw{.settings = worked_settings(OptimizerKind::adamw), .learning_rate = 0.25};
  adamw.settings.weight_decay = 0.5;
  EXPECT_DOUBLE_EQ(adamw.step(2), 0.875 - 0.25 * worked_step1);  // 1 - 0.25*0.5
}

TEST(AdamwReference, WithoutWeightDecayItIsAdam) {
  Stepped adam{.settings = {.kind = OptimizerKind::adam}, .learning_rate = 0.01};
  Stepped adamw{.settings = {.kind = OptimizerKind::adamw}, .learning_rate = 0.01};
  for (const double gradient : {0.3, -2.0, 0.001, 5.0}) {
    EXPECT_EQ(adamw.step(gradient), adam.step(gradient));
  }
}

TEST(OptimizerReference, ElementsAreIndependentAndZerosStayZero) {
  // The gaps of the flat parameter vector hold zeros and must stay zero under every rule.
  const std::vector<double> gradients{2, 0, -2};
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    SCOPED_TRACE(to_string(kind));
    OptimizerSettings settings = worked_settings(kind);
    settings.weight_decay = 0.5;
    std::vector<double> parameters{1, 0, -1};
    std::vector<double> slot0(3);
    std::vector<double> slot1(3);
    const OptimizerStep step{.learning_rate = 1, .step = 1};
    if (kind == OptimizerKind::sgd) {
      reference::sgd(3, settings, step, gradients.data(), parameters.data(), slot0.data());
    } else if (kind == OptimizerKind::adam) {
      reference::adam(3, settings, step, gradients.data(), parameters.data(), slot0.data(), slot1.data());
    } else {
      reference::adamw(3, settings, step, gradients.data(), parameters.data(), slot0.data(), slot1.data());
    }
    EXPECT_EQ(parameters[1], 0);
    EXPECT_NE(parameters[0], 1);
    EXPECT_EQ(parameters[2], -parameters[0]);
    EXPECT_EQ(slot0[2], -slot0[0]);
  }
}

TEST(OptimizerSettings, NamesAndSlots) {
  EXPECT_EQ(to_string(OptimizerKind::sgd), "sgd");
  EXPECT_EQ(to_string(OptimizerKind::adam), "adam");
  EXPECT_EQ(to_string(OptimizerKind::adamw), "adamw");
  EXPECT_EQ(OptimizerSettings{}.slots(), 1);
  EXPECT_EQ(OptimizerSettings{.kind = OptimizerKind::adam}.slots(), 2);
  EXPECT_EQ(OptimizerSettings{.kind = OptimizerKind::adamw}.slots(), 2);
}

std::string message(const OptimizerSettings& settings) {
  try {
    settings.validate();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(OptimizerSettings, ValidateNamesWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(message({.momentum = 0.9, .weight_decay = 0.01, .beta1 = 0, .beta2 = 0}), "");
  EXPECT_EQ(message({.momentum = 1}), "momentum is 1; it must be at least 0 and below 1");
  EXPECT_EQ(message({.momentum = -0.5}), "momentum is -0.5; it must be at least 0 and below 1");
  EXPECT_EQ(message({.momentum = nan}), "momentum is nan; it must be at least 0 and below 1");
  EXPECT_EQ(message({.weight_decay = -1}), "weight decay is -1; it must be finite and at least 0");
  EXPECT_EQ(message({.weight_decay = infinity}), "weight decay is inf; it must be finite and at least 0");
  EXPECT_EQ(message({.beta1 = 1}), "beta1 is 1; it must be at least 0 and below 1");
  EXPECT_EQ(message({.beta2 = 1.5}), "beta2 is 1.5; it must be at least 0 and below 1");
  EXPECT_EQ(message({.epsilon = 0}), "epsilon is 0; it must be finite and above 0");
}

}  // namespace
}  // namespace touchstone
