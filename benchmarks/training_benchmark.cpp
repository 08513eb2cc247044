// SPDX-License-Identifier: Apache-2.0
//
// Steps of training on the cpu device, on one thread and on all cores, over batch sizes, widths and image sizes, with
// random pixels: what an image costs, and whether that has cliffs. One iteration is one step; time is the clock's.
// `regions` is what a step's two parallel regions cost by themselves.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "host/cpu/thread_pool.h"
#include "touchstone/dataset.h"
#include "touchstone/device.h"
#include "touchstone/executor.h"
#include "touchstone/model.h"
#include "touchstone/network.h"
#include "touchstone/plan.h"
#include "touchstone/random.h"

namespace touchstone {
namespace {

/// As `seed`, with `widening` times its filters and square images of `size` pixels.
Network seed_like(std::int64_t widening, std::int64_t size) {
  return Network::parse(fmt::format(R"(name = "seed, {0} times as wide, {1}x{1} pixels"
input = [1, {1}, {1}]
layers = [{{type = "conv2d", filters = {2}, kernel = 5}}, {{type = "sigmoid"}}, {{type = "maxpool2d", kernel = 2}},
          {{type = "conv2d", filters = {3}, kernel = 5}}, {{type = "sigmoid"}}, {{type = "maxpool2d", kernel = 2}},
          {{type = "flatten"}}, {{type = "dense", units = 10}}]
)",
                                    widening, size, 8 * widening, 16 * widening),
                        "benchmark");
}

/// Four layers of 3x3 kernels that keep the size, on colour images of 64x64 pixels: nothing in it can be fused.
Network deep() {
  return Network::parse(R"(name = "deep"
input = [3, 64, 64]
layers = [{type = "conv2d", filters = 16, kernel = 3, padding = 1}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 32, kernel = 3, padding = 1}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 64, kernel = 3, padding = 1}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "conv2d", filters = 64, kernel = 3, padding = 1}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2},
          {type = "flatten"}, {type = "dense", units = 10}]
)",
                        "benchmark");
}

SharedImageSet random_images(std::int64_t count, const ImageShape& shape) {
  ImageSet images;
  images.count = count;
  images.shape = shape;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * shape.count()));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(random_word(1, RandomPurpose::check, 0, i));
  }
  for (std::int64_t n = 0; n < count; ++n) images.labels.push_back(static_cast<std::uint8_t>(n % 10));
  images.pixels = pixels;
  return std::make_shared<const ImageSet>(std::move(images));
}

void train(benchmark::State& state, const Network& network, std::int64_t batch_size, int threads) {
  const SharedImageSet images = random_images(batch_size, network.input());
  const std::unique_ptr<Executor> executor =
      make_cpu_executor({make_plan(network), compute_normalisation(*images), {.momentum = 0.9}, batch_size}, threads);
  executor->upload(Split::training, images);
  const std::vector<float> parameters = initial_parameters(network, 1);
  executor->set_state({{parameters.begin(), parameters.end()}, {std::vector<double>(parameters.size())}});
  std::vector<std::uint32_t> samples(static_cast<std::size_t>(batch_size));
  std::iota(samples.begin(), samples.end(), 0U);
  const std::vector<double> learning_rates = {1e-4};
  for ([[maybe_unused]] auto step : state) {
    benchmark::DoNotOptimize(
        executor->train({.samples = samples, .batch_size = batch_size, .learning_rates = learning_rates}));
  }
  state.counters["seconds_per_image"] = benchmark::Counter(
      static_cast<double>(batch_size), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void measure(const std::string& name, const Network& network, std::int64_t batch_size) {
  std::vector<int> thread_counts = {1};
  if (usable_cores() > 1) thread_counts.push_back(usable_cores());
  for (const int threads : thread_counts) {
    benchmark::RegisterBenchmark(
        fmt::format("{}/threads:{}", name, threads).c_str(),
        [network, batch_size, threads](benchmark::State& state) { train(state, network, batch_size, threads); })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

/// Two parallel regions of a task a thread, in which each task waits until all have begun, so that no thread can do the
/// work of one that comes late.
void two_regions(benchmark::State& state, int threads) {
  cpu::ThreadPool pool(threads);
  std::atomic<int> begun{0};
  int expected = 0;
  for ([[maybe_unused]] auto step : state) {
    for (int region = 0; region < 2; ++region) {
      expected += threads;
      pool.parallel_for(threads, [&](std::int64_t /*task*/, int /*thread*/) {
        ++begun;
        while (begun < expected) {
        }
      });
    }
  }
}

void register_all() {
  benchmark::RegisterBenchmark(fmt::format("regions/threads:{}", usable_cores()).c_str(),
                               [](benchmark::State& state) { two_regions(state, usable_cores()); })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
  for (std::int64_t batch = 8; batch <= 4096; batch *= 2)
    measure(fmt::format("batch:{}", batch), seed_like(1, 28), batch);
  for (const std::int64_t widening : {1, 2, 3, 4, 6, 8})
    measure(fmt::format("width:{}", widening), seed_like(widening, 28), 64);
  for (const std::int64_t size : {28, 40, 56, 64, 84, 112})
    measure(fmt::format("size:{}", size), seed_like(1, size), 64);
  measure("wide", Network::named("wide"), 64);
  measure("deep", deep(), 64);
}

}  // namespace
}  // namespace touchstone

int main(int argc, char** argv) {
  touchstone::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
