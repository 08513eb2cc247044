// SPDX-License-Identifier: Apache-2.0
#include "host/model/write_file.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "touchstone/error.h"

namespace touchstone {
namespace {

/// A file under a temporary name beside its destination, removed again unless it is committed.
class PendingFile {
 public:
  explicit PendingFile(const std::filesystem::path& destination)
      : destination_(destination), temporary_(destination.string() + ".part") {
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail();
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!committed_) ::unlink(temporary_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail();
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0 && errno != EINVAL) fail();  // EINVAL: something that cannot be synchronised
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (::close(descriptor) != 0) fail();
    if (::rename(temporary_.c_str(), destination_.c_str()) != 0) fail();
    committed_ = true;
  }

 private:
  [[noreturn]] void fail() const {
    const int reason = errno;
    throw Error(fmt::format("{}: cannot write: {}", destination_.string(), std::strerror(reason)));
  }

  std::filesystem::path destination_;
  std::string temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace

void write_file(const std::filesystem::path& file, std::initializer_list<std::span<const std::byte>> parts) {
  PendingFile pending(file);
  for (const std::span<const std::byte> part : parts) pending.write(part);
  pending.commit();
}

void write_file(const std::filesystem::path& file, std::string_view text) {
  write_file(file, {std::as_bytes(std::span(text))});
}

}  // namespace touchstone
