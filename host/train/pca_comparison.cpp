// SPDX-License-Identifier: Apache-2.0
#include "touchstone/pca_comparison.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "host/train/data_fit.h"
#include "touchstone/dense.h"
#include "touchstone/error.h"
#include "touchstone/plan.h"
#include "touchstone/principal_components.h"

namespace touchstone {
namespace {

constexpr std::int64_t most_inputs = 8192;

/// Images as the network sees them, one a row. They have to outlive the result.
RowSource normalised_rows(const ImageSet& images, const Normalisation& normalisation) {
  return {
      .count = images.count,
      .dimensions = images.shape.count(),
      .read = [&images, scale = normalisation.pixel_scale()](std::int64_t first, std::int64_t number, double* rows) {
        std::transform(images.image(first), images.image(first + number), rows,
                       [&scale](std::uint8_t pixel) { return scale.value(pixel); });
      }};
}

/// What the decoder makes of each element of the code by itself, biases aside: [code,outputs].
std::vector<double> decoder_vectors(const Model& model) {
  const ExecutionPlan plan = make_plan(model.network);
  const std::vector<double> parameters(model.parameters.begin(), model.parameters.end());
  const std::int64_t code = plan.operations[plan.code_operation].input_count;
  std::vector<double> vectors(static_cast<std::size_t>(code * code), 0.0);
  for (std::int64_t i = 0; i < code; ++i) vectors[static_cast<std::size_t>(i * (code + 1))] = 1;
  for (std::size_t i = plan.code_operation; i < plan.operations.size(); ++i) {
    DenseShape shape = std::get<DenseShape>(plan.operations[i].shape);
    shape.batch = code;
    std::vector<double> outputs(static_cast<std::size_t>(shape.output_count()));
    reference::dense_forward(shape, vectors.data(), parameters.data() + plan.operations[i].parameters.weights, nullptr,
                             outputs.data());
    vectors = std::move(outputs);
  }
  return vectors;
}

}  // namespace

bool is_linear_autoencoder(const Network& network) {
  const ExecutionPlan plan = make_plan(network);
  return network.is_autoencoder() && plan.operations[plan.code_operation].input_count < plan.input_count &&
         std::all_of(plan.operations.begin(), plan.operations.end(),
                     [](const Operation& operation) { return std::holds_alternative<DenseShape>(operation.shape); });
}

PcaComparison compare_with_pca(const Model& model, const ImageSet& training, const ImageSet& images) {
  check_fit(model.network, training, "training");
  check_fit(model.network, images, "test");
  const std::int64_t inputs = model.network.input().count();
  if (training.count == 0) throw Error("there are no training images, to which principal components could be fitted");
  if (inputs > most_inputs) {
    throw Error(fmt::format("the images have {} values each; principal components are fitted to at most {}", inputs,
                            most_inputs));
  }
  const std::vector<double> decoder = decoder_vectors(model);
  const PrincipalComponents components = principal_components(normalised_rows(training, model.normalisation),
                                                              static_cast<std::int64_t>(decoder.size()) / inputs);
  return {.components = components.count,
          .fitted_images = training.count,
          .loss = mean_squared_error(components, normalised_rows(images, model.normalisation)) / 2,
          .angles = principal_angles(inputs, decoder, components.axes)};
}

}  // namespace touchstone
