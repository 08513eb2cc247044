// SPDX-License-Identifier: Apache-2.0
#include "host/cli/console.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

/// Returns 0, or the errno of the failed write.
int write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/// Messages may quote file names and other people's texts: control characters must neither break the line nor move
/// the terminal's cursor.
std::string as_one_line(std::string_view message) {
  std::string line(message);
  for (char& letter : line) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20 || code == 0x7F) letter = letter == '\n' || letter == '\t' ? ' ' : '?';
  }
  return line;
}

}  // namespace

Console::Console(bool json, bool quiet)
    : json_(json), quiet_(quiet), traits_(report::terminal_traits(json ? STDERR_FILENO : STDOUT_FILENO)) {}

void Console::print(std::string_view text) const {
  if (quiet_) return;
  if (json_) {
    write_message(text);
  } else {
    write_output(text);
  }
}

void Console::print_json(const nlohmann::ordered_json& value) const {
  if (!json_) return;
  // Paths need not be UTF-8, JSON has to be.
  write_output(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void write_output(std::string_view text) {
  const int failure = write_all(STDOUT_FILENO, text);
  if (failure != 0) {
    throw Error(fmt::format("cannot write to standard output: {}", std::generic_category().message(failure)));
  }
}

void write_message(std::string_view text) noexcept { write_all(STDERR_FILENO, text); }

void print_error(std::string_view message) {
  const report::Style style(report::terminal_traits(STDERR_FILENO).colour);
  write_message(fmt::format("touchstone: {} {}\n", style.red("error:"), as_one_line(message)));
}

void protect_standard_streams() {
  // Opened the wrong way round: using them fails, as using the closed ones would.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    [[maybe_unused]] const int opened = ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is as good a reason for an error
}

}  // namespace touchstone::cli
