// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace touchstone::cpu {

/// What a step of sgd multiplies by.
struct SgdConstants {
  float weight_decay = 0;
  float momentum = 0;
  float learning_rate = 0;
};

/// What a step of adam or adamw multiplies by; the two rules differ in these alone.
struct AdamConstants {
  float kept = 1;          ///< adamw: what the parameters are multiplied by first
  float weight_decay = 0;  ///< adam: what share of the parameters is added to the gradient
  float beta1 = 0;
  float beta2 = 0;
  float one_minus_beta1 = 0;
  float one_minus_beta2 = 0;
  float step_size = 0;        ///< learning_rate / (1 - beta1^t)
  float root_correction = 0;  ///< sqrt(1 - beta2^t)
  float epsilon = 0;
};

}  // namespace touchstone::cpu
