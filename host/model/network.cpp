// SPDX-License-Identifier: Apache-2.0
#include "touchstone/network.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <sstream>
#include <type_traits>

#include <fmt/format.h>

#include "host/model/embedded_networks.h"
#include "host/model/spelling.h"
#include "host/model/toml_reader.h"
#include "touchstone/conv2d.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

/// Larger tensors than this (8 GiB of float32) are taken for a mistake; it also keeps every product far below 2^63.
constexpr std::int64_t largest_tensor = std::int64_t{1} << 31;
constexpr std::int64_t most_classes = 256;  // labels are bytes

/// A shape on its way through the layers: [C,H,W], or flat with everything in `channels`.
struct Feature {
  ImageShape shape;
  bool flat = false;

  [[nodiscard]] std::string text() const {
    if (flat) return fmt::format("[{}]", shape.channels);
    return fmt::format("[{}, {}, {}]", shape.channels, shape.height, shape.width);
  }
};

/// Reads one [[layers]] table and infers what the layer makes of its input.
class LayerParser {
 public:
  /// `earlier`: the layers before it.
  LayerParser(TomlReader& reader, Layer& layer, const Feature& input, const std::vector<Layer>& earlier)
      : reader_(reader), layer_(layer), input_(input), earlier_(earlier) {}

  Feature parse(std::size_t type) {
    const Feature output = parse_kind(type);
    reader_.finish();
    layer_.input = input_.shape;
    layer_.output = output.shape;
    layer_.output_flat = output.flat;
    return output;
  }

 private:
  /// `type` counts as in layer_types.
  Feature parse_kind(std::size_t type) {
    switch (type) {
      case 0:
        return conv2d();
      case 1:
        return sigmoid();
      case 2:
        return maxpool2d();
      case 3:
        return flatten();
      default:
        return dense();
    }
  }

  Feature conv2d() {
    Conv2dLayer conv;
    conv.filters = bounded("filters", reader_.integer("filters", 1));
    conv.kernel = bounded("kernel", reader_.size2d("kernel", 1));
    reader_.maybe("stride", conv.stride, 1);
    reader_.maybe("padding", conv.padding, 0);
    bounded("stride", conv.stride);
    bounded("padding", conv.padding);
    if (conv.padding.h >= conv.kernel.h || conv.padding.w >= conv.kernel.w) {
      reader_.fail("padding", "expected less than the kernel's size, so that every output sees the image");
    }
    layer_.kind = conv;
    const Feature output = windows(conv.filters, conv.kernel, conv.stride, conv.padding);
    const std::int64_t weights_per_filter = input_.shape.channels * conv.kernel.h * conv.kernel.w;
    check_size("weights", {conv.filters, weights_per_filter});
    layer_.parameters = conv.filters * (weights_per_filter + 1);
    layer_.multiply_adds = output.shape.count() * weights_per_filter;
    return output;
  }

  Feature sigmoid() {
    layer_.kind = SigmoidLayer{};
    return input_;
  }

  Feature maxpool2d() {
    Maxpool2dLayer pool;
    pool.kernel = bounded("kernel", reader_.size2d("kernel", 1));
    pool.stride = pool.kernel;
    reader_.maybe("stride", pool.stride, 1);
    reader_.maybe("padding", pool.padding, 0);
    bounded("stride", pool.stride);
    if (2 * pool.padding.h > pool.kernel.h || 2 * pool.padding.w > pool.kernel.w) {
      reader_.fail("padding", "expected at most half the kernel's size, so that every window holds a pixel");
    }
    layer_.kind = pool;
    return windows(input_.shape.channels, pool.kernel, pool.stride, pool.padding);
  }

  Feature flatten() {
    layer_.kind = FlattenLayer{};
    return {{input_.shape.count(), 1, 1}, true};
  }

