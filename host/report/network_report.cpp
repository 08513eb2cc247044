// SPDX-License-Identifier: Apache-2.0
#include "host/report/network_report.h"

#include <cstdint>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"
#include "host/report/training_report.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

constexpr std::int64_t bytes_per_value = sizeof(float);

std::string size_text(const Size2d& size) { return fmt::format("{}x{}", size.h, size.w); }

std::string window_text(const Size2d& kernel, const Size2d& stride, const Size2d& padding, const Size2d& usual_stride) {
  std::string text = size_text(kernel);
  if (stride != usual_stride) text += ", stride " + size_text(stride);
  if (padding != Size2d{0, 0}) text += ", padding " + size_text(padding);
  return text;
}

/// What a layer does, in a few words.
struct LayerWords {
  std::string operator()(const Conv2dLayer& layer) const {
    return fmt::format("conv2d, {} filters {}", layer.filters,
                       window_text(layer.kernel, layer.stride, layer.padding, Size2d{1, 1}));
  }
  std::string operator()(const SigmoidLayer& /*layer*/) const { return "sigmoid"; }
  std::string operator()(const Maxpool2dLayer& layer) const {
    return "maxpool2d " + window_text(layer.kernel, layer.stride, layer.padding, layer.kernel);
  }
  std::string operator()(const FlattenLayer& /*layer*/) const { return "flatten"; }
  std::string operator()(const DenseLayer& layer) const {
    return fmt::format("dense, {} units", layer.units) +
           (layer.tied_to.empty() ? "" : fmt::format(", tied to {}", layer.tied_to));
  }
};

std::string output_text(const Layer& layer) {
  return layer.output_flat ? std::to_string(layer.output.channels) : shape_text(layer.output);
}

/// Flatten hands on the very same memory.
std::int64_t activation_bytes(const Layer& layer) {
  return std::holds_alternative<FlattenLayer>(layer.kind) ? 0 : layer.output.count() * bytes_per_value;
}

std::int64_t activation_bytes(const Network& network) {
  std::int64_t bytes = 0;
  for (const Layer& layer : network.layers()) bytes += activation_bytes(layer);
  return bytes;
}

std::string number_or_dash(std::int64_t number) { return number == 0 ? "-" : group_digits(number); }
std::string bytes_or_dash(std::int64_t bytes) { return bytes == 0 ? "-" : format_bytes(bytes); }

Json layer_json(const Layer& layer) {
  Json json;
  json["name"] = layer.name;
  json["operation"] = std::visit(LayerWords{}, layer.kind);
  if (layer.output_flat) {
    json["output"] = Json::array({layer.output.channels});
  } else {
    json["output"] = Json::array({layer.output.channels, layer.output.height, layer.output.width});
  }
  json["parameters"] = layer.parameters;
  json["multiply_adds"] = layer.multiply_adds;
  json["parameter_bytes"] = layer.parameters * bytes_per_value;
  json["activation_bytes"] = activation_bytes(layer);
  return json;
}

Json recipe_json(const TrainingRecipe& recipe) {
  Json json;
  json["epochs"] = recipe.epochs;
  json["batch_size"] = recipe.batch_size;
  json["learning_rate"] = recipe.learning_rate;
  json["optimizer"] = to_string(recipe.optimizer.kind);
  json["momentum"] = recipe.optimizer.momentum;
  json["weight_decay"] = recipe.optimizer.weight_decay;
  json["schedule"] = to_string(recipe.schedule.kind);
  json["warmup"] = recipe.schedule.warmup;
  return json;
}

}  // namespace

std::string shape_text(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

std::string schedule_text(const TrainingRecipe& recipe) {
  std::string text = fmt::format("{} epoch{}, batches of {}, {} schedule", recipe.epochs, recipe.epochs == 1 ? "" : "s",
                                 recipe.batch_size, to_string(recipe.schedule.kind));
  if (recipe.schedule.warmup != 0) text += fmt::format(", {} steps of warm-up", recipe.schedule.warmup);
  return text;
}

std::string optimizer_text(const TrainingRecipe& recipe) {
  std::string text =
      fmt::format("{}, learning rate {}", to_string(recipe.optimizer.kind), format_number(recipe.learning_rate));
  if (recipe.optimizer.momentum != 0) text += ", momentum " + format_number(recipe.optimizer.momentum);
  if (recipe.optimizer.weight_decay != 0) text += ", weight decay " + format_number(recipe.optimizer.weight_decay);
  return text;
}

std::string network_text(const Network& network, const Style& style) {
  std::string text = style.bold(network.name());
  if (!network.description().empty()) text += "  " + network.description();
  text += fmt::format("\ninput      {} (channels, height, width)\n", shape_text(network.input()));
  if (network.is_autoencoder()) {
    const Layer& code = network.layers()[network.code_layer()];
    text += fmt::format("loss       {}\ncode       {} values, the output of {}\n", to_string(network.loss()),
                        code.output.count(), code.name);
  }
  text += fmt::format("training   {}\noptimizer  {}\n\n", schedule_text(network.recipe()),
                      optimizer_text(network.recipe()));

  Table table({{"layer", Align::left},
               {"operation", Align::left},
               {"output"},
               {"parameters"},
               {"multiply-adds"},
               {"weights"},
               {"activations"}});
  for (const Layer& layer : network.layers()) {
    table.add_row({layer.name, std::visit(LayerWords{}, layer.kind), output_text(layer),
                   number_or_dash(layer.parameters), number_or_dash(layer.multiply_adds),
                   bytes_or_dash(layer.parameters * bytes_per_value), bytes_or_dash(activation_bytes(layer))});
  }
  table.set_total({"total", "", "", group_digits(network.parameter_count()), group_digits(network.multiply_adds()),
                   format_bytes(network.parameter_count() * bytes_per_value), format_bytes(activation_bytes(network))});
  text += table.to_string(style);
  return text + "Multiply-adds and activations are those of one image, forwards; 4 bytes a value.\n";
}

nlohmann::ordered_json network_json(const Network& network) {
  Json json;
  json["name"] = network.name();
  json["description"] = network.description();
  json["input"] = Json::array({network.input().channels, network.input().height, network.input().width});
  json["loss"] = to_string(network.loss());
  if (!network.is_autoencoder()) json["classes"] = network.classes();
  json["code"] = {{"layer", network.layers()[network.code_layer()].name},
                  {"size", network.layers()[network.code_layer()].output.count()}};
  json["parameters"] = network.parameter_count();
  json["multiply_adds"] = network.multiply_adds();
  json["parameter_bytes"] = network.parameter_count() * bytes_per_value;
  json["activation_bytes"] = activation_bytes(network);
  json["layers"] = Json::array();
  for (const Layer& layer : network.layers()) json["layers"].push_back(layer_json(layer));
  json["training"] = recipe_json(network.recipe());
  return json;
}

}  // namespace touchstone::report
