// SPDX-License-Identifier: Apache-2.0
//
// A mini-batch out of the data set on the device: picked by index, its pixels normalised (include/touchstone/gather.h).
// Memory-bound: 1 byte read and 4 written a pixel.
#include "kernels/gather.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/pixel_value.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;
constexpr int vector_pixels = 4;

// Block: one image. Thread: every 256th vector of four pixels, or pixel where `vectors` is false.
__global__ void __launch_bounds__(threads)
    gather_kernel(std::int64_t image_size, bool vectors, const std::uint8_t* pixels, const std::uint8_t* labels,
                  const std::uint32_t* indices, PixelScale scale, float* images, std::uint8_t* batch_labels,
                  const StepCursor* cursor) {
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t image = blockIdx.x;
  const std::int64_t index = indices[first_sample(cursor) + image];
  const std::uint8_t* source = pixels + index * image_size;
  float* target = images + image * image_size;
  if (thread == 0) {
    batch_labels[image] = labels[index];
  }
  if (vectors) {
    for (std::int64_t i = thread * vector_pixels; i < image_size; i += threads * vector_pixels) {
      store4(target + i, pixel_values(scale, load_vector<uchar4>(source + i)));
    }
  } else {
    for (std::int64_t i = thread; i < image_size; i += threads) {
      target[i] = pixel_value(scale, source[i]);
    }
  }
}

}  // namespace

void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelScale& scale, float* images, std::uint8_t* batch_labels,
            const StepCursor* cursor, cudaStream_t stream) {
  if (shape.batch == 0) {
    return;
  }
  const bool vectors = shape.image_size % vector_pixels == 0 && is_aligned16(pixels) && is_aligned16(images);
  launch(gather_kernel, dim3(grid_size(shape.batch)), dim3(threads), 0, stream, shape.image_size, vectors, pixels,
         labels, indices, scale, images, batch_labels, cursor);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
