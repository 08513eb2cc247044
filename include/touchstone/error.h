// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace touchstone {

/// Something went wrong that the caller can read about: a file, a shape, a device. The message is one line that
/// names what was concerned, what was expected and what came. The program exits with code 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A device failed at what it had accepted: a kernel or a copy went wrong, and its memory may be gone with it.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A setting is outside what it accepts (an unknown name, a number out of range). The program exits with code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace touchstone
