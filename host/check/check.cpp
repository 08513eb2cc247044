// SPDX-License-Identifier: Apache-2.0
#include "host/check/check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/check/operation_checks.h"
#include "touchstone/dataset.h"
#include "touchstone/error.h"
#include "touchstone/network.h"

namespace touchstone::check {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* executor_name = "executor";
constexpr const char* network_name = "network";

/// The executor's promises are looked at in mini-batches that are larger than what any device works on at a time (the
/// cpu device takes 16 parts of at most 8 samples, then goes on within each part).
constexpr std::int64_t executor_batch_size = 136;

/// Of the steps that are run with each variant: more blocks than the emulated device has multiprocessors.
constexpr std::int64_t variant_batch_size = 20;

/// The autoencoders.
constexpr std::array autoencoders = {"autoencoder", "autoencoder-tied"};

/// Of its convolutions only the first can be fused with what follows it: where a device fuses blocks, this network has
/// one among single operations.
constexpr const char* mixed_network = R"(name = "mixed"
input = [1, 28, 28]
layers = [{type = "conv2d", filters = 4, kernel = 5}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 6, kernel = 3}, {type = "sigmoid"}, {type = "flatten"}, {type = "dense", units = 10}]
)";

/// Blocks of several kinds, each with filters that leave a part of a vector empty, and so small that a device has room
/// to cut all their sums. It is trained in mini-batches of which a device may add up several samples before it adds up
/// what it has of them: the fused step does beyond 128.
constexpr const char* blocks_network = R"(name = "blocks"
input = [1, 28, 28]
layers = [{type = "conv2d", filters = 3, kernel = 5}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 18, kernel = 3}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 5, kernel = 3}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 3},
          {type = "flatten"}, {type = "dense", units = 10}]
)";
constexpr std::int64_t blocks_batch_size = 136;
constexpr std::int64_t blocks_steps = 4;

/// Filters in eights, as tensor cores take them, of a kernel and sizes that kernels are not compiled for, on images
/// whose rows leave a part of a vector empty: where a device has a path by them.
constexpr const char* eights_network = R"(name = "eights"
input = [1, 28, 27]
layers = [{type = "conv2d", filters = 8, kernel = 3}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 16, kernel = 3}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 16, kernel = 3}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "flatten"}, {type = "dense", units = 10}]
)";

/// Of the runs of networks other than `seed`, in which a few small steps tell as much as many.
constexpr std::int64_t companion_batch_size = 16;
constexpr std::int64_t companion_steps = 10;
constexpr std::int64_t companion_images = 2000;  // of their own shape

/// The first images, so many at most, to the shape's height and width.
SharedImageSet cropped(const ImageSet& images, std::int64_t at_most, const ImageShape& shape) {
  ImageSet result;
  result.count = std::min(images.count, at_most);
  result.shape = shape;
  result.labels.assign(images.labels.begin(), images.labels.begin() + result.count);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(result.count * shape.count()));
  for (std::int64_t i = 0; i < result.count; ++i) {
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      for (std::int64_t y = 0; y < shape.height; ++y) {
        const std::uint8_t* row = images.image(i) + (c * images.shape.height + y) * images.shape.width;
        pixels.insert(pixels.end(), row, row + shape.width);
      }
    }
  }
  result.pixels = pixels;
  return std::make_shared<const ImageSet>(std::move(result));
}

void require_known(const std::vector<std::string>& names) {
  const std::vector<std::string> known = check_names();
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw UsageError(fmt::format("check: unknown operation {}; known are {}", name, fmt::join(known, ", ")));
    }
  }
}

bool wanted(const CheckSettings& settings, std::string_view name) {
  const auto& names = settings.names;
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

Json ratio(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const OperationReport& report) {
  Json json;
  json["operation"] = report.operation;
  json["cases"] = report.cases;
  json["failures"] = report.failed_cases;
  json["followed"] = report.followed;
  json["worst_ratio"] = ratio(report.worst_ratio);
  json["worst_shape"] = report.worst_shape;
  return json;
}

/// Of which network and path a report is.
template <class Report>
Json place_of(const Report& report) {
  Json json;
  json["network"] = report.network;
  json["path"] = report.path;
  return json;
}

Json to_json(const NetworkReport& network, const GradientReport& report) {
  Json json = place_of(network);
  json["step"] = report.step;
  json["ties"] = report.ties;
  json["parameters"] = report.parameters;
  json["failures"] = report.wrong;
  json["worst_ratio"] = ratio(report.worst_ratio);
  json["loosest_bound"] = ratio(report.loosest_bound);
  json["passed_over"] = report.passed_over;
  json["close_windows"] = report.close_windows;
  return json;
}

Json to_json(const NetworkReport& network, const ExactnessReport& report) {
  Json json = place_of(network);
  json["other"] = report.other;
  json["worst_ratio"] = ratio(report.worst_ratio);
  json["passed"] = report.problem.empty();
  return json;
}

Json to_json(const NetworkReport& network, const TrajectoryReport& report) {
  Json json = place_of(network);
  json["steps"] = report.steps;
  json["worst_ratio"] = ratio(report.worst_ratio);
  json["worst_step"] = report.worst_step;
  json["drift"] = ratio(report.drift);
  json["reference_drift"] = report.reference_drift;
  json["passed_over"] = report.passed_over;
  json["passed"] = report.problem.empty();
  return json;
}

Json to_json(const PropertyReport& report) {
  Json json = place_of(report);
  json["property"] = report.property;
  json["passed"] = report.problem.empty();
  return json;
}

/// The gradients and the trajectories of networks other than `seed`.
void check_companions(NetworkRun run, const CheckSettings& settings, const std::vector<ExecutorPath>& paths,
                      const StageObserver& observer, std::vector<NetworkReport>& reports) {
  const auto check = [&](Network network, std::int64_t batch_size, std::int64_t steps,
                         const std::vector<ExecutorPath>& on) {
    run.network = std::move(network);
    run.batch_size = batch_size;
    run.steps = std::min(settings.steps, steps);
    for (NetworkReport& report : check_network(run, on, observer)) reports.push_back(std::move(report));
  };
  check(Network::parse(mixed_network, "mixed"), companion_batch_size, companion_steps, paths);
  check(Network::parse(blocks_network, "blocks"), blocks_batch_size, blocks_steps, paths);
  std::vector<ExecutorPath> fused = paths;  // the others take blocks like these in networks above
  if (fused.front().tensor_cores) {
    fused.resize(std::min<std::size_t>(fused.size(), 2));
    const SharedImageSet whole =
        std::exchange(run.training, cropped(*run.training, companion_images, {.height = 28, .width = 27}));
    check(Network::parse(eights_network, "eights"), companion_batch_size, companion_steps, fused);
    run.training = whole;
  }
  if (!settings.autoencoders) return;
  for (const char* const name : autoencoders) {
    check(Network::named(name), companion_batch_size, companion_steps, {paths.back()});
  }
}

/// What the executor of one network and path promises.
void add_promises(NetworkRun run, std::int64_t batch_size, const ExecutorPath& path, DeviceOperations& operations,
                  std::vector<PropertyReport>& reports) {
  run.batch_size = batch_size;
  std::vector<PropertyReport> properties = check_executor(run, path.make);
  run.batch_size = variant_batch_size;
  properties.push_back(check_variants(run, path.make, operations));
  for (PropertyReport& property : properties) {
    property.network = run.network.name();
    property.path = path.name;
    reports.push_back(std::move(property));
  }
}

template <class Report>
Json to_json(const std::vector<Report>& reports) {
  Json json = Json::array();
  for (const Report& report : reports) json.push_back(to_json(report));
  return json;
}

}  // namespace

