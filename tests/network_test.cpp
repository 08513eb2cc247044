// SPDX-License-Identifier: Apache-2.0
#include "touchstone/network.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

using test::error_message;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string parse_error(const std::string& toml) {
  const std::string message = error_message([&] { Network::parse(toml, "n.toml"); });
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

/// A description around the given layers, whose first line is line 3.
std::string with_layers(const std::string& layers) { return "name = \"n\"\ninput = [3, 20, 30]\n" + layers; }

const std::string dense_tail = "[[layers]]\ntype = \"flatten\"\n[[layers]]\ntype = \"dense\"\nunits = 7\n";

TEST(Network, SeedHasTheShapesOfItsDescription) {
  const Network seed = Network::named("seed");
  ASSERT_EQ(seed.layers().size(), 8U);
  EXPECT_EQ(seed.input(), (ImageShape{1, 28, 28}));
  EXPECT_EQ(seed.layers()[0].output, (ImageShape{8, 24, 24}));
  EXPECT_EQ(seed.layers()[2].output, (ImageShape{8, 12, 12}));
  EXPECT_EQ(seed.layers()[3].output, (ImageShape{16, 8, 8}));
  EXPECT_EQ(seed.layers()[5].output, (ImageShape{16, 4, 4}));
  EXPECT_EQ(seed.layers()[6].output, (ImageShape{256, 1, 1}));
  EXPECT_TRUE(seed.layers()[6].output_flat);
  EXPECT_EQ(seed.classes(), 10);
  EXPECT_EQ(seed.layers()[3].name, "conv2");
  EXPECT_EQ(seed.layers()[5].name, "pool2");
  // 8*25 + 8, 16*8*25 + 16, 10*256 + 10
  EXPECT_EQ(seed.parameter_count(), 208 + 3216 + 2570);
  // 8*24*24*25 + 16*8*8*200 + 2560
  EXPECT_EQ(seed.multiply_adds(), 115200 + 204800 + 2560);
}

TEST(Network, WideHasThirtyTwoAndSixtyFourFilters) {
  const Network wide = Network::named("wide");
  EXPECT_EQ(wide.parameter_count(), (32 * 25 + 32) + (64 * 32 * 25 + 64) + (10 * 1024 + 10));
  EXPECT_EQ(Network::names(), (std::vector<std::string>{"seed", "wide", "autoencoder", "autoencoder-tied"}));
}

TEST(Network, ReadsEveryKey) {
  const Network network = Network::parse(R"(
name = "odd"
description = "all keys"
input = [3, 20, 30]
[[layers]]
type = "conv2d"
name = "first"
filters = 5
kernel = [3, 4]
stride = [1, 2]
padding = [1, 3]
[[layers]]
type = "maxpool2d"
kernel = [3, 2]
stride = 2
padding = [1, 0]
[[layers]]
type = "flatten"
[[layers]]
type = "dense"
units = 4
[initialisation]
scheme = "he-normal"
gain = 1.5
[training]
epochs = 3
batch_size = 10
optimizer = "adamw"
learning_rate = 0.01
weight_decay = 0.1
beta1 = 0.8
beta2 = 0.9
epsilon = 1e-6
schedule = "one-cycle"
warmup = 7
decay_every = 2
decay_factor = 0.5
)",
                                         "odd.toml");
  // (20 + 2 - 3) / 1 + 1 = 20 and (30 + 6 - 4) / 2 + 1 = 17; then (20 + 2 - 3) / 2 + 1 = 10 and (17 - 2) / 2 + 1 = 8
  EXPECT_EQ(network.layers()[0].output, (ImageShape{5, 20, 17}));
  EXPECT_EQ(network.layers()[1].output, (ImageShape{5, 10, 8}));
  EXPECT_EQ(network.layers()[0].name, "first");
  EXPECT_EQ(network.layers()[0].parameters, 5 * (3 * 12 + 1));
  EXPECT_EQ(network.initialisation().scheme, InitialisationScheme::he_normal);
  EXPECT_EQ(network.initialisation().gain, 1.5);
  const TrainingRecipe& recipe = network.recipe();
  EXPECT_EQ(recipe.epochs, 3);
  EXPECT_EQ(recipe.batch_size, 10);
  EXPECT_EQ(recipe.learning_rate, 0.01);
  EXPECT_EQ(recipe.optimizer, (OptimizerSettings{.kind = OptimizerKind::adamw,
                                                 .momentum = 0,
                                                 .weight_decay = 0.1,
                                                 .beta1 = 0.8,
                                                 .beta2 = 0.9,
                                                 .epsilon = 1e-6}));
  EXPECT_EQ(recipe.schedule, (ScheduleSettings{ScheduleKind::one_cycle, 7, 2, 0.5}));
}

