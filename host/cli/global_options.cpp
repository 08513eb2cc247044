// SPDX-License-Identifier: Apache-2.0
#include "host/cli/global_options.h"

#include <limits>
#include <vector>

#include "host/cli/option_types.h"

namespace touchstone::cli {
namespace {

constexpr int most_threads = 1024;
/// TOML, which keeps it in config.toml, has signed numbers.
constexpr std::uint64_t largest_seed = std::numeric_limits<std::int64_t>::max();
constexpr const char* group = "Global options";

}  // namespace

DeviceRequest GlobalOptions::device_request(const DeviceRequest& fallback) const {
  return {.name = device.value_or(fallback.name),
          .threads = threads.value_or(fallback.threads),
          .graph = graph ? *graph != "off" : fallback.graph,
          .tf32 = tf32 || fallback.tf32,
          .tensor_cores = tensor_cores ? *tensor_cores != "off" : fallback.tensor_cores,
          .path = path ? path_named(*path) : fallback.path,
          .persistent = graph ? *graph == "auto" : fallback.persistent};
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  add_device(app, "--device", options.device, "Where to compute (touchstone info devices)")
      ->group(group)
      ->default_str("auto");
  add_whole(app, "--threads", options.threads, {0, most_threads}, "Threads of the cpu device; 0: all usable cores")
      ->group(group)
      ->default_str("0");
  app.add_option("--instruction-set", options.instruction_set,
                 "cpu: use none better than this one (AVX-512, AVX2, ...)")
      ->type_name("NAME")
      ->group(group);
  add_choice(app, "--path", options.path, path_names(),
             "Run whole steps or blocks at a time, or one operation after the other")
      ->group(group)
      ->default_str("auto");
  add_choice(app, "--graph", options.graph, {"auto", "on", "off"},
             "cuda: many steps in one launch where they can be, replay CUDA graphs, or launch one by one")
      ->group(group)
      ->default_str("auto");
  app.add_flag("--tf32", options.tf32, "cuda: let dense layers round to TF32")->group(group);
  add_choice(app, "--tensor-cores", options.tensor_cores, {"auto", "off"},
             "cuda: let whole steps take convolutions by tensor cores, in single precision")
      ->group(group)
      ->default_str("auto");
  add_whole(app, "--seed", options.seed, {0, largest_seed}, "Decides initial weights, shuffling and held-out images")
      ->group(group)
      ->default_str("1");
  app.add_flag("--json", options.json, "Print one JSON value on standard output, messages on standard error")
      ->group(group);
  app.add_flag("--quiet", options.quiet, "Print errors only (and the JSON)")->group(group);
  app.add_flag("--version", options.version, "Print version, commit, compiler and backends")->group(group);
  app.add_flag("-h,--help", options.help, "Print this help")->group(group);
}

}  // namespace touchstone::cli
