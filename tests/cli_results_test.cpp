// SPDX-License-Identifier: Apache-2.0
// eval, predict and info: what they tell about data, models and networks.
#include <numeric>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

using ::nlohmann::json;

class CliResults : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    trained_ = run_json(train_arguments());
  }

  /// A PGM file of the network's own size, bright in the columns of `label`.
  void write_picture(const std::string& name, int label) const {
    std::string pixels;
    for (int i = 0; i < 42; ++i) pixels.push_back(static_cast<char>((i % 7) / 2 == label ? 170 : 50));
    write(name, "P5\n7 6\n255\n" + pixels);
  }

  json trained_;
};

TEST_F(CliResults, EvalAgreesWithTraining) {
  const json evaluation = run_json({"eval", "run/model.safetensors", "data"});
  EXPECT_EQ(evaluation["test_accuracy"], trained_["test_accuracy"]);
  EXPECT_EQ(evaluation["count"], 20);
  const auto confusion = evaluation["confusion_matrix"].get<std::vector<std::vector<int>>>();
  ASSERT_EQ(confusion.size(), 3U);
  int correct = 0;
  int all = 0;
  for (std::size_t label = 0; label < 3; ++label) {
    correct += confusion[label][label];
    all = std::accumulate(confusion[label].begin(), confusion[label].end(), all);
    EXPECT_EQ(evaluation["per_class"][label]["count"],
              std::accumulate(confusion[label].begin(), confusion[label].end(), 0));
  }
  EXPECT_EQ(all, 20);
  EXPECT_DOUBLE_EQ(evaluation["test_accuracy"], correct / 20.0);
}

TEST_F(CliResults, EvalOfARunTakesTheDataOfTheRun) {
  EXPECT_EQ(run_json({"eval", "run"})["dataset"], "data");
  EXPECT_EQ(run_json({"eval", "run", "--split", "train"})["count"], 48);
  const std::string text = run({"eval", "run"}).out;
  for (const char* part : {"accuracy  ", "of 20 images", "precision", "confusion"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST_F(CliResults, PredictRanksTheClasses) {
  write_picture("a.pgm", 0);
  write_picture("b.pgm", 2);
  const json predictions = run_json({"predict", "run", "a.pgm", "b.pgm"});
  ASSERT_EQ(predictions.size(), 2U);
  for (const json& prediction : predictions) {
    ASSERT_EQ(prediction["top"].size(), 3U);
    EXPECT_EQ(prediction["class"], prediction["top"][0]["class"]);
    EXPECT_GE(prediction["top"][0]["probability"], prediction["top"][1]["probability"]);
    double sum = 0;
    for (const json& place : prediction["top"]) sum += place["probability"].get<double>();
    EXPECT_NEAR(sum, 1, 1e-6);  // three classes: the top three are all of them
  }
  EXPECT_EQ(predictions[1]["image"], "b.pgm");
  const std::string text = run({"predict", "run", "a.pgm", "--preview"}).out;
  EXPECT_NE(text.find("a.pgm"), std::string::npos);
  EXPECT_NE(text.find("probability"), std::string::npos);
}

TEST_F(CliResults, PredictGoesOnAfterABadPicture) {
  write_picture("a.pgm", 0);
  write("bad.png", "not a picture");
  const ProgramResult text = run({"predict", "run", "a.pgm", "bad.png", "missing.png", "a.pgm"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_EQ(std::count(text.err.begin(), text.err.end(), '\n'), 2) << text.err;
  EXPECT_NE(text.err.find("bad.png"), std::string::npos);
  EXPECT_NE(text.err.find("missing.png"), std::string::npos);
  EXPECT_NE(text.out.find("a.pgm"), text.out.rfind("a.pgm")) << text.out;
  const ProgramResult data = run({"predict", "run", "a.pgm", "bad.png", "--json"});
  EXPECT_EQ(data.exit_code, 1);
  const json predictions = parse_json(data.out);
  EXPECT_TRUE(predictions[0].contains("class"));
  EXPECT_TRUE(predictions[1]["error"].is_string());
}

TEST_F(CliResults, InfoDescribesNetworks) {
  const json seed = run_json({"info", "seed"});
  // 8*25+8 + 16*8*25+16 + 10*256+10
  EXPECT_EQ(seed["parameters"], 5994);
  EXPECT_EQ(seed["layers"].size(), 8U);
  EXPECT_EQ(seed["layers"][0]["output"], json::array({8, 24, 24}));
  EXPECT_EQ(seed["layers"][7]["output"], json::array({10}));
  EXPECT_EQ(seed["multiply_adds"], 8 * 576 * 25 + 16 * 64 * 200 + 2560);
  const std::string text = run({"info", "seed"}).out;
  for (const char* part : {"conv1", "8x24x24", "5,994", "115,200", "total", "23.4 KiB"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(run_json({"info", "tiny.toml"})["name"], "tiny");
}

TEST_F(CliResults, InfoDescribesModelsAndData) {
  const json model = run_json({"info", "run"});
  EXPECT_EQ(model["file"], "run/model.safetensors");
  EXPECT_TRUE(model["normalisation"]["std"].is_number());
  EXPECT_EQ(run_json({"info", "run/model.safetensors"})["parameters"], 69);
  const json data = run_json({"info", "data"});
  EXPECT_EQ(data["shape"], json::array({1, 6, 7}));
  EXPECT_EQ(data["classes"], 3);
  const auto per_class = data["training"]["per_class"].get<std::vector<int>>();
  EXPECT_EQ(std::accumulate(per_class.begin(), per_class.end(), 0), 48);
  EXPECT_EQ(data["test"]["count"], 20);
  EXPECT_EQ(data["normalisation"], model["normalisation"]);
}

TEST_F(CliResults, InfoGivesAnOverview) {
  const json overview = run_json({"info"});
  EXPECT_EQ(overview["networks"][0]["name"], "seed");
  EXPECT_EQ(overview["devices"], run_json({"info", "devices"}));
  const std::string text = run({"info"}).out;
  for (const char* part : {"touchstone 0.1.0", "cuda:0", "cpu", "emulated", "emulated:1", "reference", "seed", "wide",
                           "autoencoder-tied"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace touchstone::test
