// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/check/operation_checks.h"
#include "touchstone/gather.h"

namespace touchstone::check {
namespace {

/// A data set of `images` images, and the batch to pick out of it.
struct GatherSize {
  std::int64_t images = 1;
  std::int64_t batch = 1;
  std::int64_t image_size = 1;
};

/// One pixel; no sample; MNIST's images; lengths around 4 (the pixels of a word), 16 (of a vector) and 256.
constexpr std::array named_sizes = {
    GatherSize{1, 1, 1},    GatherSize{5, 0, 9},    GatherSize{9, 4, 784},   GatherSize{70, 64, 784},
    GatherSize{3, 7, 3},    GatherSize{3, 7, 4},    GatherSize{3, 7, 5},     GatherSize{5, 6, 15},
    GatherSize{5, 6, 16},   GatherSize{5, 6, 17},   GatherSize{5, 6, 31},    GatherSize{5, 6, 32},
    GatherSize{5, 6, 33},   GatherSize{4, 3, 255},  GatherSize{4, 3, 256},   GatherSize{4, 3, 257},
    GatherSize{2, 3, 1023}, GatherSize{2, 3, 1025}, GatherSize{300, 257, 2}, GatherSize{2, 2, 3072},
};

/// Gather selects: pixels by index, and rounds once. All must be equal.
class GatherTrial final : public Trial {
 public:
  GatherTrial(const GatherSize& size, CaseRandom& random)
      : Trial("exact"),
        size_(size),
        pixels_(random.bytes(size.images * size.image_size, 256)),
        labels_(random.bytes(size.images, 256)),
        indices_(size.batch) {
    for (std::uint32_t& index : indices_.values())
      index = static_cast<std::uint32_t>(random.between(0, size.images - 1));
    scale_ = {.scale = 2.0F * random.unit() - 1.0F, .shift = 2.0F * random.unit() - 1.0F};
  }

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    float* images = outputs.add<float>("images", {size_.batch, size_.image_size});
    auto* batch_labels = outputs.add<std::uint8_t>("batch_labels", {size_.batch});
    device.gather(shape(), size_.images, pixels_.data(), labels_.data(), indices_.data(), scale_, images, batch_labels);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    std::vector<double> images(static_cast<std::size_t>(size_.batch * size_.image_size));
    std::vector<std::uint8_t> batch_labels(static_cast<std::size_t>(size_.batch));
    reference::gather(shape(), pixels_.data(), labels_.data(), indices_.data(), scale_, images.data(),
                      batch_labels.data());
    return {{std::move(images), {}}, {{batch_labels.begin(), batch_labels.end()}, {}}};
  }

 private:
  [[nodiscard]] GatherShape shape() const { return {.batch = size_.batch, .image_size = size_.image_size}; }

  GatherSize size_;
  GuardedArray<std::uint8_t> pixels_;
  GuardedArray<std::uint8_t> labels_;
  GuardedArray<std::uint32_t> indices_;
  PixelScale scale_;
};

GatherSize draw_size(CaseRandom& random) {
  GatherSize size;
  size.images = random.between(1, 40);
  size.batch = random.size(65);
  size.image_size = random.one_in(3) ? random.between(1, 800) : random.size(65);
  return size;
}

}  // namespace

Case gather_case(std::int64_t index, CaseRandom& random) {
  const bool named = index < static_cast<std::int64_t>(named_sizes.size());
  const GatherSize size = named ? named_sizes[static_cast<std::size_t>(index)] : draw_size(random);
  Case result{fmt::format("N={} of {} image_size={}", size.batch, size.images, size.image_size), {}};
  result.trials.push_back(std::make_unique<GatherTrial>(size, random));
  return result;
}

}  // namespace touchstone::check
