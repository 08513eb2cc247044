// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/device.h"
#include "touchstone/model.h"
#include "touchstone/network.h"

namespace touchstone {

/// Everything that decides what a run computes, apart from data, network and device.
struct TrainingSettings {
  TrainingRecipe recipe{};  ///< epochs, batch size, learning rate, optimizer, schedule
  std::uint64_t seed = 1;
  bool shuffle = true;          ///< false: batches in file order
  std::int64_t validation = 0;  ///< training images held out (picked by the seed) to decide which weights are kept
  /// Stops after the epoch whose accuracy (on the held-out images where there are any, else on the test images)
  /// reaches this fraction of 1. Not for an autoencoder, which has no accuracy.
  std::optional<double> target_accuracy{};

  /// Throws UsageError naming the setting that is out of range, or that the network has no use for.
  void validate(const Network& network) const;
};

/// One epoch of a run. Losses are means over samples, of an autoencoder its reconstruction errors; accuracies are
/// fractions of 1, which an autoencoder has not.
struct EpochReport {
  std::int64_t epoch = 0;  ///< from 1
  double train_loss = 0;   ///< over the epoch as it went, each sample before its step's update
  std::optional<double> train_accuracy{};
  std::optional<double> validation_loss{};
  std::optional<double> validation_accuracy{};
  double test_loss = 0;
  std::optional<double> test_accuracy{};
  double learning_rate = 0;  ///< of the epoch's last step
  double seconds = 0;        ///< training alone, shuffle and gather included, evaluation excluded
};

/// How far a run is, between two steps.
struct TrainingProgress {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t epochs = 0;
  std::int64_t samples = 0;  ///< of this epoch, done
  std::int64_t samples_per_epoch = 0;
  double running_loss = 0;                   ///< mean over the epoch so far
  std::optional<double> running_accuracy{};  ///< mean over the epoch so far; nothing for an autoencoder
};

/// Hears how a run goes. Called from the training thread.
class TrainingObserver {
 public:
  TrainingObserver() = default;
  TrainingObserver(const TrainingObserver&) = delete;
  TrainingObserver& operator=(const TrainingObserver&) = delete;
  virtual ~TrainingObserver() = default;

  virtual void on_progress(const TrainingProgress& /*progress*/) {}
  virtual void on_epoch(const EpochReport& /*report*/) {}
};

/// How a run ended.
struct TrainingResult {
  Model model;  ///< the final weights, or with `validation` the best on the held-out images
  std::vector<EpochReport> epochs{};
  double test_loss = 0;                   ///< of `model`
  std::optional<double> test_accuracy{};  ///< of `model`; nothing for an autoencoder, or before the first epoch's end
  std::optional<bool> target_reached{};   ///< where a target was set
  bool interrupted = false;
  double train_seconds = 0;  ///< sum of the epochs' seconds
};

/// Where a run starts and what goes along with it; everything is optional.
struct TrainingOptions {
  std::optional<std::filesystem::path> initial_weights{};  ///< start from these (safetensors) instead of drawn ones
  /// An existing directory to write model.safetensors, checkpoint.safetensors and metrics.jsonl to; without it nothing
  /// is written.
  std::optional<std::filesystem::path> run_directory{};
  bool resume = false;     ///< go on from the run directory's checkpoint
  std::stop_token stop{};  ///< when requested: finish the step, save, return with `interrupted`
  TrainingObserver* observer = nullptr;
};

/// Trains `network` on `dataset` on a device. Throws Error where data and network do not fit, where the loss becomes
/// NaN or infinite (naming the step, and what to try), and where a file cannot be read or written.
TrainingResult train(const Network& network, const Dataset& dataset, const TrainingSettings& settings,
                     const DeviceRequest& device = {}, const TrainingOptions& options = {});

/// Loss, accuracy and confusion of a model on labelled images; of an autoencoder its reconstruction error alone.
struct Evaluation {
  double loss = 0;
  std::optional<double> accuracy{};
  std::int64_t count = 0;
  std::vector<std::vector<std::int64_t>> confusion{};  ///< [label][prediction], classes x classes
};

/// Evaluates a model. Throws Error where images and network do not fit.
Evaluation evaluate(const Model& model, const SharedImageSet& images, const DeviceRequest& device = {});

/// What a model makes of images (see Network::code_layer()): a row of `size` values each.
struct Codes {
  std::int64_t count = 0;
  std::int64_t size = 0;
  std::vector<float> values;  ///< [count,size]
};

/// The codes of images, in their order. Throws Error where images and network do not fit, or the network has no codes.
Codes encode(const Model& model, const SharedImageSet& images, const DeviceRequest& device = {});

/// What an autoencoder gives back of images, [count,C,H,W] and normalised as its input is (Normalisation::pixel() turns
/// an element into a pixel). Throws Error where images and network do not fit, or the network is a classifier.
std::vector<float> reconstruct(const Model& model, const SharedImageSet& images, const DeviceRequest& device = {});

/// Class probabilities [images][classes] of a model for images of its input size. Throws Error for an autoencoder.
std::vector<std::vector<double>> predict(const Model& model, const SharedImageSet& images,
                                         const DeviceRequest& device = {});

}  // namespace touchstone
