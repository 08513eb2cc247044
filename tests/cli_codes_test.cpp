// SPDX-License-Identifier: Apache-2.0
// touchstone encode and touchstone reconstruct: what they write and what they refuse; what eval says of autoencoders.
#include <cmath>

#include "cli_fixture.h"
#include "host/data/sample_file.h"
#include "touchstone/image.h"
#include "touchstone/training.h"

namespace touchstone::test {
namespace {

using nlohmann::json;

constexpr const char* autoencoder_toml = R"(name = "tiny-autoencoder"
input = [1, 6, 7]
loss = "half-squared-error"
layers = [{type = "flatten"}, {type = "dense", units = 5}, {type = "dense", units = 42}]
[training]
epochs = 3
batch_size = 8
optimizer = "adam"
learning_rate = 0.01
)";

class CliCodes : public CliTest {
 protected:
  void train_classifier() const { ASSERT_EQ(run(train_arguments()).exit_code, 0); }
  void train_autoencoder(const std::string& toml = autoencoder_toml) const {
    write("autoencoder.toml", toml);
    const ProgramResult result = run({"train", "data", "--network", "autoencoder.toml", "--out", "run"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
};

TEST_F(CliCodes, EncodeWritesWhatTheLibraryGives) {
  train_classifier();
  const json result = run_json({"encode", "run", "--out", "codes.npy", "--device", "reference"});
  EXPECT_EQ(result["count"], 20);
  EXPECT_EQ(result["split"], "test");
  EXPECT_EQ(result["network"], "tiny");
  EXPECT_EQ(result["out"], "codes.npy");
  const SampleMatrix written = load_samples(folder() / "codes.npy");
  const Codes codes =
      encode(Model::load(folder() / "run/model.safetensors"), tiny_dataset(48, 20).test, {.name = "reference"});
  EXPECT_EQ(written.count, codes.count);
  EXPECT_EQ(written.dimensions, codes.size);
  EXPECT_EQ(result["dimensions"], codes.size);
  EXPECT_EQ(written.values, std::vector<double>(codes.values.begin(), codes.values.end()));
}

TEST_F(CliCodes, EncodeTakesASplitAndAnyName) {
  train_autoencoder();
  const ProgramResult result = run({"encode", "run/model.safetensors", "data", "--split", "train", "--out", "codes"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("codes     48 of 5 values, as a NumPy array of float32 in codes\n"), std::string::npos)
      << result.out;
  const SampleMatrix written = load_samples(folder() / "codes");
  EXPECT_EQ(written.count, 48);
  EXPECT_EQ(written.dimensions, 5);
}

TEST_F(CliCodes, CodesCanBeCompared) {
  train_autoencoder();
  ASSERT_EQ(run({"encode", "run", "--out", "test.npy"}).exit_code, 0);
  ASSERT_EQ(run({"encode", "run", "--split", "train", "--out", "train.npy"}).exit_code, 0);
  EXPECT_GT(run_json({"divergence", "test.npy", "train.npy"})["kl"], 0);
  EXPECT_EQ(run_json({"divergence", "--model", "run", "data"})["dimensions"], 5);
  const json drift = run_json({"divergence", "--model", "run", "--reference", "data", "--against", "data"});
  EXPECT_EQ(drift["dimensions"], 5);
  EXPECT_EQ(drift["drift"], false);
}

TEST_F(CliCodes, ReconstructDrawsPairs) {
  train_autoencoder();
  const json result = run_json({"reconstruct", "run", "--count", "3", "--out", "grid.png"});
  EXPECT_EQ(result["count"], 3);
  const Picture picture = load_picture(folder() / "grid.png");
  EXPECT_EQ(result["width"], picture.width);
  EXPECT_EQ(result["height"], picture.height);
  EXPECT_EQ(picture.channels, 1);
  // Pixels become squares of 9: the first image stands 12 from the edges, its reconstruction 4 below.
  const SharedImageSet images = tiny_dataset(48, 20).test;
  const Model model = Model::load(folder() / "run/model.safetensors");
  const std::vector<float> reconstructions = reconstruct(model, images);
  for (std::int64_t row = 0; row < 6; ++row) {
    for (std::int64_t column = 0; column < 7; ++column) {
      const std::int64_t place = (12 + 9 * row + 4) * picture.width + 12 + 9 * column + 4;
      const auto element = static_cast<std::size_t>(7 * row + column);
      EXPECT_EQ(picture.pixels[static_cast<std::size_t>(place)], images->pixels[element]);
      EXPECT_EQ(picture.pixels[static_cast<std::size_t>(place + (9 * 6 + 4) * picture.width)],
                model.normalisation.pixel(reconstructions[element]));
    }
  }
  EXPECT_EQ(run_json({"reconstruct", "run", "--count", "100", "--out", "all.png"})["count"], 20);
}

TEST_F(CliCodes, EvalSetsALinearAutoencoderBesidePca) {
  train_autoencoder();
  const json result = run_json({"eval", "run", "--split", "train"});
  EXPECT_EQ(result["pca"]["components"], 5);
  EXPECT_EQ(result["pca"]["fitted_images"], 48);
  EXPECT_LT(result["pca"]["loss"], result["test_loss"]);
  EXPECT_EQ(result["pca"]["angles"].size(), 5U);
  EXPECT_LE(result["pca"]["largest_angle"], 90);
  const std::string text = run({"eval", "run"}).out;
  EXPECT_NE(text.find("\nPCA       "), std::string::npos) << text;
  EXPECT_NE(text.find(" with 5 components of 48 training images"), std::string::npos) << text;
  EXPECT_NE(text.find("\nangles    "), std::string::npos) << text;
}

TEST_F(CliCodes, EvalLeavesPcaOutWhereItSaysNothing) {
  std::string toml = autoencoder_toml;
  toml.replace(toml.find("{type = \"dense\", units = 42}"), 0, "{type = \"sigmoid\"}, ");
  train_autoencoder(toml);
  EXPECT_EQ(run({"eval", "run"}).out.find("PCA"), std::string::npos);
  EXPECT_FALSE(run_json({"eval", "run"}).contains("pca"));
}

TEST_F(CliCodes, Refusals) {
  train_classifier();
  expect_error(run({"encode"}), 2, "MODEL is missing");
  expect_error(run({"encode", "run"}), 2, "--out FILE is missing");
  expect_error(run({"encode", "run", "--out", "no/such/codes.npy"}), 1, "no/such/codes.npy: cannot write");
  expect_error(run({"encode", "missing.safetensors", "--out", "codes.npy"}), 1, "missing.safetensors");
  expect_error(run({"reconstruct"}), 2, "MODEL is missing");
  expect_error(run({"reconstruct", "run"}), 2, "--out FILE is missing");
  expect_error(run({"reconstruct", "run", "--out", "grid.png"}), 1, "`tiny` is a classifier");
  expect_error(run({"reconstruct", "run", "--out", "grid.png", "--count", "0"}), 2, "--count: expected a whole number");
  EXPECT_FALSE(exists("grid.png"));
}

TEST_F(CliCodes, ReconstructRefusesAnUnwritablePlace) {
  train_autoencoder();
  expect_error(run({"reconstruct", "run", "--out", "no/such/grid.png"}), 1, "no/such/grid.png: cannot write");
}

}  // namespace
}  // namespace touchstone::test
