// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "idx_bytes.h"
#include "subprocess.h"
#include "temporary_directory.h"
#include "tiny_data.h"

namespace touchstone::test {

/// Runs the program in a folder of its own that holds a tiny data set (data/) and a network for it (tiny.toml).
class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder() / "data");
    write_pair("train", *tiny_dataset_.training);
    write_pair("t10k", *tiny_dataset_.test);
    write("tiny.toml", tiny_network_toml);
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return directory_.path(); }
  std::filesystem::path write(std::string_view name, std::string_view contents) const {
    return directory_.write(name, contents);
  }
  [[nodiscard]] std::string read(std::string_view name) const { return read_file(folder() / name); }
  [[nodiscard]] bool exists(std::string_view name) const { return std::filesystem::exists(folder() / name); }

  [[nodiscard]] ProgramSettings settings(std::vector<std::string> arguments) const {
    ProgramSettings settings;
    settings.arguments = std::move(arguments);
    settings.directory = folder();
    return settings;
  }
  [[nodiscard]] ProgramResult run(std::vector<std::string> arguments) const {
    return run_program(TOUCHSTONE_PROGRAM, settings(std::move(arguments)));
  }

  /// `touchstone train` of the tiny network on the tiny data; `more` goes at the end.
  [[nodiscard]] static std::vector<std::string> train_arguments(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train", "data", "--network", "tiny.toml", "--out", "run", "--epochs", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// The value that a run which has to succeed prints with --json.
  [[nodiscard]] nlohmann::json run_json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const ProgramResult result = run(std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return parse_json(result.out);
  }

  [[nodiscard]] static nlohmann::json parse_json(const std::string& text) {
    nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
    EXPECT_FALSE(value.is_discarded()) << text;
    return value;
  }

  /// What stands in the folder, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  void write_pair(const std::string& prefix, const ImageSet& images) const {
    const auto count = static_cast<std::uint32_t>(images.count);
    const auto height = static_cast<std::uint32_t>(images.shape.height);
    const auto width = static_cast<std::uint32_t>(images.shape.width);
    write("data/" + prefix + "-images-idx3-ubyte",
          idx_header({count, height, width}) + std::string(images.pixels.begin(), images.pixels.end()));
    write("data/" + prefix + "-labels-idx1-ubyte",
          idx_header({count}) + std::string(images.labels.begin(), images.labels.end()));
  }

  TemporaryDirectory directory_;
  Dataset tiny_dataset_ = tiny_dataset(48, 20);
};

/// Expects one line on standard error that begins as errors do, and nothing on standard output.
inline void expect_error(const ProgramResult& result, int exit_code, const std::string& part) {
  EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.rfind("touchstone: error: ", 0), 0U) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_NE(result.err.find(part), std::string::npos) << result.err << "should hold: " << part;
}

}  // namespace touchstone::test
