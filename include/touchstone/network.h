// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/loss.h"
#include "touchstone/optimizer.h"
#include "touchstone/schedule.h"

namespace touchstone {

/// A pair of sizes, height first.
struct Size2d {
  std::int64_t h = 1;
  std::int64_t w = 1;

  bool operator==(const Size2d&) const = default;
};

/// type = "conv2d": a convolution with a bias per filter.
struct Conv2dLayer {
  std::int64_t filters = 1;
  Size2d kernel;
  Size2d stride{1, 1};
  Size2d padding{0, 0};
};

/// type = "sigmoid": elementwise.
struct SigmoidLayer {};

/// type = "maxpool2d": the stride is the kernel unless it is given.
struct Maxpool2dLayer {
  Size2d kernel;
  Size2d stride;
  Size2d padding{0, 0};
};

/// type = "flatten": [C,H,W] to [C*H*W], in that order.
struct FlattenLayer {};

/// type = "dense": fully connected, with a bias per unit.
struct DenseLayer {
  std::int64_t units = 1;
  /// The name of the earlier dense layer whose weights this one has, transposed; empty where it has its own.
  std::string tied_to;
};

/// One layer with its inferred shapes. A flat vector of n features has the shape {n, 1, 1} and flat = true.
struct Layer {
  std::string name;  ///< "conv1", "pool2", "dense1": type and number, or as the description says
  std::variant<Conv2dLayer, SigmoidLayer, Maxpool2dLayer, FlattenLayer, DenseLayer> kind;
  ImageShape input;
  ImageShape output;
  bool output_flat = false;
  std::int64_t parameters = 0;     ///< weights and biases
  std::int64_t multiply_adds = 0;  ///< of the forward pass of one sample
};

/// How initial weights are drawn; biases start at 0. Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and
/// Bengio, 2010) or +-gain * sqrt(6 / fan_in) (He et al., 2015), or normal with the same variance.
enum class InitialisationScheme : std::uint8_t { glorot_uniform, glorot_normal, he_uniform, he_normal };

/// A scheme and its gain; without a gain it is 4 for a layer that a sigmoid follows (directly or after a max-pool), as
/// Glorot and Bengio derive, and 1 otherwise.
struct Initialisation {
  InitialisationScheme scheme = InitialisationScheme::glorot_uniform;
  std::optional<double> gain;
};

/// How a network is trained when nothing else is said: the recipe in its description.
struct TrainingRecipe {
  std::int64_t epochs = 10;
  std::int64_t batch_size = 64;
  double learning_rate = 0.05;
  OptimizerSettings optimizer{.momentum = 0.9};
  ScheduleSettings schedule;

  /// Takes another optimizer with PyTorch's defaults for it: learning rate 0.001, no momentum, and weight decay 0.01
  /// for adamw, 0 for the others.
  void use_optimizer(OptimizerKind kind);
  /// Throws UsageError naming the setting that is out of range.
  void validate() const;
};

/// "softmax-cross-entropy" or "half-squared-error", as descriptions have it.
std::string_view to_string(Loss loss);

/// A description of a network: layers with inferred and checked shapes, initialisation, training recipe.
class Network {
 public:
  /// Parses a description in TOML (docs/networks.md). `origin` names it in errors (a file name).
  /// Throws Error naming the origin and the line, or the layer and both shapes.
  static Network parse(std::string_view toml, std::string_view origin);

  /// Reads and parses a file.
  static Network load(const std::filesystem::path& file);

  /// A network that ships with Touchstone. Throws UsageError naming the known names and the nearest.
  static Network named(std::string_view name);

  /// named() where `name_or_file` is the name of a network that ships, else load(). Throws UsageError where it is
  /// neither a known name nor an existing file.
  static Network find(const std::string& name_or_file);

  /// The names of the networks that ship, the default (`seed`) first.
  static std::vector<std::string> names();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& description() const { return description_; }
  /// The description as it was read: what a saved model carries.
  [[nodiscard]] const std::string& toml() const { return toml_; }
  [[nodiscard]] const ImageShape& input() const { return input_; }
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
  [[nodiscard]] Loss loss() const { return loss_; }
  /// Whether it is trained to give its input back, rather than to tell classes apart.
  [[nodiscard]] bool is_autoencoder() const { return loss_ == Loss::half_squared_error; }
  /// The index of the layer whose output is a sample's code, what the network has made of the sample: of a classifier
  /// the layer before the last, which tells the classes apart; of an autoencoder, the narrowest layer but the last (the
  /// first of equals).
  [[nodiscard]] std::size_t code_layer() const;
  [[nodiscard]] const Initialisation& initialisation() const { return initialisation_; }
  [[nodiscard]] const TrainingRecipe& recipe() const { return recipe_; }
  /// The number of outputs of the last layer: a logit for each class, or the elements of a reconstruction.
  [[nodiscard]] std::int64_t output_count() const { return layers_.back().output.count(); }
  /// The number of classes; 0 for an autoencoder, which has no use for labels.
  [[nodiscard]] std::int64_t classes() const { return is_autoencoder() ? 0 : output_count(); }
  /// Weights and biases of all layers.
  [[nodiscard]] std::int64_t parameter_count() const;
  /// Multiply-adds of the forward pass of one sample.
  [[nodiscard]] std::int64_t multiply_adds() const;

 private:
  Network() = default;

  std::string name_;
  std::string description_;
  std::string toml_;
  Loss loss_ = Loss::softmax_cross_entropy;
  ImageShape input_;
  std::vector<Layer> layers_;
  Initialisation initialisation_;
  TrainingRecipe recipe_;
};

}  // namespace touchstone
