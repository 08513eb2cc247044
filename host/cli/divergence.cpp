// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/data_options.h"
#include "host/cli/device_text.h"
#include "host/cli/gaussian_source.h"
#include "host/cli/model_argument.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/data/input_file.h"
#include "host/data/picture_formats.h"
#include "host/model/write_file.h"
#include "host/report/divergence_report.h"
#include "host/report/heat_map.h"
#include "host/report/units.h"
#include "touchstone/drift.h"
#include "touchstone/error.h"
#include "touchstone/gaussian.h"
#include "touchstone/model.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone divergence P.json Q.json --json | jq .kl\n"
    "  touchstone divergence before.npy after.csv --shrinkage auto\n"
    "  touchstone divergence --model runs/NAME --plot kl.png\n"
    "  touchstone divergence --model runs/NAME --reference mnist --against data/new";

struct DivergenceOptions {
  std::optional<std::filesystem::path> first;   ///< P, or with --model DATA
  std::optional<std::filesystem::path> second;  ///< Q
  std::optional<std::filesystem::path> model;
  std::optional<std::string> split;
  std::optional<std::filesystem::path> plot;
  std::optional<std::filesystem::path> reference;
  std::optional<std::filesystem::path> against;
  std::optional<std::int64_t> permutations;
  std::optional<std::string> shrinkage;
  std::optional<std::string> divisor;
  std::optional<std::int64_t> samples;

  [[nodiscard]] GaussianFitSettings fit(const char* fallback) const {
    return {.divisor = divisor == "ml" ? CovarianceDivisor::maximum_likelihood : CovarianceDivisor::unbiased,
            .shrinkage = parse_shrinkage(shrinkage.value_or(fallback))};
  }
  [[nodiscard]] bool training() const { return split == "train"; }
};

constexpr const char* shrinkage_of_files = "none";
constexpr const char* shrinkage_of_codes = "auto";
constexpr std::int64_t default_samples = 10000;

/// Throws UsageError where an option was given that another form of the command has.
void refuse(std::initializer_list<std::pair<const char*, bool>> options, const char* reason) {
  for (const auto& [name, given] : options) {
    if (given) throw UsageError(fmt::format("{}: {}", name, reason));
  }
}

// ---- two files

int compare_files(const DivergenceOptions& options, const GlobalOptions& global, const Console& console) {
  const GaussianFitSettings settings = options.fit(shrinkage_of_files);
  const SourcedGaussian p = load_gaussian(*options.first, settings);
  const SourcedGaussian q = load_gaussian(*options.second, settings);
  if (p.gaussian.dimensions() != q.gaussian.dimensions()) {
    throw Error(fmt::format("{} has {} dimensions and {} has {}; expected the same number", quoted(*options.first),
                            p.gaussian.dimensions(), quoted(*options.second), q.gaussian.dimensions()));
  }
  const report::PairDivergences divergences = {
      .kl = kl_divergence(p.gaussian, q.gaussian),
      .reverse_kl = kl_divergence(q.gaussian, p.gaussian),
      .jeffreys = jeffreys_divergence(p.gaussian, q.gaussian),
      .jensen_shannon = jensen_shannon_divergence(p.gaussian, q.gaussian, options.samples.value_or(default_samples),
                                                  global.seed.value_or(1))};
  const auto describe = [](const std::filesystem::path& file, const SourcedGaussian& source) {
    return fmt::format("{}, {} dimensions{}", file.string(), source.gaussian.dimensions(),
                       source.samples ? fmt::format(", {} samples", report::group_digits(*source.samples)) : "");
  };
  console.print(fmt::format("P  {}\nQ  {}\n\n", describe(*options.first, p), describe(*options.second, q)));
  console.print(report::pair_divergences_text(divergences));
  nlohmann::ordered_json json;
  json["p"] = options.first->string();
  json["q"] = options.second->string();
  json["dimensions"] = p.gaussian.dimensions();
  json.update(report::pair_divergences_json(divergences));
  console.print_json(json);
  return exit_success;
}

// ---- a model's codes

/// A model and where it runs.
struct Encoder {
  std::filesystem::path file;
  Model model;
  DeviceRequest device;
};

Encoder load_encoder(const DivergenceOptions& options, const GlobalOptions& global) {
  const std::filesystem::path file = find_model(options.model);
  return {.file = file, .model = Model::load(file), .device = resolve_device(global.device_request())};
}

/// The images of the split that was asked for.
SharedImageSet images_of(const Dataset& dataset, const DivergenceOptions& options) {
  return options.training() ? dataset.training : dataset.test;
}

/// Codes in double precision, and which images they are of.
struct LabelledCodes {
  std::int64_t dimensions;
  std::vector<double> values;        // [N,K]
  std::vector<std::uint8_t> labels;  // [N]
};

LabelledCodes codes_of(const Encoder& encoder, const SharedImageSet& images) {
  const Codes codes = encode(encoder.model, images, encoder.device);
  return {codes.size, {codes.values.begin(), codes.values.end()}, images->labels};
}

