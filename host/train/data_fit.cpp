// SPDX-License-Identifier: Apache-2.0
#include "host/train/data_fit.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone {
namespace {

std::string text(const ImageShape& shape) { return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width); }

}  // namespace

void check_fit(const Network& network, const ImageSet& images, std::string_view which) {
  if (images.shape != network.input()) {
    throw Error(fmt::format("the {} images are {} (channels x height x width); the network `{}` takes {}", which,
                            text(images.shape), network.name(), text(network.input())));
  }
  if (network.is_autoencoder()) return;
  const auto large = std::find_if(images.labels.begin(), images.labels.end(),
                                  [&](std::uint8_t label) { return label >= network.classes(); });
  if (large != images.labels.end()) {
    throw Error(fmt::format("the {} image {} has label {}; the network `{}` has {} classes (labels 0 to {})", which,
                            large - images.labels.begin(), *large, network.name(), network.classes(),
                            network.classes() - 1));
  }
}

}  // namespace touchstone
