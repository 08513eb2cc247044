// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "touchstone/error.h"

namespace touchstone::test {

/// A path as messages show it.
inline std::string in_quotes(const std::filesystem::path& path) {
  std::string text = "'";
  text += path.string();
  text += '\'';
  return text;
}

/// The message of the Error that `action` throws, which must be one line; a failed expectation where it throws none.
template <class Action>
std::string error_message(Action action) {
  try {
    action();
  } catch (const Error& error) {
    std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  ADD_FAILURE() << "expected an Error, got none";
  return "";
}

}  // namespace touchstone::test
