// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <cuda_profiler_api.h>

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/executor.h"
#include "kernels/profiling.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

template <class T>
void copy_to_device(const Buffer<T>& target, const T* source, std::size_t count, cudaStream_t stream) {
  if (count > 0) {
    check(cudaMemcpyAsync(target.data(), source, count * sizeof(T), cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  }
}

template <class T>
void zero(const Buffer<T>& buffer, cudaStream_t stream) {
  if (buffer.count() > 0) {
    check(cudaMemsetAsync(buffer.data(), 0, buffer.bytes(), stream), "cudaMemsetAsync");
  }
}

std::vector<double> to_double(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// The values of a buffer; waits for the stream.
std::vector<float> download(const float* source, std::size_t count, cudaStream_t stream) {
  std::vector<float> values(count);
  if (count > 0) {
    check(cudaMemcpyAsync(values.data(), source, count * sizeof(float), cudaMemcpyDeviceToHost, stream),
          "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }
  return values;
}

std::int64_t multiply_adds(const ExecutionPlan& plan) {
  std::int64_t sum = 0;
  for (const Operation& operation : plan.operations) {
    sum += std::visit(Overloaded{[](const Conv2dShape& shape) { return shape.multiply_adds(); },
                                 [](const DenseShape& shape) { return shape.multiply_adds(); },
                                 [](const auto& /*no products*/) { return std::int64_t{0}; }},
                      operation.shape);
  }
  return sum;
}

}  // namespace

CudaExecutor::CudaExecutor(const ExecutorSettings& settings, const CudaOptions& options)
    : settings_(settings), options_(options) {
  validate(settings_);
  open_device(options_.index);
  stream_ = make_stream();
  allocator_ = make_allocator(options_.memory);
  const PathChoice choice = choose_path(settings_.plan, options_);
  path_ = choice.path;
  tensors_ = make_executor_tensors(settings_, *allocator_, choice.fuses_blocks);
  blas_ =
      make_blas_handle(stream_.get(), tensors_->blas_workspace.data(), tensors_->blas_workspace.bytes(), options_.tf32);
  layered_ = std::make_unique<LayeredPath>(settings_, *tensors_, blas_.get(), stream_.get());
  if (choice.fused) {
    fused_ = std::make_unique<FusedPath>(choice, settings_, options_, *tensors_, *allocator_, stream_.get());
  }
  zero_state();
}

CudaExecutor::~CudaExecutor() {
  if (stream_) {
    static_cast<void>(cudaStreamSynchronize(stream_.get()));  // queued work may still read what is destroyed now
  }
}

void CudaExecutor::zero_state() {
  zero(tensors_->parameters, stream_.get());
  zero(tensors_->gradients, stream_.get());  // the gaps between its tensors stay zero
  for (const Buffer<float>& slot : tensors_->slots) {
    zero(slot, stream_.get());
  }
  finish();
}

std::string CudaExecutor::device() const { return device_name(options_.index); }

std::int64_t CudaExecutor::steps_per_report() const {
  constexpr double report_seconds = 0.1;
  // Rough on purpose: what a launch-bound step takes, and the products of a step at a fraction of a GPU's peak (or of
  // a processor's, emulated).
  const double launch_seconds = fused_ ? 10e-6 : 100e-6;
  const double step_seconds = emulated_build ? 20e-3 : launch_seconds;
  constexpr double products_per_second = emulated_build ? 0.5e9 : 2e12;
  const double products = 3.0 * static_cast<double>(multiply_adds(settings_.plan) * settings_.batch_size);
  const double steps = report_seconds / (step_seconds + products / products_per_second);
  return std::max<std::int64_t>(1, std::llround(steps));
}

void CudaExecutor::mark_epoch(std::int64_t epoch) {
  epoch_range_.reset();  // ranges nest: the last epoch's ends before the next begins
  epoch_range_.emplace(("epoch " + std::to_string(epoch)).c_str());
}

void CudaExecutor::upload(Split split, SharedImageSet images) {
  use_device(options_.index);
  images_.upload(settings_.plan, split, images);
  forget_run();  // graphs read the set that is replaced
  DeviceImages& target = device_images_.at(static_cast<std::size_t>(split));
  target = DeviceImages();
  const std::string name = "the " + std::string(to_string(split)) + " images";
  target.pixels = Buffer<std::uint8_t>(*allocator_, static_cast<std::int64_t>(images->pixels.size()), name);
  target.labels = Buffer<std::uint8_t>(*allocator_, static_cast<std::int64_t>(images->labels.size()), name);
  copy_to_device(target.pixels, images->pixels.data(), images->pixels.size(), stream_.get());
  copy_to_device(target.labels, images->labels.data(), images->labels.size(), stream_.get());
  finish();
}

ExecutorState CudaExecutor::state() const {
  use_device(options_.index);
  const auto count = static_cast<std::size_t>(settings_.plan.parameter_floats);
  ExecutorState state;
  state.parameters = to_double(download(tensors_->parameters.data(), count, stream_.get()));
  for (const Buffer<float>& slot : tensors_->slots) {
    state.optimizer_slots.push_back(to_double(download(slot.data(), count, stream_.get())));
  }
  return state;
}

void CudaExecutor::set_state(const ExecutorState& state) {
  validate(state, settings_);
  use_device(options_.index);
  const auto copy = [this](const std::vector<double>& values, const Buffer<float>& target) {
    std::vector<float> rounded(values.size());
    std::transform(values.begin(), values.end(), rounded.begin(),
                   [](double value) { return static_cast<float>(value); });
    copy_to_device(target, rounded.data(), rounded.size(), stream_.get());
    finish();
  };
  copy(state.parameters, tensors_->parameters);
  for (std::size_t slot = 0; slot < tensors_->slots.size(); ++slot) {
    copy(state.optimizer_slots[slot], tensors_->slots[slot]);
  }
}

Metrics CudaExecutor::train(const TrainingSteps& steps) {
  validate(steps, settings_);
  static_cast<void>(images_.holding(Split::training, steps.samples));
  use_device(options_.index);
  const ProfilerRange range("train");
  begin_run(steps.samples, make_records(steps));
  const auto count = static_cast<std::int64_t>(steps.samples.size());
  if (fused_) {
    fused_->queue_training(run_tensors(Split::training), count, steps.batch_size, recorder_.get());
  }
  for (std::int64_t done = 0; !fused_ && done < count; done += steps.batch_size) {
    run_step(StepKind::train, std::min(steps.batch_size, count - done));
  }
  Metrics metrics = end_run(count);
  if (metrics.first_non_finite_step >= 0) {
    metrics.first_non_finite_step = steps.first_step + metrics.first_non_finite_step / steps.batch_size;
  }
  return metrics;
}

Metrics CudaExecutor::evaluate(Split split, Samples samples) {
  static_cast<void>(images_.holding(split, samples));
  use_device(options_.index);
  const ProfilerRange range("evaluate");
  begin_run(samples, {});
  const StepKind kind = split == Split::training ? StepKind::evaluate_training : StepKind::evaluate_test;
  const auto count = static_cast<std::int64_t>(samples.size());
  if (fused_) {
    fused_->queue_forward(run_tensors(split), count, nullptr);
  }
  for (std::int64_t done = 0; !fused_ && done < count; done += settings_.batch_size) {
    run_step(kind, std::min(settings_.batch_size, count - done));
  }
  Metrics metrics = end_run(count);
  metrics.first_non_finite_step = -1;  // an evaluation has no steps
  return metrics;
}

std::vector<float> CudaExecutor::logits(Split split, Samples samples) {
  if (fused_) {
    static_cast<void>(images_.holding(split, samples));
    use_device(options_.index);
    const ProfilerRange range("logits");
    begin_run(samples, {});
    const auto count = static_cast<std::int64_t>(samples.size());
    const Buffer<float> logits(*allocator_, count * settings_.plan.output_count, "the logits");
    fused_->queue_forward(run_tensors(split), count, logits.data());
    std::vector<float> values = download(logits.data(), static_cast<std::size_t>(logits.count()), stream_.get());
    finish();
    return values;
  }
  return activations(split, samples, tensors_->pass.logits(), settings_.plan.output_count);
}

std::vector<float> CudaExecutor::codes(Split split, Samples samples) {
  const std::size_t index = settings_.plan.code_operation;
  return activations(split, samples, tensors_->pass.input_of(index), settings_.plan.operations[index].input_count);
}

// `size` values of each sample, which stand at `values` after a batch's forward pass.
std::vector<float> CudaExecutor::activations(Split split, Samples samples, const float* values, std::int64_t size) {
  static_cast<void>(images_.holding(split, samples));
  use_device(options_.index);
  const ProfilerRange range("activations");
  begin_run(samples, {});
  std::vector<float> all;
  all.reserve(samples.size() * static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < batch_count(samples.size(), settings_.batch_size); ++i) {
    const std::size_t count = batch_of(samples, settings_.batch_size, i).size();
    layered_->queue_forward(run_tensors(split), static_cast<std::int64_t>(count), recorder_.get());
    layered_->queue_advance(static_cast<std::int64_t>(count), recorder_.get());
    const std::vector<float> part = download(values, count * static_cast<std::size_t>(size), stream_.get());
    all.insert(all.end(), part.begin(), part.end());
  }
  finish();
  return all;
}

std::vector<double> CudaExecutor::gradients(Samples samples) {
  if (samples.empty()) {
    throw Error("gradients were asked for the mean loss over no samples; there must be at least 1");
  }
  static_cast<void>(images_.holding(Split::training, samples));
  use_device(options_.index);
  const ProfilerRange range("gradients");
  begin_run(samples, {});
  const RunTensors run = run_tensors(Split::training);
  const double scale = 1.0 / static_cast<double>(samples.size());
  if (fused_) {
    fused_->queue_parameters();
  }
  std::vector<double> total(static_cast<std::size_t>(settings_.plan.parameter_floats));
  for (std::int64_t i = 0; i < batch_count(samples.size(), settings_.batch_size); ++i) {
    const auto batch = static_cast<std::int64_t>(batch_of(samples, settings_.batch_size, i).size());
    if (fused_) {
      fused_->queue_gradients(run, batch, scale);
    } else {
      layered_->queue_gradients(run, batch, scale, recorder_.get());
      layered_->queue_advance(batch, recorder_.get());
    }
    const std::vector<float> part = download(tensors_->gradients.data(), total.size(), stream_.get());
    std::transform(total.begin(), total.end(), part.begin(), total.begin(), std::plus<>());
  }
  finish();
  return total;
}

void CudaExecutor::start_recording() {
  use_device(options_.index);
  finish();
  check(cudaProfilerStart(), "cudaProfilerStart");
  recorder_ = std::make_unique<EventRecorder>(stream_.get());
}

std::vector<RecordedOperation> CudaExecutor::stop_recording() {
  use_device(options_.index);
  const std::unique_ptr<EventRecorder> recorder = std::move(recorder_);
  if (!recorder) {
    return {};
  }
  std::vector<RecordedOperation> operations = recorder->finish();
  check(cudaProfilerStop(), "cudaProfilerStop");
  return operations;
}

// Room for a run of so many samples and steps. Graphs that were captured for smaller buffers are dropped with them.
void CudaExecutor::reserve_run(std::int64_t samples, std::int64_t steps) {
  if (samples > run_.indices.count()) {
    forget_run();
    run_.indices = Buffer<std::uint32_t>();
    run_.losses = Buffer<float>();
    run_.correct = Buffer<std::uint8_t>();
    run_.indices = Buffer<std::uint32_t>(*allocator_, samples, "the order of the samples");
    run_.losses = Buffer<float>(*allocator_, samples, "the samples' losses");
    run_.correct = Buffer<std::uint8_t>(*allocator_, samples, "the samples' correctness");
    zero(run_.correct, stream_.get());  // and that it stays where the loss knows no classes
  }
  if (steps > run_.records.count()) {
    forget_run();
    run_.records = Buffer<StepRecord>();
    run_.records = Buffer<StepRecord>(*allocator_, steps, "the steps' learning rates");
  }
}

// Drops the graphs, which refer to a run's tensors.
void CudaExecutor::forget_run() {
  steps_.clear();
  if (fused_) {
    fused_->forget_run();
  }
}

RunTensors CudaExecutor::run_tensors(Split split) const {
  const DeviceImages& images = device_images_.at(static_cast<std::size_t>(split));
  return {.pixels = images.pixels.data(),
          .labels = images.labels.data(),
          .indices = run_.indices.data(),
          .losses = run_.losses.data(),
          .correct = run_.correct.data(),
          .records = run_.records.data()};
}

// Brings the order of the samples and what changes from step to step to the device, and the cursor to the beginning.
void CudaExecutor::begin_run(Samples samples, std::vector<StepRecord> records) {
  reserve_run(static_cast<std::int64_t>(samples.size()), static_cast<std::int64_t>(records.size()));
  order_.assign(samples.begin(), samples.end());
  records_ = std::move(records);
  copy_to_device(run_.indices, order_.data(), order_.size(), stream_.get());
  copy_to_device(run_.records, records_.data(), records_.size(), stream_.get());
  zero(tensors_->cursor, stream_.get());
}

// Waits for the steps and sums what they gave; first_non_finite_step is that sample's place in the run.
Metrics CudaExecutor::end_run(std::int64_t count) {
  Metrics metrics;
  if (count > 0) {
    const SampleMetrics sums =
        reduce_metrics(count, run_.losses.data(), run_.correct.data(), *allocator_, stream_.get());
    metrics.loss_sum = sums.loss_sum;
    metrics.correct = sums.correct;
    metrics.count = count;
    metrics.first_non_finite_step = sums.first_non_finite == SampleMetrics::none ? -1 : sums.first_non_finite;
  }
  finish();
  return metrics;
}

void CudaExecutor::run_step(StepKind kind, std::int64_t batch) {
  Step& step = steps_[StepKey(kind, batch)];
  if (!options_.graph || recorder_ || !step.has_run) {
    queue_step(kind, batch);
    step.has_run = true;
    return;
  }
  if (!step.graph) {
    step.graph = capture(stream_.get(), [&] { queue_step(kind, batch); });
  }
  check(cudaGraphLaunch(step.graph.get(), stream_.get()), "cudaGraphLaunch");
}

void CudaExecutor::queue_step(StepKind kind, std::int64_t batch) {
  const Split split = kind == StepKind::evaluate_test ? Split::test : Split::training;
  layered_->queue_step(run_tensors(split), batch, kind == StepKind::train, recorder_.get());
}

std::vector<StepRecord> CudaExecutor::make_records(const TrainingSteps& steps) const {
  std::vector<StepRecord> records;
  records.reserve(steps.learning_rates.size());
  for (std::size_t i = 0; i < steps.learning_rates.size(); ++i) {
    records.push_back(make_step_record(settings_.optimizer, {.learning_rate = steps.learning_rates[i],
                                                             .step = steps.first_step + static_cast<std::int64_t>(i)}));
  }
  return records;
}

// Waits for all queued work, and where tensors are guarded looks at their guards.
void CudaExecutor::finish() const {
  check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
  allocator_->verify();
}

std::unique_ptr<Executor> make_executor(const ExecutorSettings& settings, const CudaOptions& options) {
  return std::make_unique<CudaExecutor>(settings, options);
}

ExecutionPath execution_path(const ExecutionPlan& plan, const CudaOptions& options) {
  open_device(options.index);
  return choose_path(plan, options).path;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
