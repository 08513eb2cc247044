// SPDX-License-Identifier: Apache-2.0
//
// A mini-batch out of the data set on the device: picked by index, its pixels normalised through a table of 256 values
// (include/touchstone/gather.h). Memory-bound: 1 byte read and 4 written a pixel.
#include "kernels/gather.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;
constexpr int table_size = 256;
static_assert(threads == table_size, "each thread brings one value of the table into shared memory");
constexpr int vector_pixels = 4;

// Block: one image. Thread: every 256th vector of four pixels, or pixel where `vectors` is false.
// Shared memory: the table.
__global__ void __launch_bounds__(threads)
    gather_kernel(std::int64_t image_size, bool vectors, const std::uint8_t* pixels, const std::uint8_t* labels,
                  const std::uint32_t* indices, const float* table, float* images, std::uint8_t* batch_labels,
                  const StepCursor* cursor) {
  SharedMemory shared;
  float* values = shared.take<float>(table_size);
  const int thread = static_cast<int>(threadIdx.x);
  values[thread] = table[thread];
  __syncthreads();  // the table is complete

  const std::int64_t image = blockIdx.x;
  const std::int64_t index = indices[first_sample(cursor) + image];
  const std::uint8_t* source = pixels + index * image_size;
  float* target = images + image * image_size;
  if (thread == 0) {
    batch_labels[image] = labels[index];
  }
  if (vectors) {
    for (std::int64_t i = thread * vector_pixels; i < image_size; i += threads * vector_pixels) {
      const uchar4 p = load_vector<uchar4>(source + i);
      store4(target + i, make_float4(values[p.x], values[p.y], values[p.z], values[p.w]));
    }
  } else {
    for (std::int64_t i = thread; i < image_size; i += threads) {
      target[i] = values[source[i]];
    }
  }
}

}  // namespace

void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const float* table, float* images, std::uint8_t* batch_labels,
            const StepCursor* cursor, cudaStream_t stream) {
  if (shape.batch == 0) {
    return;
  }
  const bool vectors = shape.image_size % vector_pixels == 0 && is_aligned16(pixels) && is_aligned16(images);
  launch(gather_kernel, dim3(grid_size(shape.batch)), dim3(threads), SharedLayout().take<float>(table_size).bytes(),
         stream, shape.image_size, vectors, pixels, labels, indices, table, images, batch_labels, cursor);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
