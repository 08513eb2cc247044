// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace touchstone::cli {

/// Exit codes of the program.
enum ExitCode : int {
  exit_success = 0,
  exit_failure = 1,        ///< something that was asked for could not be done
  exit_usage = 2,          ///< the command line asks for something that does not exist
  exit_interrupted = 130,  ///< stopped by SIGINT or SIGTERM, after saving
};

/// The whole program: never throws, whatever it is given.
int run_program(int argc, char** argv) noexcept;

}  // namespace touchstone::cli
