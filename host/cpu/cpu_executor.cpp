// SPDX-License-Identifier: Apache-2.0
//
// The CPU executor. A training step is two parallel regions: over parts of the mini-batch, each of which goes forward
// and backward through the whole network in small groups of samples and sums its gradients by itself; then over parts
// of the parameters, each of which adds up the samples' gradients in order and takes the optimizer's step. How the
// mini-batch is cut depends on its size and the network alone, never on the number of threads, and losses are added in
// the order of samples: any number of threads gives the same bits.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "host/cpu/aligned_vector.h"
#include "host/cpu/clock_recorder.h"
#include "host/cpu/network_parameters.h"
#include "host/cpu/network_pass.h"
#include "host/cpu/partial_sums.h"
#include "host/cpu/thread_pool.h"
#include "host/cpu/winograd.h"
#include "host/reference/executor_support.h"
#include "host/reference/fused_plan.h"
#include "touchstone/accuracy.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/gather.h"
#include "touchstone/half_squared_error.h"
#include "touchstone/operation_cost.h"
#include "touchstone/operation_recorder.h"
#include "touchstone/optimizer.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone {

namespace {

using Samples = std::span<const std::uint32_t>;

constexpr std::int64_t divide_up(std::int64_t count, std::int64_t by) { return (count + by - 1) / by; }

/// The parts of a mini-batch of `count` samples: of 8 samples or more, up to 16, so that as many threads are busy; a
/// small mini-batch is cut into 4 where each gets 2 samples.
std::int64_t part_count(std::int64_t count) {
  const std::int64_t share = std::clamp<std::int64_t>(divide_up(count, 4), 2, 8);
  return std::min<std::int64_t>(16, divide_up(count, share));
}

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

/// Part `index` of `parts` of a list of samples, sizes as even as possible.
Samples part_of(Samples samples, std::int64_t parts, std::int64_t index) {
  const auto count = static_cast<std::int64_t>(samples.size());
  const std::int64_t begin = count * index / parts;
  return samples.subspan(to_size(begin), to_size(count * (index + 1) / parts - begin));
}

class CpuExecutor final : public Executor {
 public:
  CpuExecutor(const ExecutorSettings& settings, int threads, PathRequest request)
      : settings_(settings),
        path_(cpu_execution_path(settings.plan, request)),
        blocks_(request != PathRequest::layered),
        pixel_scale_(settings.normalisation.pixel_scale()),
        group_(cpu::group_size(settings.plan, blocks_)),
        network_(settings.plan, blocks_),
        parameters_(to_size(settings.plan.parameter_floats)),
        sums_(to_size(network_.sum_floats())),
        gradients_(parameters_.size()),
        pool_(threads) {
    validate(settings_);
    slots_.assign(to_size(settings_.optimizer.slots()), parameters_);
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      passes_.push_back(std::make_unique<cpu::NetworkPass>(settings_.plan, network_, group_));
    }
  }

  [[nodiscard]] std::string device() const override { return "cpu"; }
  [[nodiscard]] ExecutionPath path() const override { return path_; }

  [[nodiscard]] SumMethod sum_method(std::size_t index) const override {
    const auto block = blocks_ ? block_at(settings_.plan, index) : std::nullopt;
    return block && cpu::uses_winograd(*block) ? SumMethod::winograd : SumMethod::plain;
  }

  void upload(Split split, SharedImageSet images) override { images_.upload(settings_.plan, split, std::move(images)); }

  [[nodiscard]] ExecutorState state() const override {
    ExecutorState state{.parameters = {parameters_.begin(), parameters_.end()}, .optimizer_slots = {}};
    for (const std::vector<float>& slot : slots_) {
      state.optimizer_slots.emplace_back(slot.begin(), slot.end());
    }
    return state;
  }