TEST(Network, NamingAnOptimizerTakesItsDefaults) {
  const auto recipe_of = [](const std::string& training) {
    return Network::parse(with_layers(dense_tail) + "[training]\n" + training, "n.toml").recipe();
  };
  const TrainingRecipe adamw = recipe_of("optimizer = \"adamw\"\n");
  EXPECT_EQ(adamw.learning_rate, 0.001);
  EXPECT_EQ(adamw.optimizer.weight_decay, 0.01);
  EXPECT_EQ(adamw.optimizer.momentum, 0);
  EXPECT_EQ(recipe_of("optimizer = \"adam\"\n").optimizer.weight_decay, 0);
}

TEST(Network, SaysWhereTheTomlIsBroken) {
  EXPECT_THAT(parse_error("name = \"n\"\ninput = [1, 2\n"), HasSubstr("n.toml:"));
  EXPECT_THAT(parse_error(""), HasSubstr("the key `name` is missing"));
}

TEST(Network, RefusesUnknownKeysAndValuesAndNamesTheNearest) {
  EXPECT_THAT(parse_error(with_layers(dense_tail) + "[trainning]\nepochs = 1\n"),
              AllOf(HasSubstr("`trainning`"), HasSubstr("did you mean `training`?")));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2d\"\nfilter = 3\nfilters = 3\nkernel = 3\n")),
              AllOf(HasSubstr("n.toml:5: layer 1 (conv1): `filter`: unknown key"), HasSubstr("`filters`")));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2\"\n")),
              AllOf(HasSubstr("n.toml:4: layer 1: `type`"), HasSubstr("did you mean `conv2d`?")));
  EXPECT_THAT(parse_error(with_layers(dense_tail) + "[training]\nschedule = \"cosin\"\n"),
              HasSubstr("did you mean `cosine`?"));
}

TEST(Network, RefusesWrongTypes) {
  EXPECT_THAT(parse_error("name = 3\n"), HasSubstr("`name`: expected a string, not the integer 3"));
  EXPECT_THAT(parse_error("name = \"n\"\ninput = [1, 28]\n"),
              HasSubstr("`input`: expected an array of 3 integers, not of 2 values"));
  EXPECT_THAT(parse_error("name = \"n\"\ninput = [1, 28, 0]\n"),
              HasSubstr("expected an integer of at least 1, not the integer 0"));
  EXPECT_THAT(parse_error("name = \"n\"\ninput = [1, 28, 28]\nlayers = 3\n"), HasSubstr("expected [[layers]] tables"));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2d\"\nfilters = 2.5\nkernel = 3\n")),
              HasSubstr("`filters`: expected an integer of at least 1, not the number 2.5"));
  EXPECT_THAT(parse_error(with_layers(dense_tail) + "[training]\nlearning_rate = \"fast\"\n"),
              HasSubstr("expected a number of at least 0, not the string \"fast\""));
  EXPECT_THAT(parse_error(with_layers(dense_tail) + "[training]\nlearning_rate = nan\n"), HasSubstr("`learning_rate`"));
}

