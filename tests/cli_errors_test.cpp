// SPDX-License-Identifier: Apache-2.0
// Bad input through the whole program: one clear line, exit code 1, and nothing is left behind.
#include <functional>

#include <unistd.h>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

class CliErrors : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    ASSERT_EQ(run({"train", "data", "--network", "tiny.toml", "--epochs", "1", "--out", "good", "--quiet"}).exit_code,
              0);
    before_ = names();
  }

  /// Runs, expects the error, and that the folder holds what it held.
  void expect_refused(std::vector<std::string> arguments, const std::string& part) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    arguments.emplace_back("--quiet");  // what train says of the run before it fails is no concern of these tests
    expect_error(run(arguments), 1, part);
    EXPECT_EQ(names(), before_);
  }

  /// Puts `contents` in the place of one of the data set's files for one attempt to train.
  void expect_data_refused(const std::string& file, const std::string& contents, const std::string& part) {
    const std::string kept = read("data/" + file);
    write("data/" + file, contents);
    expect_refused({"train", "data", "--network", "tiny.toml", "--out", "run"}, part);
    write("data/" + file, kept);
  }

  void expect_network_refused(const std::string& from, const std::string& to, const std::string& part) {
    std::string toml(tiny_network_toml);
    ASSERT_NE(toml.find(from), std::string::npos);
    toml.replace(toml.find(from), from.size(), to);
    write("tiny.toml", toml);
    expect_refused({"train", "data", "--network", "tiny.toml", "--out", "run"}, part);
    write("tiny.toml", tiny_network_toml);
  }

  std::vector<std::string> before_;
};

constexpr const char* images = "train-images-idx3-ubyte";
constexpr const char* labels = "train-labels-idx1-ubyte";

TEST_F(CliErrors, Data) {
  const std::string good_images = read(std::string("data/") + images);
  const std::string good_labels = read(std::string("data/") + labels);
  expect_data_refused(images, "", images);
  expect_data_refused(images, good_images.substr(0, 9), images);
  expect_data_refused(images, good_images.substr(0, good_images.size() - 1), images);
  expect_data_refused(images, good_images + "x", images);
  expect_data_refused(images, "\x1f\x8b" + good_images, images);
  std::string corrupt = gzip(good_images);
  corrupt[corrupt.size() / 2] = static_cast<char>(corrupt[corrupt.size() / 2] ^ 0x55);
  expect_data_refused(images, corrupt, images);
  expect_data_refused(images, "PK" + good_images.substr(2), images);
  expect_data_refused(images, idx_header({48, 6, 7}, 0x0D) + good_images.substr(16), images);
  expect_data_refused(images, idx_header({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}), "4294967295");
  expect_data_refused(images, idx_header({48, 0, 7}), images);
  expect_data_refused(labels, idx_header({47}) + good_labels.substr(8, 47), "47");
  expect_data_refused(labels, good_labels.substr(0, 55) + "\x7f", "127");
  expect_data_refused(labels, good_images, labels);
  expect_data_refused("t10k-images-idx3-ubyte", idx_header({20, 7, 6}) + std::string(20 * 42, 'x'), "7");
  expect_refused({"train", "nowhere", "--network", "tiny.toml"}, "nowhere: no such directory");
  expect_refused({"train", "good", "--network", "tiny.toml"}, "good");
  expect_refused({"train", "data", "--network", "seed"}, "1x28x28");
}

TEST_F(CliErrors, Networks) {
  expect_network_refused("epochs = 4", "epoch = 4", "epoch");
  expect_network_refused("filters = 3", "filters = \"three\"", "filters");
  expect_network_refused("kernel = 3", "kernel = 9", "conv1");
  expect_network_refused("input = [1, 6, 7]", "input = [1, 6", "tiny.toml");
  expect_network_refused("type = \"sigmoid\"", "type = \"sigmoidal\"", "sigmoid");
}

TEST_F(CliErrors, Models) {
  const std::string model = read("good/model.safetensors");
  before_.emplace_back("bad.safetensors");
  std::sort(before_.begin(), before_.end());
  const auto refuse = [this](const std::string& contents, const std::string& part) {
    write("bad.safetensors", contents);
    expect_refused({"eval", "bad.safetensors", "data"}, part);
    expect_refused({"info", "bad.safetensors"}, part);
    expect_refused({"train", "data", "--network", "tiny.toml", "--out", "run", "--init", "bad.safetensors"}, part);
  };
  refuse("", "bad.safetensors");
  refuse(model.substr(0, 20), "bad.safetensors");
  refuse(model.substr(0, model.size() - 1), "bad.safetensors");
  std::string moved = model;
  const std::size_t offsets = moved.find("data_offsets\":[") + 15;
  moved[offsets] = '7';
  refuse(moved, "bad.safetensors");
  expect_refused({"eval", "missing.safetensors"}, "missing.safetensors");
  expect_refused({"eval", "data"}, "data: no model.safetensors in this directory");
  expect_refused({"eval", "good", "mnist"}, "1x28x28");
  expect_refused({"train", "--network", "seed", "--init", "good/model.safetensors", "--out", "run"}, "conv1");
}

TEST_F(CliErrors, Runs) {
  expect_refused({"train", "--resume", "data"}, "data holds no run");
  expect_refused({"train", "--resume", "nowhere"}, "nowhere holds no run");
  const std::string checkpoint = read("good/checkpoint.safetensors");
  write("good/checkpoint.safetensors", checkpoint.substr(0, checkpoint.size() / 2));
  expect_refused({"train", "--resume", "good", "--epochs", "2"}, "checkpoint.safetensors");
  write("good/checkpoint.safetensors", checkpoint);
  write("good/config.toml", "nonsense = 1\n");
  expect_refused({"train", "--resume", "good"}, "config.toml");
  write("file", "");
  before_ = names();
  expect_refused({"train", "data", "--network", "tiny.toml", "--out", "file"}, "file");
  expect_refused({"train", "data", "--network", "tiny.toml", "--out", "file/run"}, "file");
}

TEST_F(CliErrors, ALossThatIsNoNumberLeavesNoRun) {
  expect_refused({"train", "data", "--network", "tiny.toml", "--out", "deep/er/run", "--learning-rate", "1e38"},
                 "smaller learning rate");
}

TEST_F(CliErrors, UnwritableDisk) {
  if (::geteuid() != 0) {
    std::filesystem::permissions(folder() / "data",
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    expect_refused({"train", "data", "--network", "tiny.toml", "--out", "data/run"}, "data/run");
    std::filesystem::permissions(folder() / "data", std::filesystem::perms::owner_all);
  }
  expect_refused({"train", "data", "--network", "tiny.toml", "--out", "/proc/run"}, "/proc/run");
}

TEST_F(CliErrors, FullDisk) {
  // The first is too little for config.toml, the second for what follows the first epoch.
  for (const std::size_t limit : {std::size_t{100}, std::size_t{1200}}) {
    ProgramSettings start = settings({"train", "data", "--network", "tiny.toml", "--out", "run", "--quiet"});
    start.file_size_limit = limit;
    expect_error(run_program(TOUCHSTONE_PROGRAM, start), 1, "cannot write");
    EXPECT_EQ(names(), before_);
  }
}

}  // namespace
}  // namespace touchstone::test
