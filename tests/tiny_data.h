// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/network.h"
#include "touchstone/random.h"

namespace touchstone::test {

/// Images of 6x7 pixels in three classes, told apart by which third of the columns is bright, with noise.
inline SharedImageSet tiny_images(std::int64_t count, std::uint64_t seed) {
  ImageSet images;
  images.count = count;
  images.shape = {1, 6, 7};
  std::vector<std::uint8_t> pixels;
  for (std::int64_t n = 0; n < count; ++n) {
    const auto label =
        static_cast<std::uint8_t>(random_word(seed, RandomPurpose::check, 0, static_cast<std::uint64_t>(n)) % 3);
    images.labels.push_back(label);
    for (std::int64_t i = 0; i < images.shape.count(); ++i) {
      const std::uint32_t noise = random_word(seed, RandomPurpose::check, 1, pixels.size()) % 100;
      const bool bright = (i % 7) / 2 == label;
      pixels.push_back(static_cast<std::uint8_t>(noise + (bright ? 120 : 0)));
    }
  }
  images.pixels = pixels;
  return std::make_shared<const ImageSet>(std::move(images));
}

inline Dataset tiny_dataset(std::int64_t training = 101, std::int64_t test = 40) {
  return {.name = "tiny", .training = tiny_images(training, 1), .test = tiny_images(test, 2)};
}

inline const std::string tiny_network_toml = R"(name = "tiny"
input = [1, 6, 7]
layers = [{type = "conv2d", filters = 3, kernel = 3}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "flatten"}, {type = "dense", units = 3}]
[training]
epochs = 4
batch_size = 8
optimizer = "sgd"
learning_rate = 0.2
momentum = 0.9
)";

/// An autoencoder of the tiny images with a code of three values; `decoder`: the keys of its last layer.
inline Network tiny_autoencoder(const std::string& decoder) {
  return Network::parse(R"(name = "tiny-autoencoder"
input = [1, 6, 7]
loss = "half-squared-error"
layers = [{type = "flatten"}, {type = "dense", name = "encoder", units = 3}, {type = "dense", )" +
                            decoder + R"(}]
[training]
epochs = 8
batch_size = 8
optimizer = "adam"
learning_rate = 0.02
)",
                        "tiny-autoencoder.toml");
}

inline const std::string untied_decoder = "units = 42";
inline const std::string tied_decoder = "tied_to = \"encoder\"";

inline Network tiny_network() { return Network::parse(tiny_network_toml, "tiny.toml"); }

}  // namespace touchstone::test
