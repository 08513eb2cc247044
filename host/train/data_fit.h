// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "touchstone/dataset.h"
#include "touchstone/network.h"

namespace touchstone {

/// Throws Error unless the images have the network's input size and the labels are below its classes; `which` names
/// the set ("training", "test") in the message, which gives both shapes, or the first label that is too large.
void check_fit(const Network& network, const ImageSet& images, std::string_view which);

}  // namespace touchstone
