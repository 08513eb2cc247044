// SPDX-License-Identifier: Apache-2.0
#include "host/train/epoch_json.h"

#include <optional>

namespace touchstone {
namespace {

using Json = nlohmann::ordered_json;

std::optional<double> optional_number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : std::optional(found->get<double>());
}

}  // namespace

Json epoch_json(const EpochReport& report) {
  Json json;
  json["epoch"] = report.epoch;
  json["train_loss"] = report.train_loss;
  if (report.train_accuracy) json["train_accuracy"] = *report.train_accuracy;
  if (report.validation_loss) json["validation_loss"] = *report.validation_loss;
  if (report.validation_accuracy) json["validation_accuracy"] = *report.validation_accuracy;
  json["test_loss"] = report.test_loss;
  if (report.test_accuracy) json["test_accuracy"] = *report.test_accuracy;
  json["learning_rate"] = report.learning_rate;
  json["seconds"] = report.seconds;
  return json;
}

EpochReport epoch_from_json(const Json& json) {
  return {.epoch = json.at("epoch").get<std::int64_t>(),
          .train_loss = json.at("train_loss").get<double>(),
          .train_accuracy = optional_number(json, "train_accuracy"),
          .validation_loss = optional_number(json, "validation_loss"),
          .validation_accuracy = optional_number(json, "validation_accuracy"),
          .test_loss = json.at("test_loss").get<double>(),
          .test_accuracy = optional_number(json, "test_accuracy"),
          .learning_rate = json.at("learning_rate").get<double>(),
          .seconds = json.at("seconds").get<double>()};
}

}  // namespace touchstone