/// The codes of each class, one class after the other.
struct ClassCodes {
  GaussianSamples samples;
  std::vector<double> values;
  std::vector<std::string> names;  // of messages: "class 3"
};

ClassCodes by_class(const LabelledCodes& codes) {
  std::vector<std::size_t> order(codes.labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&codes](std::size_t a, std::size_t b) { return codes.labels[a] < codes.labels[b]; });
  ClassCodes classes;
  classes.samples.dimensions = codes.dimensions;
  classes.samples.offsets = {0};
  for (std::size_t place = 0; place < order.size(); ++place) {
    const auto first = codes.values.begin() + static_cast<std::ptrdiff_t>(order[place]) * codes.dimensions;
    classes.values.insert(classes.values.end(), first, first + codes.dimensions);
    const std::uint8_t label = codes.labels[order[place]];
    if (place + 1 < order.size() && codes.labels[order[place + 1]] == label) continue;
    classes.samples.offsets.push_back(static_cast<std::int64_t>(place + 1));
    classes.names.push_back(std::to_string(label));
  }
  return classes;
}

void write_plot(const std::filesystem::path& file, const report::DivergenceMatrix& matrix) {
  const Picture picture = report::draw_heat_map({.values = matrix.kl,
                                                 .labels = matrix.names,
                                                 .title = "KL(P || Q) of classes, nats",
                                                 .row_name = "P",
                                                 .column_name = "Q"});
  const std::vector<std::uint8_t> png = encode_png(picture);
  write_file(file, {std::as_bytes(std::span(png))});
}

std::string shrinkage_text(const std::vector<double>& amounts) {
  const auto [least, most] = std::minmax_element(amounts.begin(), amounts.end());
  if (*most == 0) return "none";
  if (*least == *most) return fmt::format("{:.3g}", *least);
  return fmt::format("{:.3g} to {:.3g}", *least, *most);
}

int compare_classes(const DivergenceOptions& options, const GlobalOptions& global, const Console& console) {
  const GaussianFitSettings settings = options.fit(shrinkage_of_codes);
  const Encoder encoder = load_encoder(options, global);
  const DataSource source = options.first ? named_data(*options.first) : DataSource{};
  const Dataset dataset = load_data(source);
  const SharedImageSet images = images_of(dataset, options);
  const ClassCodes classes = by_class(codes_of(encoder, images));

  const auto operations = make_gaussian_operations(encoder.device);
  std::vector<std::string> names;
  for (const std::string& name : classes.names) names.push_back("the codes of class " + name);
  const FittedGaussians fitted = fit_gaussians(*operations, classes.samples, classes.values, settings, names);
  report::DivergenceMatrix matrix{.names = classes.names,
                                  .kl = std::vector<double>(static_cast<std::size_t>(fitted.shape.pairs_count()))};
  operations->pairs(fitted.shape, fitted.mean.data(), fitted.factor.data(), matrix.kl.data());
  if (options.plot) write_plot(*options.plot, matrix);

  console.print(fmt::format(
      "model      {} ({})\ndata       {}, {} images of {} classes\ncodes      {} dimensions, a "
      "Gaussian a class, shrinkage {}\ndevice     {}\n",
      encoder.file.string(), encoder.model.network.name(), dataset.name, report::group_digits(images->count),
      classes.names.size(), classes.samples.dimensions, shrinkage_text(fitted.shrinkage), device_text(encoder.device)));
  if (options.plot) console.print(fmt::format("plot       {}\n", options.plot->string()));
  console.print("\n" + report::divergence_matrix_text(matrix, console.style()));
  nlohmann::ordered_json json;
  json["model"] = encoder.file.string();
  json["network"] = encoder.model.network.name();
  json["dataset"] = dataset.name;
  json["split"] = options.training() ? "train" : "test";
  json["device"] = encoder.device.name;
  json["dimensions"] = classes.samples.dimensions;
  json["classes"] = classes.names;
  json["counts"] = nlohmann::ordered_json::array();
  for (std::int64_t c = 0; c < classes.samples.gaussians(); ++c) json["counts"].push_back(classes.samples.size(c));
  json["shrinkage"] = fitted.shrinkage;
  json.update(report::divergence_matrix_json(matrix));
  console.print_json(json);
  return exit_success;
}

// ---- drift