  Feature dense() {
    DenseLayer dense;
    const std::int64_t features = input_.shape.count();
    if (!input_.flat) {
      reader_.fail("type", fmt::format("expected a flat input of shape [{}], not {}: put a flatten layer before it",
                                       features, input_.text()));
    }
    reader_.maybe("tied_to", dense.tied_to);
    const bool tied = reader_.has("tied_to");
    dense.units = tied ? tied_units(dense.tied_to) : bounded("units", reader_.integer("units", 1));
    layer_.kind = dense;
    check_size("weights", {dense.units, features});
    layer_.parameters = tied ? dense.units : dense.units * (features + 1);
    layer_.multiply_adds = dense.units * features;
    return {{dense.units, 1, 1}, true};
  }

  /// The units of a dense layer that has the weights of the layer `name`, transposed.
  std::int64_t tied_units(const std::string& name) {
    const Layer& owner = layer_tied_to(name);
    const std::int64_t outputs = owner.output.count();
    if (input_.shape.count() != outputs) {
      reader_.fail("tied_to", fmt::format("expected an input of shape [{}], as \"{}\" puts out, not {}", outputs, name,
                                          input_.text()));
    }
    const std::int64_t units = owner.input.count();
    std::int64_t given = units;
    reader_.maybe("units", given, 1);
    if (given != units) {
      reader_.fail("units",
                   fmt::format("expected {}, the inputs of \"{}\", to which it is tied, not {}", units, name, given));
    }
    return units;
  }

  const Layer& layer_tied_to(const std::string& name) const {
    std::vector<std::string> candidates;
    for (const Layer& layer : earlier_) {
      const auto* dense = std::get_if<DenseLayer>(&layer.kind);
      if (layer.name == name && dense == nullptr) {
        reader_.fail("tied_to", fmt::format("expected a dense layer; \"{}\" is none", name));
      }
      if (layer.name == name && !dense->tied_to.empty()) {
        reader_.fail("tied_to", fmt::format("expected a dense layer with weights of its own; \"{}\" is tied to \"{}\"",
                                            name, dense->tied_to));
      }
      if (layer.name == name) return layer;
      if (dense != nullptr) candidates.push_back(layer.name);
    }
    reader_.fail("tied_to", fmt::format("expected the name of a dense layer before this one, not \"{}\"{}", name,
                                        did_you_mean(name, candidates)));
  }

  /// The output of a layer whose windows slide over its input.
  Feature windows(std::int64_t channels, Size2d kernel, Size2d stride, Size2d padding) const {
    if (input_.flat) {
      reader_.fail("type", fmt::format("expected an input of shape [channels, height, width], not {}", input_.text()));
    }
    const std::int64_t height = input_.shape.height + 2 * padding.h;
    const std::int64_t width = input_.shape.width + 2 * padding.w;
    if (height < kernel.h || width < kernel.w) {
      reader_.fail("kernel", fmt::format("a kernel of {}x{} does not fit into the input {} padded to {}x{}", kernel.h,
                                         kernel.w, input_.text(), height, width));
    }
    const Feature output{{channels, (height - kernel.h) / stride.h + 1, (width - kernel.w) / stride.w + 1}, false};
    check_size("output", {output.shape.channels, output.shape.height, output.shape.width});
    return output;
  }

  std::int64_t bounded(std::string_view key, std::int64_t value) const {
    if (value > largest_tensor) reader_.fail(key, fmt::format("{} is more than {}", value, largest_tensor));
    return value;
  }

  Size2d bounded(std::string_view key, Size2d value) const { return {bounded(key, value.h), bounded(key, value.w)}; }

  void check_size(std::string_view what, const std::vector<std::int64_t>& sizes) const {
    const double count = std::accumulate(sizes.begin(), sizes.end(), 1.0, [](double product, std::int64_t size) {
      return product * static_cast<double>(size);
    });
    if (count > static_cast<double>(largest_tensor)) {
      reader_.fail("type", fmt::format("its {} would have {} elements for the input {}; at most {} are supported", what,
                                       fmt::join(sizes, "x"), input_.text(), largest_tensor));
    }
  }

  TomlReader& reader_;
  Layer& layer_;
  Feature input_;
  const std::vector<Layer>& earlier_;
};

