// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/model_data.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/data/image_slice.h"
#include "host/data/picture_formats.h"
#include "host/model/write_file.h"
#include "host/report/image_pairs.h"
#include "host/report/units.h"
#include "touchstone/error.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone reconstruct runs/NAME --out grid.png\n"
    "  touchstone reconstruct runs/NAME --split train --count 50 --out grid.png";

constexpr std::int64_t default_count = 20;

struct ReconstructOptions {
  ModelDataOptions source;
  std::optional<std::int64_t> count;
  std::optional<std::filesystem::path> out;
};

Picture draw_reconstructions(const ModelData& source, const SharedImageSet& images) {
  std::vector<std::uint8_t> reconstructions;
  for (const float value : reconstruct(source.model, images, source.device)) {
    reconstructions.push_back(source.model.normalisation.pixel(value));
  }
  return report::draw_image_pairs(images->shape, {images->pixels.begin(), images->pixels.end()}, reconstructions);
}

int run_reconstruct(const ReconstructOptions& options, const GlobalOptions& global, const Console& console) {
  if (options.source.model && !options.out) throw UsageError("--out FILE is missing: where to write the picture (PNG)");
  const ModelData source = load_model_data(options.source, global);
  const ImageSet& all = *source.images();
  const SharedImageSet images = image_slice(all, 0, std::min(all.count, options.count.value_or(default_count)));
  const Picture picture = draw_reconstructions(source, images);
  const std::vector<std::uint8_t> png = encode_png(picture);
  write_file(*options.out, {std::as_bytes(std::span(png))});

  console.print(source.text());
  console.print(fmt::format("picture   the first {} with their reconstructions below, {} x {} pixels of PNG in {}\n",
                            report::group_digits(images->count), picture.width, picture.height, options.out->string()));
  nlohmann::ordered_json json = source.json();
  json["count"] = images->count;
  json["width"] = picture.width;
  json["height"] = picture.height;
  json["out"] = options.out->string();
  console.print_json(json);
  return exit_success;
}

}  // namespace

Command define_reconstruct(CLI::App& program) {
  CLI::App* app = program.add_subcommand("reconstruct", "Draw images above what an autoencoder makes of them");
  app->footer(examples);
  const auto options = std::make_shared<ReconstructOptions>();
  add_model_data_options(*app, options->source);
  add_whole(*app, "--count", options->count, Range<std::int64_t>{1, 10000}, "Images to draw, the first of the data")
      ->group("Data")
      ->default_str(std::to_string(default_count));
  add_path(*app, "--out", "FILE", options->out,
           "The picture to write (PNG): ten images a row, each reconstruction below")
      ->group("Output");
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_reconstruct(*options, global, console);
          }};
}

}  // namespace touchstone::cli
