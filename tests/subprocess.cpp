// SPDX-License-Identifier: Apache-2.0
#include "subprocess.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace touchstone::test {
namespace {

constexpr int cannot_execute = 127;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

/// The part of a start that runs in the child; does not return.
[[noreturn]] void execute(const std::filesystem::path& program, const ProgramSettings& settings) {
  for (const char* name : {"NO_COLOR", "TERM", "LC_ALL", "LC_CTYPE", "LANG"}) ::unsetenv(name);
  for (const auto& variable : settings.environment) {
    if (variable.second) {
      ::setenv(variable.first.c_str(), variable.second->c_str(), 1);
    } else {
      ::unsetenv(variable.first.c_str());
    }
  }
  if (settings.file_size_limit) {
    const rlimit limit{*settings.file_size_limit, *settings.file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<std::string> words = {program.filename().string()};
  words.insert(words.end(), settings.arguments.begin(), settings.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (::chdir(settings.directory.c_str()) == 0) ::execv(program.c_str(), arguments.data());
  ::_exit(cannot_execute);
}

/// Appends what can be read; false at the end.
bool read_some(int descriptor, std::string& text) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

int exit_code_of(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Leaves `room` bytes in the pipe; returns how many it took for that.
std::size_t fill_pipe(int descriptor, std::size_t room) {
  const auto capacity = static_cast<std::size_t>(checked(::fcntl(descriptor, F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ"));
  const std::string filling(capacity - std::min(room, capacity), '#');
  checked(static_cast<int>(::write(descriptor, filling.data(), filling.size())), "write");
  return filling.size();
}

}  // namespace

Subprocess::Subprocess(const std::filesystem::path& program, const ProgramSettings& settings) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  checked(::pipe2(out.data(), O_CLOEXEC), "pipe");
  checked(::pipe2(err.data(), O_CLOEXEC), "pipe");
  if (settings.pipe_room) filled_ = fill_pipe(out[1], *settings.pipe_room);
  process_ = checked(::fork(), "fork");
  if (process_ == 0) {
    int output = out[1];
    if (!settings.standard_output.empty()) output = ::open(settings.standard_output.c_str(), O_WRONLY | O_CLOEXEC);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (settings.close_standard_output) ::close(STDOUT_FILENO);
    execute(program, settings);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

Subprocess::~Subprocess() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    exit_code_of(process_);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Subprocess::send(int signal) const { checked(::kill(process_, signal), "kill"); }

void Subprocess::stop_reading() {
  ::close(out_);
  out_ = -1;
}

ProgramResult Subprocess::finish() {
  ProgramResult result;
  std::array<pollfd, 2> streams = {{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (::poll(streams.data(), streams.size(), -1) < 0 && errno != EINTR) checked(-1, "poll");
    if (streams[0].revents != 0 && !read_some(out_, result.out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !read_some(err_, result.err)) streams[1].fd = -1;
  }
  result.out.erase(0, filled_);
  result.exit_code = exit_code_of(process_);
  process_ = -1;
  return result;
}

ProgramResult run_program(const std::filesystem::path& program, const ProgramSettings& settings) {
  return Subprocess(program, settings).finish();
}

ProgramResult run_on_terminal(const std::filesystem::path& program, const ProgramSettings& settings, int columns) {
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(columns);
  int terminal = -1;
  const pid_t process = checked(::forkpty(&terminal, nullptr, nullptr, &size), "forkpty");
  if (process == 0) execute(program, settings);
  ProgramResult result;
  while (read_some(terminal, result.out)) {
  }
  result.exit_code = exit_code_of(process);
  ::close(terminal);
  return result;
}

}  // namespace touchstone::test
