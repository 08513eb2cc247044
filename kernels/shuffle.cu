// SPDX-License-Identifier: Apache-2.0
//
// The order of an epoch (include/touchstone/random.h): keys from the counter-based generator, and Thrust's stable sort.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/transform.h>

#include "kernels/shuffle.h"
#include "kernels/thrust_call.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

struct RandomKey {
  std::uint64_t seed;
  RandomPurpose purpose;
  std::uint32_t epoch;

  __host__ __device__ std::uint32_t operator()(std::uint32_t index) const {
    return random_word(seed, purpose, epoch, index);
  }
};

}  // namespace

void shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch, std::uint32_t count, std::uint32_t* order,
             Allocator& allocator, cudaStream_t stream) {
  const Buffer<std::uint32_t> key_buffer(allocator, count, "the keys of the order");
  std::uint32_t* keys = key_buffer.data();
  const RandomKey random_key{seed, purpose, epoch};
  run_thrust("shuffle", allocator, stream, [=](const auto& policy) {
    const thrust::counting_iterator<std::uint32_t> first(0);
    thrust::transform(policy, first, first + count, keys, random_key);
    thrust::sequence(policy, order, order + count);
    thrust::stable_sort_by_key(policy, keys, keys + count, order);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
