// SPDX-License-Identifier: Apache-2.0
#include "host/data/input_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "touchstone/error.h"

namespace touchstone {
namespace {

[[noreturn]] void throw_system_error(const std::filesystem::path& path, int error) {
  throw Error(fmt::format("{}: cannot be read: {}", quoted(path), std::generic_category().message(error)));
}

}  // namespace

std::string quoted(const std::filesystem::path& path) { return fmt::format("'{}'", path.string()); }

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  // Asked before opening: opening a pipe would wait for its writer.
  struct stat status = {};
  if (stat(path_.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw Error(fmt::format("{}: no such file", quoted(path_)));
    throw_system_error(path_, errno);
  }
  if (S_ISDIR(status.st_mode)) throw Error(fmt::format("{}: expected a file, got a directory", quoted(path_)));
  if (!S_ISREG(status.st_mode)) throw Error(fmt::format("{}: not a regular file", quoted(path_)));
  size_ = static_cast<std::uint64_t>(status.st_size);
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw_system_error(path_, errno);
}

InputFile::~InputFile() { close(descriptor_); }

void InputFile::read(std::uint64_t offset, std::uint8_t* bytes, std::size_t count) const {
  while (count > 0) {
    const ssize_t got = pread(descriptor_, bytes, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(path_, errno);
    if (got == 0) throw Error(fmt::format("{}: became shorter while it was read", quoted(path_)));
    bytes += got;
    count -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
}

PixelBuffer InputFile::read_prefix(std::uint64_t count) const {
  PixelBuffer bytes = PixelBuffer::uninitialised(static_cast<std::size_t>(count));
  read(0, bytes.data(), bytes.size());
  return bytes;
}

}  // namespace touchstone