  void set_state(const ExecutorState& state) override {
    validate(state, settings_);
    const auto to_float = [](double value) { return static_cast<float>(value); };
    std::transform(state.parameters.begin(), state.parameters.end(), parameters_.begin(), to_float);
    ++parameters_version_;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      std::transform(state.optimizer_slots[i].begin(), state.optimizer_slots[i].end(), slots_[i].begin(), to_float);
    }
  }

  Metrics train(const TrainingSteps& steps) override {
    validate(steps, settings_);
    const ImageSet& images = images_.holding(Split::training, steps.samples);
    Metrics total;
    for (std::size_t i = 0; i < steps.learning_rates.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      const std::int64_t step = steps.first_step + index;
      Metrics metrics = run_parts(images, batch_of(steps.samples, steps.batch_size, index));
      if (!std::isfinite(metrics.loss_sum)) {
        metrics.first_non_finite_step = step;
      }
      total += metrics;
      if (total.first_non_finite_step >= 0) {
        break;
      }
      update({.learning_rate = steps.learning_rates[i], .step = step});
    }
    return total;
  }

  Metrics evaluate(Split split, Samples samples) override {
    const ImageSet& images = images_.holding(split, samples);
    losses_.resize(samples.size());
    const std::int64_t groups = divide_up(static_cast<std::int64_t>(samples.size()), group_);
    correct_.assign(to_size(groups), 0);
    pool_.parallel_for(groups, [&](std::int64_t g, int thread) {
      cpu::NetworkPass& pass = *passes_[to_size(thread)];
      const Samples group = batch_of(samples, group_, g);
      const float* logits = run_forward(pass, images, group);
      correct_[to_size(g)] = assess(pass, logits, group.size(), 1.0F, losses_.data() + g * group_);
    });
    return metrics();
  }

  std::vector<float> logits(Split split, Samples samples) override {
    return activations(split, samples, settings_.plan.output_count,
                       [](const cpu::NetworkPass& /*pass*/, const float* logits) { return logits; });
  }

  std::vector<float> codes(Split split, Samples samples) override {
    const std::int64_t size = settings_.plan.operations[settings_.plan.code_operation].input_count;
    return activations(split, samples, size,
                       [](const cpu::NetworkPass& pass, const float* /*logits*/) { return pass.codes(); });
  }

  std::vector<double> gradients(Samples samples) override {
    if (samples.empty()) {
      throw Error("gradients were asked for the mean loss over no samples; there must be at least 1");
    }
    run_parts(images_.holding(Split::training, samples), samples);
    for (const cpu::ParameterPart& part : network_.parts()) {
      collect(part, passes_.front()->workspace());
    }
    return {gradients_.begin(), gradients_.end()};
  }

  void start_recording() override {
    const auto origin = cpu::ClockRecorder::Clock::now();
    recorders_.clear();
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      recorders_.push_back(std::make_unique<cpu::ClockRecorder>(thread, origin));
      passes_[to_size(thread)]->record_with(recorders_.back().get());
    }
  }

  std::vector<RecordedOperation> stop_recording() override {
    std::vector<RecordedOperation> records;
    for (std::size_t thread = 0; thread < recorders_.size(); ++thread) {
      passes_[thread]->record_with(nullptr);
      const std::vector<RecordedOperation>& more = recorders_[thread]->records();
      records.insert(records.end(), more.begin(), more.end());
    }
    recorders_.clear();
    return records;
  }

 private:
  /// Gathers a group of samples and takes it through the network; its logits.
  const float* run_forward(cpu::NetworkPass& pass, const ImageSet& images, Samples group) const {
    const auto batch = static_cast<std::int64_t>(group.size());
    const GatherShape shape{.batch = batch, .image_size = settings_.plan.input_count};
    {
      const OperationScope scope(pass.recorder(), "", [&] { return cost::gather(shape); });
      cpu::gather(shape, images.pixels.data(), images.labels.data(), group.data(), pixel_scale_, pass.images(),
                  pass.labels());
    }
    pass.prepare(parameters_.data(), parameters_version_);
    return pass.forward(parameters_.data(), batch);
  }

  /// `size` values of each sample, from where find(pass, logits) says after a forward pass.
  template <class Find>
  std::vector<float> activations(Split split, Samples samples, std::int64_t size, const Find& find) {
    const ImageSet& images = images_.holding(split, samples);
    std::vector<float> all(samples.size() * to_size(size));
    const std::int64_t groups = divide_up(static_cast<std::int64_t>(samples.size()), group_);
    pool_.parallel_for(groups, [&](std::int64_t g, int thread) {
      const Samples group = batch_of(samples, group_, g);
      const cpu::NetworkPass& pass = *passes_[to_size(thread)];
      const float* values = find(pass, run_forward(*passes_[to_size(thread)], images, group));
      std::copy_n(values, group.size() * to_size(size), all.data() + g * group_ * size);
    });
    return all;
  }

  /// The losses of a group and `scale` times the gradient of their sum by the logits; how many predictions are right.
  std::int64_t assess(cpu::NetworkPass& pass, const float* logits, std::size_t batch, float scale,
                      float* losses) const {
    if (settings_.plan.loss == Loss::half_squared_error) {
      const HalfSquaredErrorShape shape{.batch = static_cast<std::int64_t>(batch),
                                        .elements = settings_.plan.output_count};
      const OperationScope scope(pass.recorder(), "", [&] { return cost::half_squared_error(shape); });
      cpu::half_squared_error(shape, logits, pass.images(), scale, losses, pass.grad_logits());
      return 0;
    }
    const SoftmaxCrossEntropyShape shape{.batch = static_cast<std::int64_t>(batch), .classes = settings_.plan.classes};
    {
      const OperationScope scope(pass.recorder(), "", [&] { return cost::softmax_cross_entropy(shape); });
      cpu::softmax_cross_entropy(shape, logits, pass.labels(), scale, losses, pass.grad_logits());
    }
    const OperationScope scope(pass.recorder(), "", [&] { return cost::accuracy(shape); });
    return cpu::accuracy(shape, logits, pass.labels());
  }

  /// Leaves the gradient of the mean loss over the samples in the parts' partial sums.
  Metrics run_parts(const ImageSet& images, Samples samples) {
    const auto count = static_cast<std::int64_t>(samples.size());
    const std::int64_t parts = part_count(count);
    losses_.resize(samples.size());
    correct_.assign(to_size(parts), 0);
    while (partial_buffers_.size() < to_size(parts)) {
      partial_buffers_.emplace_back(sums_.size());
    }
    partials_.clear();
    for (std::int64_t part = 0; part < parts; ++part) {
      partials_.push_back(partial_buffers_[to_size(part)].data());
    }
    const auto scale = static_cast<float>(1.0 / static_cast<double>(count));
    pool_.parallel_for(parts, [&](std::int64_t part, int thread) {
      const Samples mine = part_of(samples, parts, part);
      float* losses = losses_.data() + (mine.data() - samples.data());
      correct_[to_size(part)] =
          run_part(*passes_[to_size(thread)], images, mine, scale, losses, partial_buffers_[to_size(part)].data());
    });
    return metrics();
  }

  /// One part of a mini-batch, group after group; how many predictions are right.
  std::int64_t run_part(cpu::NetworkPass& pass, const ImageSet& images, Samples samples, float scale, float* losses,
                        float* gradients) const {
    std::int64_t correct = 0;
    for (std::int64_t g = 0; g < batch_count(samples.size(), group_); ++g) {
      const Samples group = batch_of(samples, group_, g);
      const float* logits = run_forward(pass, images, group);
      correct += assess(pass, logits, group.size(), scale, losses + g * group_);
      pass.backward(parameters_.data(), static_cast<std::int64_t>(group.size()), g > 0, gradients);
    }
    return correct;
  }

  /// What losses_ and correct_ add up to.
  [[nodiscard]] Metrics metrics() const {
    return {.loss_sum = std::accumulate(losses_.begin(), losses_.end(), 0.0),
            .correct = std::accumulate(correct_.begin(), correct_.end(), std::int64_t{0}),
            .count = static_cast<std::int64_t>(losses_.size())};
  }

  void update(const OptimizerStep& step) {
    const std::vector<cpu::ParameterPart>& parts = network_.parts();
    pool_.parallel_for(static_cast<std::int64_t>(parts.size()), [&](std::int64_t index, int thread) {
      const cpu::ParameterPart& part = parts[to_size(index)];
      const OperationScope scope(passes_[to_size(thread)]->recorder(), "",
                                 [&] { return cost::optimizer(settings_.optimizer.kind, part.parameter_count()); });
      cpu::Workspace& workspace = passes_[to_size(thread)]->workspace();
      collect(part, workspace);
      for (const cpu::FloatRange range : part.parameters) {
        apply(step, range.begin, range.count);
      }
    });
    ++parameters_version_;
  }

  /// Adds up the partial sums of some of the gradients.
  void collect(const cpu::ParameterPart& part, cpu::Workspace& workspace) {
    for (const cpu::FloatRange range : part.sums) {
      cpu::sum_partials(partials_, range.begin, range.count, sums_.data() + range.begin);
    }
    network_.collect(part, sums_.data(), gradients_.data(), workspace);
  }

  /// The optimizer's step for some of the parameters.
  void apply(const OptimizerStep& step, std::int64_t begin, std::int64_t count) {
    const OptimizerSettings& optimizer = settings_.optimizer;
    const float* gradients = gradients_.data() + begin;
    float* parameters = parameters_.data() + begin;
    switch (optimizer.kind) {
      case OptimizerKind::sgd:
        cpu::sgd(count, optimizer, step, gradients, parameters, slots_[0].data() + begin);
        break;
      case OptimizerKind::adam:
        cpu::adam(count, optimizer, step, gradients, parameters, slots_[0].data() + begin, slots_[1].data() + begin);
        break;
      case OptimizerKind::adamw:
        cpu::adamw(count, optimizer, step, gradients, parameters, slots_[0].data() + begin, slots_[1].data() + begin);
        break;
    }
  }

  ExecutorSettings settings_;
  ExecutionPath path_;
  bool blocks_;  // whether a convolution, a max-pool and a sigmoid are computed as one
  PixelScale pixel_scale_;
  UploadedImages images_;
  std::int64_t group_;  // samples that go through the network together
  cpu::NetworkParameters network_;
  std::vector<float> parameters_;
  std::uint64_t parameters_version_ = 0;  // counts what parameters_ have held
  std::vector<std::vector<float>> slots_;
  std::vector<cpu::AlignedVector<float>> partial_buffers_;      // [part]: gradient sums as the network has them
  std::vector<const float*> partials_;                          // of the parts of the mini-batch at hand
  cpu::AlignedVector<float> sums_;                              // their sum
  std::vector<float> gradients_;                                // the same in the plan's flat layout, the gaps zero
  std::vector<float> losses_;                                   // [sample]
  std::vector<std::int64_t> correct_;                           // [part or group]
  std::vector<std::unique_ptr<cpu::NetworkPass>> passes_;       // [thread]
  std::vector<std::unique_ptr<cpu::ClockRecorder>> recorders_;  // [thread]; empty but while recording
  cpu::ThreadPool pool_;
};

}  // namespace

ExecutionPath cpu_execution_path(const ExecutionPlan& plan, PathRequest request) {
  if (request == PathRequest::layered) {
    return {.name = "layered", .detail = "as asked for"};
  }
  const std::int64_t blocks = count_blocks(plan);
  if (blocks > 0) {
    return {.name = "fused",
            .detail = fmt::format("{} block{} of convolution, max-pool and sigmoid", blocks, blocks == 1 ? "" : "s")};
  }
  const char* const reason = "no convolution has a max-pool of 2x2 or 3x3 and a sigmoid behind it";
  if (request == PathRequest::fused) {
    throw UsageError(fmt::format("cpu: nothing of this network can be fused: {}; use --path layered or auto", reason));
  }
  return {.name = "layered", .detail = reason};
}

std::unique_ptr<Executor> make_cpu_executor(const ExecutorSettings& settings, int threads, PathRequest path) {
  return std::make_unique<CpuExecutor>(settings, threads, path);
}

}  // namespace touchstone
