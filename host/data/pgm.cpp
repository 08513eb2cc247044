// SPDX-License-Identifier: Apache-2.0
// Portable grey maps: "P2" or "P5", width, height and the largest value as decimal numbers, then the samples row by
// row: in P2 decimal numbers, in P5 one byte each, or two, big-endian, where the largest value is above 255. White
// space separates; "#" begins a comment that reaches to the end of its line.
#include <string_view>

#include <fmt/format.h>

#include "host/data/input_file.h"
#include "host/data/picture_formats.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

constexpr std::uint32_t max_sample = 65535;

bool is_space(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }
bool is_digit(std::uint8_t byte) { return byte >= '0' && byte <= '9'; }

class PgmReader {
 public:
  PgmReader(const std::filesystem::path& file, std::span<const std::uint8_t> data) : file_(file), rest_(data) {}

  // The next decimal number, called `what` in messages.
  std::uint32_t number(std::string_view what) {
    skip_space();
    if (rest_.empty()) fail(what, "the file is truncated");
    if (!is_digit(front())) fail(what, fmt::format("expected a number, got byte 0x{:02X}", front()));
    constexpr std::uint32_t limit = 100000000;  // above any number that is accepted, and ten times it fits 32 bits
    std::uint32_t value = 0;
    for (; !rest_.empty() && is_digit(front()); skip(1)) {
      value = 10 * value + (front() - std::uint32_t{'0'});
      if (value >= limit) fail(what, "the number is too large");
    }
    return value;
  }

  void skip(std::size_t count) { rest_ = rest_.subspan(count); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return rest_; }

  [[noreturn]] void fail(std::string_view what, std::string_view problem) const {
    throw Error(fmt::format("{}: {} of the PGM: {}", quoted(file_), what, problem));
  }

 private:
  [[nodiscard]] std::uint8_t front() const { return rest_.front(); }

  void skip_space() {
    bool comment = false;
    for (; !rest_.empty() && (comment || is_space(front()) || front() == '#'); skip(1)) {
      if (front() == '#') comment = true;
      if (front() == '\n' || front() == '\r') comment = false;
    }
  }

  const std::filesystem::path& file_;
  std::span<const std::uint8_t> rest_;
};

// Samples 0..largest as 0..255.
class SampleScale {
 public:
  SampleScale(const PgmReader& reader, std::uint32_t largest) : reader_(reader), largest_(largest) {}

  std::uint8_t operator()(std::uint32_t sample) const {
    if (sample > largest_) reader_.fail("a sample", fmt::format("expected at most {}, got {}", largest_, sample));
    return static_cast<std::uint8_t>((sample * 255 + largest_ / 2) / largest_);
  }

 private:
  const PgmReader& reader_;
  std::uint32_t largest_;
};

void read_binary(PgmReader& reader, std::uint32_t largest, Picture& picture) {
  if (reader.rest().empty() || !is_space(reader.rest().front()))
    reader.fail("header", "expected white space before the samples");
  reader.skip(1);
  const std::size_t bytes = largest > 255 ? 2 : 1;
  const std::size_t count = picture.pixels.size();
  const std::span<const std::uint8_t> samples = reader.rest();
  if (samples.size() < count * bytes)
    reader.fail("samples",
                fmt::format("expected {} bytes, got {}: the file is truncated", count * bytes, samples.size()));
  const SampleScale scale(reader, largest);
  for (std::size_t i = 0; i < count; ++i)
    picture.pixels[i] = scale(bytes == 1 ? samples[i] : samples[2 * i] * 256U + samples[2 * i + 1]);
}

void read_decimal(PgmReader& reader, std::uint32_t largest, Picture& picture) {
  const SampleScale scale(reader, largest);
  for (std::uint8_t& pixel : picture.pixels) pixel = scale(reader.number("a sample"));
}

}  // namespace

bool is_pgm(std::span<const std::uint8_t> data) {
  return data.size() >= 3 && data[0] == 'P' && (data[1] == '2' || data[1] == '5') &&
         (is_space(data[2]) || data[2] == '#');
}

Picture decode_pgm(const std::filesystem::path& file, std::span<const std::uint8_t> data) {
  PgmReader reader(file, data);
  reader.skip(2);
  Picture picture;
  picture.width = reader.number("width");
  picture.height = reader.number("height");
  check_picture_size(file, static_cast<std::uint64_t>(picture.width), static_cast<std::uint64_t>(picture.height));
  const std::uint32_t largest = reader.number("largest value");
  if (largest == 0 || largest > max_sample)
    reader.fail("largest value", fmt::format("expected 1 to {}, got {}", max_sample, largest));

  const auto count = static_cast<std::size_t>(picture.width * picture.height);
  if (count > reader.rest().size())  // each sample takes a byte at least
    reader.fail("samples",
                fmt::format("expected {}, got {} bytes: the file is truncated", count, reader.rest().size()));
  picture.pixels.resize(count);
  const bool binary = data[1] == '5';
  binary ? read_binary(reader, largest, picture) : read_decimal(reader, largest, picture);
  return picture;
}

}  // namespace touchstone
