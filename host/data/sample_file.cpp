// SPDX-License-Identifier: Apache-2.0
#include "host/data/sample_file.h"

#include <fmt/format.h>

#include "host/data/input_file.h"
#include "touchstone/error.h"

namespace touchstone {

SampleMatrix load_samples(const std::filesystem::path& file) {
  const InputFile input(file);
  const PixelBuffer buffer = input.read_prefix(input.size());
  const std::span<const std::uint8_t> bytes(buffer.data(), buffer.size());
  SampleMatrix samples = is_npy(bytes) ? decode_npy(file, bytes) : decode_csv(file, bytes);
  if (samples.count == 0 || samples.dimensions == 0) {
    throw Error(fmt::format("{}: {} samples of {} dimensions; expected at least one of each", quoted(file),
                            samples.count, samples.dimensions));
  }
  return samples;
}

}  // namespace touchstone