std::vector<std::string> check_names() {
  std::vector<std::string> names;
  for (const OperationCheck& check : operation_checks()) names.emplace_back(check.operation);
  names.emplace_back(executor_name);
  names.emplace_back(network_name);
  return names;
}

bool CheckReport::passed() const {
  const auto kept = [](const PropertyReport& report) { return report.problem.empty(); };
  return std::all_of(networks.begin(), networks.end(), [](const auto& report) { return report.passed(); }) &&
         std::all_of(executor.begin(), executor.end(), kept) &&
         std::all_of(operations.begin(), operations.end(), [](const auto& report) { return report.failed_cases == 0; });
}

CheckReport run_check(DeviceOperations& operations, const ExecutorMaker& make_executor, const CheckSettings& settings,
                      const CheckObserver& observer) {
  return run_check(operations, std::vector<ExecutorPath>{{"", make_executor}}, settings, observer);
}

CheckReport run_check(DeviceOperations& operations, const std::vector<ExecutorPath>& paths,
                      const CheckSettings& settings, const CheckObserver& observer) {
  require_known(settings.names);
  CheckReport report;
  report.device = operations.device();
  report.seed = settings.range.seed;
  report.variants = operations.variants();
  for (const OperationCheck& check : operation_checks()) {
    if (wanted(settings, check.operation)) {
      report.operations.push_back(sweep(check, operations, settings.range, observer.on_case));
    }
  }
  if (!wanted(settings, executor_name) && !wanted(settings, network_name)) return report;
  NetworkRun run{.network = Network::named("seed"),
                 .training = load_mnist().training,
                 .seed = report.seed,
                 .steps = settings.steps};
  if (wanted(settings, network_name)) {
    report.networks = check_network(run, paths, observer.on_stage);
    check_companions(run, settings, paths, observer.on_stage, report.networks);
  }
  if (!wanted(settings, executor_name)) return report;
  for (const ExecutorPath& path : paths) {
    add_promises(run, executor_batch_size, path, operations, report.executor);
  }
  if (settings.autoencoders) {
    run.network = Network::named(autoencoders.back());
    add_promises(run, variant_batch_size, paths.back(), operations, report.executor);
  }
  return report;
}

std::string repeat_command(const CheckReport& report, const std::string& name, std::optional<std::int64_t> case_index) {
  std::string command =
      fmt::format("touchstone check --device {} --operation {} --seed {}", report.device, name, report.seed);
  if (case_index) command += fmt::format(" --case {}", *case_index);
  if (name == network_name && !report.networks.empty()) {
    const std::int64_t steps = report.networks.front().trajectory.steps;
    if (steps != NetworkRun::default_steps) command += fmt::format(" --steps {}", steps);
  }
  return command;
}

nlohmann::ordered_json to_json(const CheckReport& report) {
  Json json;
  json["device"] = report.device;
  json["seed"] = report.seed;
  json["variants"] = report.variants;
  json["operations"] = to_json(report.operations);
  json["executor"] = to_json(report.executor);
  json["gradients"] = Json::array();
  json["exactness"] = Json::array();
  json["trajectories"] = Json::array();
  for (const NetworkReport& network : report.networks) {
    for (const GradientReport& gradients : network.gradients) {
      json["gradients"].push_back(to_json(network, gradients));
    }
    if (network.exactness) json["exactness"].push_back(to_json(network, *network.exactness));
    json["trajectories"].push_back(to_json(network, network.trajectory));
  }
  json["trajectory"] = json["trajectories"].empty() ? Json() : json["trajectories"].front();
  json["passed"] = report.passed();
  return json;
}

}  // namespace touchstone::check