const std::vector<std::string> layer_types = {"conv2d", "sigmoid", "maxpool2d", "flatten", "dense"};
const std::vector<std::string> layer_name_stems = {"conv", "sigmoid", "pool", "flatten", "dense"};
const std::vector<std::string> loss_names = {"softmax-cross-entropy", "half-squared-error"};
const std::vector<std::string> scheme_names = {"glorot-uniform", "glorot-normal", "he-uniform", "he-normal"};

ImageShape parse_input(TomlReader& reader) {
  const std::vector<std::int64_t> sizes = reader.integers("input", 3, 1);
  const ImageShape shape{sizes[0], sizes[1], sizes[2]};
  constexpr std::int64_t largest_side = 1 << 20;
  const bool too_long = std::any_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size > largest_side; });
  if (too_long || shape.count() > largest_tensor) {
    reader.fail("input", fmt::format("an image of {}x{}x{} is larger than supported ({} values)", shape.channels,
                                     shape.height, shape.width, largest_tensor));
  }
  return shape;
}

std::vector<Layer> parse_layers(TomlReader& network, const ImageShape& input, std::string_view origin) {
  std::vector<Layer> layers;
  std::map<std::size_t, int> numbers;
  Feature feature{input, false};
  for (const toml::table* table : network.tables("layers")) {
    const std::string place = fmt::format("layer {}", layers.size() + 1);
    TomlReader type_reader(*table, std::string(origin), place);
    const std::size_t type = type_reader.choice("type", layer_types);
    Layer layer;
    layer.name = fmt::format("{}{}", layer_name_stems[type], ++numbers[type]);
    type_reader.maybe("name", layer.name);
    TomlReader reader(*table, std::string(origin), fmt::format("{} ({})", place, layer.name));
    reader.has("type");
    if (reader.has("name")) {
      const bool taken =
          std::any_of(layers.begin(), layers.end(), [&](const Layer& other) { return other.name == layer.name; });
      if (taken || layer.name.empty()) reader.fail("name", fmt::format("\"{}\" is empty or taken already", layer.name));
    }
    feature = LayerParser(reader, layer, feature, layers).parse(type);
    layers.push_back(std::move(layer));
  }
  return layers;
}

/// Throws Error unless the last layer puts out what the loss takes.
void check_output(const Network& network, std::string_view origin) {
  const Layer& last = network.layers().back();
  const std::int64_t outputs = network.output_count();
  const std::int64_t inputs = network.input().count();
  const bool fits = network.is_autoencoder() ? outputs == inputs : outputs <= most_classes;
  if (std::holds_alternative<DenseLayer>(last.kind) && fits) return;
  const std::string expected =
      network.is_autoencoder()
          ? fmt::format("a unit for each element of the input ({}) for the loss half-squared-error", inputs)
          : fmt::format("a unit for each class (at most {})", most_classes);
  throw Error(fmt::format("{}: layer {} ({}): the last layer must be dense with {}; its output is {}", origin,
                          network.layers().size(), last.name, expected, Feature{last.output, last.output_flat}.text()));
}

Initialisation parse_initialisation(TomlReader& network, std::string_view origin) {
  Initialisation initialisation;
  const toml::table* table = network.maybe_table("initialisation");
  if (table == nullptr) return initialisation;
  TomlReader reader(*table, std::string(origin), "[initialisation]");
  initialisation.scheme = static_cast<InitialisationScheme>(reader.choice("scheme", scheme_names));
  if (reader.has("gain")) {
    double gain = 0;
    reader.maybe("gain", gain, 0);
    initialisation.gain = gain;
  }
  reader.finish();
  return initialisation;
}

TrainingRecipe parse_recipe(TomlReader& network, std::string_view origin) {
  TrainingRecipe recipe;
  const toml::table* table = network.maybe_table("training");
  if (table == nullptr) return recipe;
  TomlReader reader(*table, std::string(origin), "[training]");
  read_recipe(reader, recipe);
  reader.finish();
  try {
    recipe.validate();
  } catch (const UsageError& error) {
    throw Error(fmt::format("{}: [training]: {}", origin, error.what()));
  }
  return recipe;
}

}  // namespace

