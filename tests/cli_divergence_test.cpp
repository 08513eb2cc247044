// SPDX-License-Identifier: Apache-2.0
// touchstone divergence: what it computes from files, models and data sets, and what it refuses.
#include <cmath>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

using nlohmann::json;

class CliDivergence : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    write("p.json", R"({"mean": [1, 2], "covariance": [[2, 1], [1, 2]]})");
    write("q.json", R"({"mean": [0, 0], "covariance": [[1, 0], [0, 1]]})");
    write("three.json", R"({"mean": [0, 0, 0], "covariance": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]})");
  }

  void refuses(const std::vector<std::string>& arguments, int code, const std::string& part) const {
    std::vector<std::string> all = {"divergence"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    expect_error(run(all), code, part);
  }
};

TEST_F(CliDivergence, TwoGaussians) {
  const json result = run_json({"divergence", "p.json", "q.json"});
  EXPECT_NEAR(result["kl"], (4 + 5 - 2 - std::log(3.0)) / 2, 1e-15);
  EXPECT_NEAR(result["reverse_kl"], (4.0 / 3 + 2 - 2 + std::log(3.0)) / 2, 1e-15);
  EXPECT_EQ(result["jeffreys"], result["kl"].get<double>() + result["reverse_kl"].get<double>());
  EXPECT_GT(result["jensen_shannon"], 0);
  EXPECT_LT(result["jensen_shannon"], std::log(2.0));
  const json swapped = run_json({"divergence", "q.json", "p.json"});
  EXPECT_EQ(swapped["kl"], result["reverse_kl"]);
  EXPECT_EQ(run_json({"divergence", "p.json", "p.json"})["kl"], 0);
  const std::string text = run({"divergence", "p.json", "q.json"}).out;
  EXPECT_NE(text.find("KL(P || Q)      2.95069385566595 nats\n"), std::string::npos) << text;
}

TEST_F(CliDivergence, TwoSampleFiles) {
  write("a.csv", "x,y\n1,2\n3,6\n5,4\n");  // mean (3,4), covariance [[4,2],[2,4]]
  write("b.csv", "0 1\n1 0\n-1 0\n0 -1\n");
  write("a.json", R"({"mean": [3, 4], "covariance": [[4, 2], [2, 4]]})");
  const json samples = run_json({"divergence", "a.csv", "b.csv"});
  EXPECT_EQ(samples["kl"], run_json({"divergence", "a.json", "b.csv"})["kl"]);
  EXPECT_NE(samples["kl"], run_json({"divergence", "a.csv", "b.csv", "--divisor", "ml"})["kl"]);
  EXPECT_NE(samples["kl"], run_json({"divergence", "a.csv", "b.csv", "--shrinkage", "auto"})["kl"]);
  EXPECT_NE(samples["kl"], run_json({"divergence", "a.csv", "b.csv", "--shrinkage", "0.5"})["kl"]);
}

TEST_F(CliDivergence, ClassesOfAModel) {
  ASSERT_EQ(run(train_arguments()).exit_code, 0);
  const json result = run_json({"divergence", "data", "--model", "run", "--plot", "kl.png"});
  const std::size_t classes = result["classes"].size();
  ASSERT_GE(classes, 2U);
  ASSERT_EQ(result["kl"].size(), classes);
  for (std::size_t p = 0; p < classes; ++p) {
    ASSERT_EQ(result["kl"][p].size(), classes);
    EXPECT_EQ(result["kl"][p][p], 0);
  }
  EXPECT_EQ(result["direction"], "kl[p][q] = KL(p || q) in nats: row p, column q");
  EXPECT_EQ(read("kl.png").substr(1, 3), "PNG");
  EXPECT_EQ(result["most_alike"]["jeffreys"],
            result["most_alike"]["kl"].get<double>() + result["most_alike"]["reverse_kl"].get<double>());
  const std::string text = run({"divergence", "data", "--model", "run"}).out;
  EXPECT_NE(text.find("KL(p || q) in nats (rows: p; columns: q)\n"), std::string::npos) << text;
  EXPECT_EQ(run_json({"divergence", "data", "--model", "run", "--device", "cpu", "--threads", "3"})["kl"],
            result["kl"]);
}