int compare_data(const DivergenceOptions& options, const GlobalOptions& global, const Console& console) {
  DriftSettings settings;
  settings.fit = options.fit(shrinkage_of_codes);
  settings.permutations = options.permutations.value_or(settings.permutations);
  settings.seed = global.seed.value_or(1);
  const Encoder encoder = load_encoder(options, global);
  const Dataset reference = load_data(named_data(*options.reference));
  const Dataset against = load_data(named_data(*options.against));
  const LabelledCodes reference_codes = codes_of(encoder, images_of(reference, options));
  const LabelledCodes against_codes = codes_of(encoder, images_of(against, options));
  const auto operations = make_gaussian_operations(encoder.device);
  const DriftReport report =
      measure_drift(*operations, reference_codes.dimensions, reference_codes.values, against_codes.values, settings,
                    {"the codes of " + options.reference->string(), "the codes of " + options.against->string()});

  const char* const split = options.training() ? "training" : "test";
  console.print(
      fmt::format("model                  {} ({})\nreference              {}, {} {} images\n"
                  "data                   {}, {} {} images\n"
                  "codes                  {} dimensions, shrinkage {}\ndevice                 {}\n\n",
                  encoder.file.string(), encoder.model.network.name(), options.reference->string(),
                  report::group_digits(images_of(reference, options)->count), split, options.against->string(),
                  report::group_digits(images_of(against, options)->count), split, reference_codes.dimensions,
                  shrinkage_text(report.shrinkage), device_text(encoder.device)));
  console.print(report::drift_text(report, settings, console.style()));
  nlohmann::ordered_json json;
  json["model"] = encoder.file.string();
  json["network"] = encoder.model.network.name();
  json["reference"] = options.reference->string();
  json["against"] = options.against->string();
  json["split"] = options.training() ? "train" : "test";
  json["device"] = encoder.device.name;
  json["dimensions"] = reference_codes.dimensions;
  json["shrinkage"] = report.shrinkage;
  json.update(report::drift_json(report, settings));
  console.print_json(json);
  return exit_success;
}

// ---- the command

int run_divergence(const DivergenceOptions& options, const GlobalOptions& global, const Console& console) {
  const std::pair<const char*, bool> second = {"Q", options.second.has_value()};
  const std::pair<const char*, bool> plot = {"--plot", options.plot.has_value()};
  const std::pair<const char*, bool> split = {"--split", options.split.has_value()};
  const std::pair<const char*, bool> permutations = {"--permutations", options.permutations.has_value()};
  const std::pair<const char*, bool> samples = {"--samples", options.samples.has_value()};
  if (options.reference || options.against) {
    if (!options.reference) throw UsageError("--against needs --reference DATA beside it");
    if (!options.against) throw UsageError("--reference needs --against DATA beside it");
    if (!options.model)
      throw UsageError("--reference and --against need --model MODEL, in whose codes they are compared");
    refuse({{"P", options.first.has_value()}, second, plot, samples}, "not with --reference and --against");
    return compare_data(options, global, console);
  }
  if (options.model) {
    refuse({second}, "--model takes at most one argument, DATA");
    refuse({permutations}, "only with --reference and --against");
    refuse({samples}, "only with two files");
    return compare_classes(options, global, console);
  }
  refuse({plot, split}, "only with --model");
  refuse({permutations}, "only with --reference and --against");
  if (!options.first || !options.second) {
    throw UsageError("two files are missing: P and Q (.json, .npy or CSV); or --model MODEL");
  }
  return compare_files(options, global, console);
}

}  // namespace

Command define_divergence(CLI::App& program) {
  CLI::App* app = program.add_subcommand("divergence", "Tell how far Gaussians, samples, classes or data sets differ");
  app->footer(examples);
  const auto options = std::make_shared<DivergenceOptions>();
  add_path(*app, "P", "[P]", options->first,
           "Samples (.npy, or text with a sample a line) or a Gaussian as {\"mean\": [...], \"covariance\": [[...], "
           "...]}; with --model the DATA whose classes are compared (mnist, or a directory of IDX files)")
      ->group("Arguments");
  add_path(*app, "Q", "[Q]", options->second, "The same, to compare P with")->group("Arguments");
  add_path(*app, "--model", "MODEL", options->model,
           "Compare codes: what this model (a .safetensors file or the directory of a run) makes of images, as encode "
           "writes them")
      ->group("Model");
  add_choice(*app, "--split", options->split, {"train", "test"}, "Which images of the data")
      ->group("Model")
      ->default_str("test");
  add_path(*app, "--plot", "FILE", options->plot, "Write the classes' matrix as a picture (PNG)")->group("Model");
  add_path(*app, "--reference", "DATA", options->reference, "Data that --against is expected to be like")
      ->group("Drift");
  add_path(*app, "--against", "DATA", options->against, "Data to look for drift in")->group("Drift");
  add_whole(*app, "--permutations", options->permutations, Range<std::int64_t>{19, 100000},
            "Random divisions of all samples, which show what chance gives")
      ->group("Drift")
      ->default_str("99");
  add_text(*app, "--shrinkage", "none|auto|AMOUNT", options->shrinkage,
           "Draw covariances to a multiple of the identity: by Ledoit and Wolf's amount, or by one from 0 to 1")
      ->group("Gaussians")
      ->default_str("auto for codes, none for files");
  add_choice(*app, "--divisor", options->divisor, {"unbiased", "ml"},
             "Divide sums of squares by n - 1, or by n (maximum likelihood)")
      ->group("Gaussians")
      ->default_str("unbiased");
  add_whole(*app, "--samples", options->samples, Range<std::int64_t>{2, 100000000},
            "Draws from P and from Q for the Jensen-Shannon divergence")
      ->group("Gaussians")
      ->default_str(std::to_string(default_samples));
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_divergence(*options, global, console);
          }};
}

}  // namespace touchstone::cli