TEST(Network, RefusesImpossibleShapesNamingTheLayerAndBothShapes) {
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2d\"\nfilters = 4\nkernel = [21, 3]\n")),
              AllOf(HasSubstr("layer 1 (conv1)"), HasSubstr("21x3"), HasSubstr("[3, 20, 30]")));
  EXPECT_THAT(
      parse_error(with_layers("[[layers]]\ntype = \"dense\"\nunits = 4\n")),
      AllOf(HasSubstr("layer 1 (dense1)"), HasSubstr("[1800]"), HasSubstr("[3, 20, 30]"), HasSubstr("flatten")));
  EXPECT_THAT(
      parse_error(with_layers("[[layers]]\ntype = \"flatten\"\n[[layers]]\ntype = \"maxpool2d\"\nkernel = 2\n")),
      AllOf(HasSubstr("layer 2 (pool1)"), HasSubstr("[1800]")));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2d\"\nfilters = 4\nkernel = 3\npadding = 3\n")),
              HasSubstr("`padding`"));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"maxpool2d\"\nkernel = 3\npadding = 2\n")),
              HasSubstr("half the kernel"));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"flatten\"\n")), HasSubstr("the last layer must be dense"));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"flatten\"\n[[layers]]\ntype = \"dense\"\nunits = 257\n")),
              HasSubstr("at most 256"));
}

TEST(Network, RefusesSizesThatOverflow) {
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2d\"\nfilters = 2147483647\nkernel = 20\n")),
              HasSubstr("at most 2147483648"));
  EXPECT_THAT(parse_error(with_layers("[[layers]]\ntype = \"conv2d\"\nfilters = 9223372036854775807\nkernel = 3\n")),
              HasSubstr("`filters`"));
  EXPECT_THAT(parse_error(with_layers(
                  "[[layers]]\ntype = \"conv2d\"\nfilters = 2\nkernel = 3\nstride = 9223372036854775807\n")),
              HasSubstr("`stride`"));
  EXPECT_THAT(parse_error("name = \"n\"\ninput = [1048576, 1048576, 1048576]\n"), HasSubstr("larger than supported"));
  EXPECT_THAT(parse_error("name = \"n\"\ninput = [1, 9223372036854775807, 2]\n"), HasSubstr("larger than supported"));
}

TEST(Network, RefusesASettingOutOfRange) {
  EXPECT_THAT(parse_error(with_layers(dense_tail) + "[training]\nmomentum = 1.5\n"), HasSubstr("momentum"));
  EXPECT_THAT(parse_error(with_layers(dense_tail) + "[training]\nlearning_rate = 0\n"), HasSubstr("learning rate"));
}

TEST(Network, RefusesALayerNameTwice) {
  EXPECT_THAT(
      parse_error(with_layers(
          "[[layers]]\ntype = \"flatten\"\nname = \"a\"\n[[layers]]\ntype = \"dense\"\nname = \"a\"\nunits = 2\n")),
      HasSubstr("taken already"));
}

TEST(Network, FindsByNameOrFile) {
  const test::TemporaryDirectory directory;
  const auto file = directory.write("small.toml", with_layers(dense_tail));
  EXPECT_EQ(Network::find(file.string()).classes(), 7);
  EXPECT_EQ(Network::find("wide").name(), "wide");
  EXPECT_THAT(error_message([] { Network::find("seeed"); }), HasSubstr("did you mean `seed`?"));
  EXPECT_THROW(Network::find("seeed"), UsageError);
  EXPECT_THAT(error_message([] { Network::find("missing.toml"); }), HasSubstr("missing.toml: no such file"));
  EXPECT_THAT(error_message([&] { Network::load(directory.path()); }), HasSubstr("cannot read"));
}

/// An autoencoder of 2x3 images whose code has 4 values, with `decoder` as the keys of its last layer.
std::string small_autoencoder(const std::string& decoder) {
  return R"(
name = "n"
input = [1, 2, 3]
loss = "half-squared-error"
[[layers]]
type = "flatten"
[[layers]]
name = "code"
type = "dense"
units = 4
[[layers]]
type = "dense"
)" + decoder +
         "\n";
}