TEST_F(CliDivergence, DriftOfData) {
  ASSERT_EQ(run(train_arguments()).exit_code, 0);
  const json result = run_json({"divergence", "--model", "run", "--reference", "data", "--against", "data"});
  EXPECT_EQ(result["kl"], 0);
  EXPECT_EQ(result["p_value"], 1);
  EXPECT_EQ(result["drift"], false);
  const ProgramResult text =
      run({"divergence", "--model", "run", "--reference", "data", "--against", "data", "--permutations", "19"});
  EXPECT_NE(text.out.find("no drift: the data differ"), std::string::npos) << text.out << text.err;
}

TEST_F(CliDivergence, RefusesBadFiles) {
  write("text.json", "{\"mean\": [1");
  write("nan.json", R"({"mean": [NaN], "covariance": [[1]]})");
  write("no_mean.json", R"({"covariance": [[1]]})");
  write("word.json", R"({"mean": [1, "two"], "covariance": [[1, 0], [0, 1]]})");
  write("flat.json", R"({"mean": [1, 2], "covariance": [1, 0, 0, 1]})");
  write("ragged.json", R"({"mean": [1, 2], "covariance": [[1, 0], [0]]})");
  write("skew.json", R"({"mean": [0, 0], "covariance": [[1, 0.5], [0.2, 1]]})");
  write("indefinite.json", R"({"mean": [0, 0], "covariance": [[1, 2], [2, 1]]})");
  write("few.csv", "1,2\n3,4\n");
  write("nan.csv", "1,2\n3,nan\n5,7\n");
  write("constant.csv", "1,2\n3,2\n5,2\n");
  refuses({"text.json", "q.json"}, 1, "not JSON from byte");
  refuses({"nan.json", "q.json"}, 1, "with finite numbers");
  refuses({"no_mean.json", "q.json"}, 1, "no \"mean\" in it");
  refuses({"word.json", "q.json"}, 1, "element 1 is \"two\"; expected a number");
  refuses({"flat.json", "q.json"}, 1, "needs as many rows; got 4");
  refuses({"ragged.json", "q.json"}, 1, "row 1 of the covariance has 1 elements; expected 2");
  refuses({"skew.json", "q.json"}, 1, "is not symmetric: element [1,0] is 0.2");
  refuses({"indefinite.json", "q.json"}, 1, "eigenvalue 1 of 2, in ascending order, is -1");
  refuses({"p.json", "three.json"}, 1, "has 2 dimensions and 'three.json' has 3");
  refuses({"few.csv", "q.json"}, 1, "2 samples of 2 dimensions; expected at least 3");
  refuses({"nan.csv", "q.json"}, 1, "dimension 1 of sample 1 is nan");
  refuses({"constant.csv", "q.json"}, 1, "dimension 1 is constant (zero variance)");
  refuses({"missing.npy", "q.json"}, 1, "no such file");
}

TEST_F(CliDivergence, RefusesFormsThatDoNotGoTogether) {
  refuses({}, 2, "two files are missing");
  refuses({"p.json"}, 2, "two files are missing");
  refuses({"p.json", "q.json", "--plot", "kl.png"}, 2, "--plot: only with --model");
  refuses({"p.json", "q.json", "--permutations", "99"}, 2, "--permutations: only with --reference and --against");
  refuses({"a", "b", "--model", "m"}, 2, "at most one argument");
  refuses({"--model", "m", "--reference", "mnist"}, 2, "--reference needs --against DATA");
  refuses({"--model", "m", "--against", "mnist"}, 2, "--against needs --reference DATA");
  refuses({"--reference", "mnist", "--against", "mnist"}, 2, "need --model MODEL");
  refuses({"p.json", "q.json", "--shrinkage", "2"}, 2, "--shrinkage: expected none, auto or a number from 0 to 1");
  refuses({"p.json", "q.json", "--samples", "1"}, 2, "--samples: expected a whole number");
}

}  // namespace
}  // namespace touchstone::test
