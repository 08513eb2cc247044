// SPDX-License-Identifier: Apache-2.0
//
// What a run of steps gave, out of each sample's loss and correctness: one reduction through Thrust.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/transform_reduce.h>

#include "kernels/reduce_metrics.h"
#include "kernels/thrust_call.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

struct MetricsOfSample {
  const float* losses;
  const std::uint8_t* correct;

  __host__ __device__ SampleMetrics operator()(std::int64_t sample) const {
    const float loss = losses == nullptr ? 0.0F : losses[sample];
    const bool finite = loss - loss == 0.0F;
    return {static_cast<double>(loss), correct[sample], finite ? SampleMetrics::none : sample};
  }
};

struct AddMetrics {
  __host__ __device__ SampleMetrics operator()(const SampleMetrics& a, const SampleMetrics& b) const {
    return {a.loss_sum + b.loss_sum, a.correct + b.correct,
            a.first_non_finite < b.first_non_finite ? a.first_non_finite : b.first_non_finite};
  }
};

}  // namespace

SampleMetrics reduce_metrics(std::int64_t count, const float* losses, const std::uint8_t* correct, Allocator& allocator,
                             cudaStream_t stream) {
  SampleMetrics result;
  const MetricsOfSample of_sample{losses, correct};
  run_thrust("reduce_metrics", allocator, stream, [=, &result](const auto& policy) {
    const thrust::counting_iterator<std::int64_t> first(0);
    result = thrust::transform_reduce(policy, first, first + count, of_sample, SampleMetrics(), AddMetrics());
  });
  return result;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
