// SPDX-License-Identifier: Apache-2.0
#include "host/train/checkpoint.h"

#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/model/parameters.h"
#include "host/model/safetensors.h"
#include "host/train/epoch_json.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view parameters_prefix = "parameters.";
constexpr std::string_view best_prefix = "best.";

std::string slot_prefix(std::size_t slot) { return fmt::format("optimizer.{}.", slot); }

json to_json(const TrainingPosition& position) {
  return {{"epoch", position.epoch},
          {"step", position.step},
          {"loss_sum", position.metrics.loss_sum},
          {"correct", position.metrics.correct},
          {"count", position.metrics.count},
          {"epoch_seconds", position.epoch_seconds}};
}

TrainingPosition position_from_json(const json& object) {
  TrainingPosition position;
  position.epoch = object.at("epoch").get<std::int64_t>();
  position.step = object.at("step").get<std::int64_t>();
  position.metrics.loss_sum = object.at("loss_sum").get<double>();
  position.metrics.correct = object.at("correct").get<std::int64_t>();
  position.metrics.count = object.at("count").get<std::int64_t>();
  position.epoch_seconds = object.at("epoch_seconds").get<double>();
  return position;
}

json to_json(const Checkpoint::Identity& identity) {
  return {{"data_fingerprint", identity.data_fingerprint},
          {"seed", identity.seed},
          {"batch_size", identity.batch_size},
          {"validation", identity.validation},
          {"shuffle", identity.shuffle},
          {"optimizer", identity.optimizer}};
}

Checkpoint::Identity identity_from_json(const json& object) {
  return {.data_fingerprint = object.at("data_fingerprint").get<std::uint32_t>(),
          .seed = object.at("seed").get<std::uint64_t>(),
          .batch_size = object.at("batch_size").get<std::int64_t>(),
          .validation = object.at("validation").get<std::int64_t>(),
          .shuffle = object.at("shuffle").get<bool>(),
          .optimizer = object.at("optimizer").get<std::string>()};
}

bool has_prefix(const Safetensors& contents, std::string_view prefix) {
  const auto found = contents.tensors.lower_bound(std::string(prefix));
  return found != contents.tensors.end() && found->first.starts_with(prefix);
}

/// The metadata `checkpoint`: everything that is no tensor.
void read_metadata(const Safetensors& contents, const Network& network, Checkpoint& checkpoint) {
  const std::string& text = contents.metadata.at("checkpoint");
  const json object = json::parse(text);
  checkpoint.position = position_from_json(object.at("position"));
  checkpoint.identity = identity_from_json(object.at("identity"));
  checkpoint.best.epoch = object.at("best_epoch").get<std::int64_t>();
  for (const json& line : object.at("history")) checkpoint.history.push_back(epoch_from_json(line));
  if (contents.metadata.at("network") != network.toml()) {
    throw Error(fmt::format("it belongs to another network than `{}`", network.name()));
  }
}

}  // namespace

void Checkpoint::save(const std::filesystem::path& file, const Network& network) const {
  const TensorType type = double_precision ? TensorType::float64 : TensorType::float32;
  Safetensors contents;
  add_tensors(state.parameters, parameters_prefix, type, network, contents.tensors);
  for (std::size_t slot = 0; slot < state.optimizer_slots.size(); ++slot) {
    add_tensors(state.optimizer_slots[slot], slot_prefix(slot), type, network, contents.tensors);
  }
  if (!best.parameters.empty()) add_tensors(best.parameters, best_prefix, type, network, contents.tensors);
  json lines = json::array();
  for (const EpochReport& report : history) lines.push_back(epoch_json(report));
  const json metadata = {{"position", to_json(position)},
                         {"identity", to_json(identity)},
                         {"best_epoch", best.epoch},
                         {"history", std::move(lines)}};
  contents.metadata = {{"network", network.toml()}, {"checkpoint", metadata.dump()}};
  contents.save(file);
}

Checkpoint Checkpoint::load(const std::filesystem::path& file, const Network& network) {
  const Safetensors contents = Safetensors::load(file);
  const std::string name = file.string();
  Checkpoint checkpoint;
  try {
    read_metadata(contents, network, checkpoint);
  } catch (const std::exception& error) {
    throw Error(fmt::format("{}: not a checkpoint of this run: {}", name, error.what()));
  }
  checkpoint.state.parameters = read_tensors(contents.tensors, parameters_prefix, network, name);
  for (std::size_t slot = 0; has_prefix(contents, slot_prefix(slot)); ++slot) {
    checkpoint.state.optimizer_slots.push_back(read_tensors(contents.tensors, slot_prefix(slot), network, name));
  }
  if (has_prefix(contents, best_prefix))
    checkpoint.best.parameters = read_tensors(contents.tensors, best_prefix, network, name);
  checkpoint.double_precision = contents.tensors.begin()->second.type == TensorType::float64;
  return checkpoint;
}

}  // namespace touchstone
