// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/model.h"
#include "touchstone/network.h"

namespace touchstone {

/// The best linear code of images, to set a linear autoencoder beside.
struct PcaComparison {
  std::int64_t components = 0;     ///< as many as the autoencoder's code has values
  std::int64_t fitted_images = 0;  ///< from which they come
  /// Half the squared error of what the components give back of an image, the mean over the images evaluated. For the
  /// images that they were fitted to no linear code of the size can do better; for others, hardly.
  double loss = 0;
  /// The principal angles between the subspace of the decoder, which the columns of its weights span, and that of the
  /// components, [components] ascending, in radians: see principal_angles().
  std::vector<double> angles;
};

/// Whether a network is an autoencoder of flatten and dense layers alone whose code is narrower than its input.
bool is_linear_autoencoder(const Network& network);

/// Fits principal components to the `training` images and evaluates them on `images`, both normalised as the model's
/// input is. The model is a linear autoencoder. Throws Error where images and network do not fit, there are no training
/// images, an image has more than 8,192 values (the covariance of more would take gigabytes), the decoder's columns are
/// linearly dependent, or the build has no LAPACK.
PcaComparison compare_with_pca(const Model& model, const ImageSet& training, const ImageSet& images);

}  // namespace touchstone
