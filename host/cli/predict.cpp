// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/device_text.h"
#include "host/cli/model_argument.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/report/image_drawing.h"
#include "host/report/table.h"
#include "host/report/units.h"
#include "touchstone/error.h"
#include "touchstone/image.h"
#include "touchstone/model.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone predict runs/NAME digit.png\n"
    "  touchstone predict model.safetensors *.pgm --preview\n"
    "  touchstone predict runs/NAME digit.png --json | jq .[0].class";

constexpr std::size_t shown_classes = 3;
constexpr int preview_columns = 28;

struct PredictOptions {
  std::optional<std::filesystem::path> model;
  std::vector<std::string> images;
  bool preview = false;
};

/// One picture on its way to the network and back.
struct Prediction {
  std::string file;
  std::string error;                  ///< why it could not be read; empty otherwise
  std::vector<std::uint8_t> pixels;   ///< as the network sees it
  std::vector<double> probabilities;  ///< of each class

  /// The classes, the most probable first.
  [[nodiscard]] std::vector<std::size_t> ranking() const {
    std::vector<std::size_t> classes(probabilities.size());
    std::iota(classes.begin(), classes.end(), std::size_t{0});
    std::stable_sort(classes.begin(), classes.end(),
                     [this](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
    classes.resize(std::min(classes.size(), shown_classes));
    return classes;
  }
};

Prediction read_picture(const std::string& file, const ImageShape& shape) {
  Prediction prediction{.file = file, .error = {}, .pixels = {}, .probabilities = {}};
  try {
    prediction.pixels = fit_picture(load_picture(file), shape);
  } catch (const Error& error) {
    prediction.error = error.what();
  }
  return prediction;
}

/// Asks the model about all pictures that could be read, at once.
void classify(const Model& model, const DeviceRequest& device, std::vector<Prediction>& predictions) {
  std::vector<std::uint8_t> pixels;
  for (const Prediction& prediction : predictions) {
    pixels.insert(pixels.end(), prediction.pixels.begin(), prediction.pixels.end());
  }
  ImageSet images;
  images.shape = model.network.input();
  images.count = static_cast<std::int64_t>(pixels.size()) / images.shape.count();
  images.pixels = pixels;
  images.labels.assign(static_cast<std::size_t>(images.count), 0);  // not known, and not looked at
  if (images.count == 0) return;
  std::vector<std::vector<double>> probabilities =
      predict(model, std::make_shared<const ImageSet>(std::move(images)), device);
  auto next = probabilities.begin();
  for (Prediction& prediction : predictions) {
    if (prediction.error.empty()) prediction.probabilities = std::move(*next++);
  }
}

std::string prediction_table(const std::vector<Prediction>& predictions, const report::Style& style) {
  report::Table table({{"image", report::Align::left}, {"class"}, {"probability"}, {"or", report::Align::left}});
  for (const Prediction& prediction : predictions) {
    if (!prediction.error.empty()) continue;
    const std::vector<std::size_t> ranking = prediction.ranking();
    std::vector<std::string> others;
    for (std::size_t place = 1; place < ranking.size(); ++place) {
      const std::size_t other = ranking[place];
      others.push_back(fmt::format("{} ({})", other, report::format_percent(prediction.probabilities[other])));
    }
    table.add_row({prediction.file, style.bold(std::to_string(ranking.front())),
                   report::format_percent(prediction.probabilities[ranking.front()]),
                   fmt::format("{}", fmt::join(others, ", "))});
  }
  return table.to_string(style);
}

std::string previews(const std::vector<Prediction>& predictions, const ImageShape& shape,
                     const report::TerminalTraits& traits) {
  std::vector<std::vector<std::string>> drawings;
  std::vector<std::string> captions;
  for (const Prediction& prediction : predictions) {
    if (!prediction.error.empty()) continue;
    drawings.push_back(report::draw_image(prediction.pixels.data(), shape, preview_columns, traits));
    captions.push_back(std::filesystem::path(prediction.file).filename().string());
  }
  return report::arrange_drawings(drawings, captions, traits.width) + "\n";
}

nlohmann::ordered_json predictions_json(const std::vector<Prediction>& predictions) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Prediction& prediction : predictions) {
    nlohmann::ordered_json json;
    json["image"] = prediction.file;
    if (prediction.error.empty()) {
      const std::vector<std::size_t> ranking = prediction.ranking();
      json["class"] = ranking.front();
      json["probability"] = prediction.probabilities[ranking.front()];
      json["top"] = nlohmann::ordered_json::array();
      for (const std::size_t place : ranking) {
        json["top"].push_back({{"class", place}, {"probability", prediction.probabilities[place]}});
      }
    } else {
      json["error"] = prediction.error;
    }
    all.push_back(std::move(json));
  }
  return all;
}

int run_predict(const PredictOptions& options, const GlobalOptions& global, const Console& console) {
  const std::filesystem::path file = find_model(options.model);
  if (options.images.empty()) throw UsageError("IMAGE is missing: one or more PNG or PGM files");
  const Model model = Model::load(file);
  std::vector<Prediction> predictions;
  for (const std::string& image : options.images) predictions.push_back(read_picture(image, model.network.input()));
  classify(model, resolve_device(global.device_request()), predictions);

  const auto is_bad = [](const Prediction& prediction) { return !prediction.error.empty(); };
  const auto bad = std::count_if(predictions.begin(), predictions.end(), is_bad);
  if (static_cast<std::size_t>(bad) < predictions.size()) {
    if (options.preview) console.print(previews(predictions, model.network.input(), console.traits()));
    console.print(prediction_table(predictions, console.style()));
  }
  console.print_json(predictions_json(predictions));
  for (const Prediction& prediction : predictions) {
    if (is_bad(prediction)) print_error(prediction.error);
  }
  return bad == 0 ? exit_success : exit_failure;
}

}  // namespace

Command define_predict(CLI::App& program) {
  CLI::App* app = program.add_subcommand("predict", "Tell what pictures show");
  app->footer(examples);
  const auto options = std::make_shared<PredictOptions>();
  add_path(*app, "MODEL", "MODEL", options->model, "A .safetensors file, or the directory of a run")
      ->group("Arguments");
  app->add_option("IMAGE", options->images, "PNG or PGM files of any size and colour")
      ->type_name("IMAGE...")
      ->group("Arguments");
  app->add_flag("--preview", options->preview, "Draw the images as the network sees them")->group("Output");
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_predict(*options, global, console);
          }};
}

}  // namespace touchstone::cli