TEST(Network, TheAutoencodersThatShip) {
  const Network untied = Network::named("autoencoder");
  EXPECT_EQ(untied.loss(), Loss::half_squared_error);
  EXPECT_TRUE(untied.is_autoencoder());
  EXPECT_EQ(untied.output_count(), 784);
  EXPECT_EQ(untied.classes(), 0);
  EXPECT_EQ(untied.parameter_count(), 32 * 784 + 32 + 784 * 32 + 784);
  EXPECT_EQ(untied.layers()[untied.code_layer()].name, "encoder");
  const Network tied = Network::named("autoencoder-tied");
  EXPECT_EQ(tied.parameter_count(), 32 * 784 + 32 + 784);
  EXPECT_EQ(tied.multiply_adds(), untied.multiply_adds());
  EXPECT_EQ(std::get<DenseLayer>(tied.layers().back().kind).tied_to, "encoder");
  EXPECT_EQ(tied.output_count(), 784);
}

TEST(Network, AClassifiersCodeIsWhatItsLastLayerReads) {
  const Network seed = Network::named("seed");
  EXPECT_EQ(seed.loss(), Loss::softmax_cross_entropy);
  EXPECT_FALSE(seed.is_autoencoder());
  EXPECT_EQ(seed.code_layer(), seed.layers().size() - 2);
}

TEST(Network, AnAutoencodersCodeIsTheFirstNarrowestOutput) {
  const Network network = Network::parse(R"(
name = "n"
input = [1, 2, 3]
loss = "half-squared-error"
layers = [{type = "flatten"}, {type = "dense", units = 5}, {type = "dense", units = 2}, {type = "sigmoid"},
          {type = "dense", units = 6}]
)",
                                         "n.toml");
  EXPECT_EQ(network.code_layer(), 2U);
}

TEST(Network, AnAutoencoderPutsOutWhatItTakes) {
  EXPECT_THAT(
      parse_error(small_autoencoder("units = 5")),
      HasSubstr("layer 3 (dense2): the last layer must be dense with a unit for each element of the input (6) for "
                "the loss half-squared-error; its output is [5]"));
  EXPECT_THAT(parse_error("name = \"n\"\nloss = \"squared\"\n"), HasSubstr("\"half-squared-error\""));
}

TEST(Network, TiedLayersFollowTheirOwners) {
  const Network network = Network::parse(small_autoencoder("tied_to = \"code\"\nunits = 6"), "n.toml");
  EXPECT_EQ(network.layers().back().parameters, 6);
  EXPECT_EQ(network.layers().back().multiply_adds, 24);
  EXPECT_EQ(Network::parse(small_autoencoder("tied_to = \"code\""), "n.toml").output_count(), 6);
}

TEST(Network, RefusesTiesThatCannotBe) {
  const auto error = [](const std::string& decoder) { return parse_error(small_autoencoder(decoder)); };
  EXPECT_THAT(
      error("tied_to = \"coda\""),
      HasSubstr("layer 3 (dense2): `tied_to`: expected the name of a dense layer before this one, not \"coda\"; "
                "did you mean `code`?"));
  EXPECT_THAT(error("tied_to = \"dense2\""), HasSubstr("a dense layer before this one, not \"dense2\""));
  EXPECT_THAT(error("tied_to = \"flatten1\""), HasSubstr("expected a dense layer; \"flatten1\" is none"));
  EXPECT_THAT(error("tied_to = \"code\"\nunits = 5"), HasSubstr("`units`: expected 6, the inputs of \"code\""));
  EXPECT_THAT(error("units = 6\n[[layers]]\ntype = \"dense\"\ntied_to = \"code\""),
              HasSubstr("`tied_to`: expected an input of shape [4], as \"code\" puts out, not [6]"));
  EXPECT_THAT(error("tied_to = \"code\"\n[[layers]]\ntype = \"dense\"\ntied_to = \"dense2\""),
              HasSubstr("weights of its own; \"dense2\" is tied to \"code\""));
}

}  // namespace
}  // namespace touchstone
