// SPDX-License-Identifier: Apache-2.0
#include "host/report/dataset_report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/image_drawing.h"
#include "host/report/network_report.h"
#include "host/report/table.h"
#include "host/report/training_report.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

constexpr int drawing_columns = 18;  // four drawings side by side on 80 columns
constexpr int balance_bar_columns = 24;
constexpr std::size_t rows_of_drawings = 2;

/// Labels are numbers from 0: as many classes as the largest of either set asks for.
std::size_t class_count(const Dataset& dataset) {
  std::size_t classes = 0;
  for (const SharedImageSet& set : {dataset.training, dataset.test}) {
    for (const std::uint8_t label : set->labels) classes = std::max<std::size_t>(classes, label + std::size_t{1});
  }
  return classes;
}

std::vector<std::int64_t> images_per_class(const ImageSet& images, std::size_t classes) {
  std::vector<std::int64_t> counts(classes);
  for (const std::uint8_t label : images.labels) ++counts[label];
  return counts;
}

std::string balance_table(const Dataset& dataset, const TerminalTraits& traits) {
  const std::size_t classes = class_count(dataset);
  const std::vector<std::int64_t> training = images_per_class(*dataset.training, classes);
  const std::vector<std::int64_t> test = images_per_class(*dataset.test, classes);
  const std::int64_t most = *std::max_element(training.begin(), training.end());
  const Style style(traits.colour);
  Table table({{"class"}, {"training"}, {"share"}, {"", Align::left}, {"test"}});
  for (std::size_t label = 0; label < classes; ++label) {
    const auto images = static_cast<double>(training[label]);
    const double share = images / static_cast<double>(std::max<std::int64_t>(1, dataset.training->count));
    const double length = images / static_cast<double>(std::max<std::int64_t>(1, most));
    table.add_row({std::to_string(label), group_digits(training[label]), format_percent(share),
                   style.cyan(bar(length, balance_bar_columns, traits.unicode)), group_digits(test[label])});
  }
  return table.to_string(style);
}

std::string first_images(const ImageSet& images, const TerminalTraits& traits) {
  const auto cell = static_cast<std::size_t>(drawn_width(images.shape, drawing_columns));
  const std::size_t per_row = std::max<std::size_t>(1, (static_cast<std::size_t>(traits.width) + 2) / (cell + 2));
  const auto shown = std::min<std::int64_t>(images.count, static_cast<std::int64_t>(rows_of_drawings * per_row));
  std::vector<std::vector<std::string>> drawings;
  std::vector<std::string> captions;
  for (std::int64_t index = 0; index < shown; ++index) {
    drawings.push_back(draw_image(images.image(index), images.shape, drawing_columns, traits));
    captions.push_back(fmt::format("label {}", images.labels[static_cast<std::size_t>(index)]));
  }
  return arrange_drawings(drawings, captions, traits.width);
}

Json split_json(const ImageSet& images, std::size_t classes) {
  Json json;
  json["count"] = images.count;
  json["per_class"] = images_per_class(images, classes);
  return json;
}

}  // namespace

std::string dataset_text(const Dataset& dataset, const TerminalTraits& traits) {
  const ImageSet& training = *dataset.training;
  const Normalisation normalisation = compute_normalisation(training);
  std::string text = fmt::format("{}\n", Style(traits.colour).bold(dataset.name));
  text += fmt::format("images   {} for training, {} for testing\n", group_digits(training.count),
                      group_digits(dataset.test->count));
  text += fmt::format("size     {} (channels, height, width), 8 bits a pixel\n", shape_text(training.shape));
  text += fmt::format("pixels   mean {}, standard deviation {} (of the training images, scaled to 0..1)\n\n",
                      format_number(normalisation.mean), format_number(normalisation.std));
  text += balance_table(dataset, traits);
  return text + "\n" + first_images(training, traits);
}

nlohmann::ordered_json dataset_json(const Dataset& dataset) {
  const std::size_t classes = class_count(dataset);
  const Normalisation normalisation = compute_normalisation(*dataset.training);
  const ImageShape& shape = dataset.training->shape;
  Json json;
  json["name"] = dataset.name;
  json["shape"] = Json::array({shape.channels, shape.height, shape.width});
  json["classes"] = classes;
  json["training"] = split_json(*dataset.training, classes);
  json["test"] = split_json(*dataset.test, classes);
  json["normalisation"]["mean"] = normalisation.mean;
  json["normalisation"]["std"] = normalisation.std;
  return json;
}

}  // namespace touchstone::report
