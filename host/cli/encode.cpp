// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/model_data.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/cli/status_line.h"
#include "host/data/sample_file.h"
#include "host/model/write_file.h"
#include "host/report/units.h"
#include "touchstone/error.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone encode runs/NAME --out codes.npy\n"
    "  touchstone encode runs/NAME data/fashion --split train --out codes.npy\n"
    "  python3 -c 'import numpy; print(numpy.load(\"codes.npy\").shape)'";

struct EncodeOptions {
  ModelDataOptions source;
  std::optional<std::filesystem::path> out;
};

void write_codes(const std::filesystem::path& file, const Codes& codes) {
  const std::string header = npy_header(codes.count, codes.size);
  write_file(file, {std::as_bytes(std::span(header)), std::as_bytes(std::span(codes.values))});
}

int run_encode(const EncodeOptions& options, const GlobalOptions& global, const Console& console) {
  if (options.source.model && !options.out) throw UsageError("--out FILE is missing: where to write the codes (.npy)");
  const ModelData source = load_model_data(options.source, global);
  Codes codes;
  {
    const StatusLine status(console);
    status.show(fmt::format("encoding {} images", report::group_digits(source.images()->count)));
    codes = encode(source.model, source.images(), source.device);
  }
  write_codes(*options.out, codes);

  console.print(source.text());
  console.print(fmt::format("codes     {} of {} values, as a NumPy array of float32 in {}\n",
                            report::group_digits(codes.count), codes.size, options.out->string()));
  nlohmann::ordered_json json = source.json();
  json["count"] = codes.count;
  json["dimensions"] = codes.size;
  json["out"] = options.out->string();
  console.print_json(json);
  return exit_success;
}

}  // namespace

Command define_encode(CLI::App& program) {
  CLI::App* app = program.add_subcommand("encode", "Write a model's codes of images to a NumPy file");
  app->footer(examples);
  const auto options = std::make_shared<EncodeOptions>();
  add_model_data_options(*app, options->source);
  add_path(*app, "--out", "FILE", options->out, "The file to write: float32, images x code")->group("Output");
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_encode(*options, global, console);
          }};
}

}  // namespace touchstone::cli