void TrainingRecipe::use_optimizer(OptimizerKind kind) {
  optimizer = OptimizerSettings{.kind = kind, .weight_decay = kind == OptimizerKind::adamw ? 0.01 : 0.0};
  learning_rate = 0.001;
}

void TrainingRecipe::validate() const {
  const auto at_least = [](std::string_view name, auto value, auto minimum) {
    if (!(value >= minimum)) throw UsageError(fmt::format("{} is {}; expected at least {}", name, value, minimum));
  };
  at_least("epochs", epochs, 1);
  at_least("batch size", batch_size, 1);
  at_least("warmup", schedule.warmup, 0);
  if (!(learning_rate > 0 && std::isfinite(learning_rate))) {
    throw UsageError(fmt::format("learning rate is {}; expected a positive number", learning_rate));
  }
  if (!(schedule.decay_factor > 0 && schedule.decay_factor <= 1)) {
    throw UsageError(fmt::format("decay factor is {}; expected more than 0 and at most 1", schedule.decay_factor));
  }
  optimizer.validate();
}

std::string_view to_string(Loss loss) { return loss_names[static_cast<std::size_t>(loss)]; }

Network Network::parse(std::string_view toml, std::string_view origin) {
  const toml::table document = parse_toml(toml, origin);
  TomlReader reader(document, std::string(origin), "network");
  Network network;
  network.toml_ = toml;
  network.name_ = reader.string("name");
  reader.maybe("description", network.description_);
  if (reader.has("loss")) network.loss_ = static_cast<Loss>(reader.choice("loss", loss_names));
  network.input_ = parse_input(reader);
  network.layers_ = parse_layers(reader, network.input_, origin);
  check_output(network, origin);
  network.initialisation_ = parse_initialisation(reader, origin);
  network.recipe_ = parse_recipe(reader, origin);
  reader.finish();
  return network;
}

Network Network::load(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || std::filesystem::is_directory(file) || !(text << stream.rdbuf())) {
    throw Error(fmt::format("{}: cannot read the network description", file.string()));
  }
  return parse(text.str(), file.string());
}

Network Network::named(std::string_view name) {
  for (const EmbeddedNetwork& network : embedded_networks) {
    if (network.name == name) return parse(network.toml, fmt::format("{}.toml", name));
  }
  throw UsageError(
      fmt::format("unknown network `{}`{} (known: {})", name, did_you_mean(name, names()), fmt::join(names(), ", ")));
}

Network Network::find(const std::string& name_or_file) {
  const std::vector<std::string> known = names();
  if (std::find(known.begin(), known.end(), name_or_file) != known.end()) return named(name_or_file);
  if (std::filesystem::exists(name_or_file)) return load(name_or_file);
  if (name_or_file.find('/') != std::string::npos || name_or_file.ends_with(".toml")) {
    throw Error(fmt::format("{}: no such file", name_or_file));
  }
  return named(name_or_file);
}

std::vector<std::string> Network::names() {
  std::vector<std::string> names;
  std::transform(embedded_networks.begin(), embedded_networks.end(), std::back_inserter(names),
                 [](const EmbeddedNetwork& network) { return std::string(network.name); });
  return names;
}

std::size_t Network::code_layer() const {
  const auto last = std::prev(layers_.end());
  if (!is_autoencoder()) return layers_.size() - 2;
  const auto narrowest = std::min_element(layers_.begin(), last, [](const Layer& left, const Layer& right) {
    return left.output.count() < right.output.count();
  });
  return static_cast<std::size_t>(narrowest - layers_.begin());
}

std::int64_t Network::parameter_count() const {
  return std::accumulate(layers_.begin(), layers_.end(), std::int64_t{0},
                         [](std::int64_t sum, const Layer& layer) { return sum + layer.parameters; });
}

std::int64_t Network::multiply_adds() const {
  return std::accumulate(layers_.begin(), layers_.end(), std::int64_t{0},
                         [](std::int64_t sum, const Layer& layer) { return sum + layer.multiply_adds; });
}

}  // namespace touchstone
