// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace touchstone::test {

/// How a program is started.
struct ProgramSettings {
  std::vector<std::string> arguments;
  std::filesystem::path directory = ".";
  /// Variables to set (or, without a value, to unset) in the environment that the test runs in. Those that change what
  /// terminals show (NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG) are unset to begin with.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment;
  std::string standard_output;         ///< a file to write to instead of a pipe
  bool close_standard_output = false;  ///< as `touchstone >&-` in a shell
  /// How many bytes the pipe takes before the program stands still until it is read: where a test wants to interrupt
  /// it. At most 4096.
  std::optional<std::size_t> pipe_room;
  std::optional<std::size_t> file_size_limit;  ///< bytes that a file may have: as if the disk were full then
};

/// What a program did. `exit_code` is -N where signal N ended it.
struct ProgramResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// A running program whose output goes to pipes.
class Subprocess {
 public:
  Subprocess(const std::filesystem::path& program, const ProgramSettings& settings);
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  ~Subprocess();

  void send(int signal) const;
  /// Closes the reading end of its standard output: `touchstone | true`.
  void stop_reading();
  /// Reads all that it writes, and waits for its end.
  ProgramResult finish();

 private:
  pid_t process_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::size_t filled_ = 0;  ///< bytes that were in the pipe before the program started
};

/// Runs a program to its end.
ProgramResult run_program(const std::filesystem::path& program, const ProgramSettings& settings);

/// Runs a program on a terminal `columns` wide; `out` is all that it shows there.
ProgramResult run_on_terminal(const std::filesystem::path& program, const ProgramSettings& settings, int columns = 80);

}  // namespace touchstone::test
