// SPDX-License-Identifier: Apache-2.0
// libdeflate does the work. zlib, which libpng brings along, does what libdeflate cannot: decode only the beginning of
// a stream (so that a header is checked before memory is taken for what it announces) and tell where a stream breaks.
#include "host/data/gzip.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>

#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>

namespace touchstone::gzip {
namespace {

constexpr std::size_t trailer_size = 8;  // CRC-32, then the size modulo 2^32, both little-endian

// zlib's decoder over one gzip member.
class MemberStream {
 public:
  explicit MemberStream(std::span<const std::uint8_t> data) : rest_(data) {
    constexpr int gzip_only = 16;
    if (inflateInit2(&stream_, MAX_WBITS + gzip_only) != Z_OK) throw std::bad_alloc();
  }
  MemberStream(const MemberStream&) = delete;
  MemberStream& operator=(const MemberStream&) = delete;
  ~MemberStream() { inflateEnd(&stream_); }

  // Decodes until `output` is full, the member or its data end, or an error. Returns the number of bytes decoded.
  std::size_t read(std::span<std::uint8_t> output) {
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<uInt>(output.size());
    while (stream_.avail_out > 0 && status_ == Z_OK) {
      if (stream_.avail_in == 0) feed();
      status_ = inflate(&stream_, Z_NO_FLUSH);
    }
    return output.size() - stream_.avail_out;
  }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const char* message() const { return stream_.msg != nullptr ? stream_.msg : "invalid data"; }
  // What of the data has not been decoded.
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return {rest_.data() - stream_.avail_in, unread()}; }

 private:
  [[nodiscard]] std::size_t unread() const { return rest_.size() + stream_.avail_in; }

  // zlib counts its input in 32 bits.
  void feed() {
    const auto piece = static_cast<uInt>(std::min<std::size_t>(rest_.size(), std::numeric_limits<uInt>::max()));
    stream_.next_in = const_cast<Bytef*>(rest_.data());  // zlib reads it only
    stream_.avail_in = piece;
    rest_ = rest_.subspan(piece);
  }

  z_stream stream_ = {};
  std::span<const std::uint8_t> rest_;
  int status_ = Z_OK;
};

std::uint32_t little_endian_32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8U | std::uint32_t{bytes[2]} << 16U |
         std::uint32_t{bytes[3]} << 24U;
}

}  // namespace

bool detect(std::span<const std::uint8_t> data) { return data.size() >= 2 && data[0] == 0x1F && data[1] == 0x8B; }

std::size_t peek(std::span<const std::uint8_t> data, std::span<std::uint8_t> output) {
  std::size_t size = 0;
  while (size < output.size() && !data.empty()) {
    MemberStream member(data);
    size += member.read(output.subspan(size));
    if (member.status() != Z_STREAM_END) break;
    data = member.rest();
  }
  return size;
}

Result decompress(std::span<const std::uint8_t> data, std::span<std::uint8_t> output) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!decompressor) throw std::bad_alloc();

  Result result;
  std::size_t members = 0;
  do {
    const std::span<std::uint8_t> room = output.subspan(result.size);
    std::size_t read = 0;
    std::size_t written = 0;
    if (libdeflate_gzip_decompress_ex(decompressor.get(), data.data(), data.size(), room.data(), room.size(), &read,
                                      &written) != LIBDEFLATE_SUCCESS) {
      // Its codes tell no more: truncated data are read as if zeros followed, and can so seem to hold too much.
      result.outcome = Outcome::failed;
      return result;
    }
    result.size += written;
    ++members;
    if (members == 1) result.crc32 = little_endian_32(data.data() + read - trailer_size);
    data = data.subspan(read);
  } while (!data.empty());
  if (members > 1) result.crc32.reset();
  if (result.size < output.size()) result.outcome = Outcome::too_short;
  return result;
}

std::optional<std::string> find_fault(std::span<const std::uint8_t> data, std::uint64_t limit) {
  std::array<std::uint8_t, 65536> scratch = {};
  std::uint64_t decoded = 0;
  const std::size_t size = data.size();
  while (!data.empty()) {
    if (data.size() < size && !detect(data))
      return fmt::format("{} bytes follow the end of the gzip data", data.size());
    MemberStream member(data);
    while (member.status() == Z_OK && decoded <= limit) decoded += member.read(scratch);
    if (decoded > limit) return std::nullopt;
    if (member.status() == Z_BUF_ERROR) return fmt::format("the gzip data end early, after {} decoded bytes", decoded);
    if (member.status() != Z_STREAM_END)
      return fmt::format("corrupt gzip data near byte {}: {}", size - member.rest().size(), member.message());
    data = member.rest();
  }
  return "corrupt gzip data";
}

}  // namespace touchstone::gzip
