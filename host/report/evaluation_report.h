// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"
#include "touchstone/training.h"

namespace touchstone::report {

/// How well one class is told from the others. A ratio without cases (0 of 0) is 0.
struct ClassScore {
  std::int64_t count = 0;      ///< images of this class
  std::int64_t predicted = 0;  ///< images taken for this class
  double precision = 0;        ///< of those taken for it, the fraction that is
  double recall = 0;           ///< of those that are, the fraction that is found
  double f1 = 0;               ///< harmonic mean of the two
};

/// The scores of every class, from a confusion matrix [label][prediction].
std::vector<ClassScore> class_scores(const std::vector<std::vector<std::int64_t>>& confusion);

/// Accuracy and loss, the table of classes and the confusion matrix, as `touchstone eval` prints them.
std::string evaluation_text(const Evaluation& evaluation, const Style& style);

/// test_accuracy, test_loss, count, per_class and confusion_matrix; of an autoencoder test_loss and count alone.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation);

}  // namespace touchstone::report
