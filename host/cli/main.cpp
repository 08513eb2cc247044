// SPDX-License-Identifier: Apache-2.0
#include "host/cli/program.h"

int main(int argc, char** argv) { return touchstone::cli::run_program(argc, argv); }
