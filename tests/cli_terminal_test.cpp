// SPDX-License-Identifier: Apache-2.0
// What is seen on a terminal, and what is not where there is none.
#include <sstream>

#include "cli_fixture.h"

namespace touchstone::test {
namespace {

constexpr std::string_view clear_line = "\r\x1b[K";

class CliTerminal : public CliTest {
 protected:
  /// `touchstone train` on a terminal, in which `environment` is set.
  [[nodiscard]] std::string train_on_terminal(
      std::vector<std::pair<std::string, std::optional<std::string>>> environment, int columns = 80) const {
    ProgramSettings start = settings(train_arguments());
    start.environment = std::move(environment);
    const ProgramResult result = run_on_terminal(TOUCHSTONE_PROGRAM, start, columns);
    EXPECT_EQ(result.exit_code, 0) << result.out;
    std::filesystem::remove_all(folder() / "run");
    return result.out;
  }

  /// Every state of the bar, as it is drawn.
  [[nodiscard]] static std::vector<std::string> bars(const std::string& screen) {
    std::vector<std::string> bars;
    for (std::size_t at = screen.find(clear_line); at != std::string::npos;) {
      const std::size_t next = screen.find(clear_line, at + 1);
      std::string piece = screen.substr(at + clear_line.size(), next - at - clear_line.size());
      if (piece.rfind("epoch ", 0) == 0) bars.push_back(std::move(piece));
      at = next;
    }
    return bars;
  }
};

TEST_F(CliTerminal, DrawsABarThatIsGoneAtTheEnd) {
  const std::string screen = train_on_terminal({{"TERM", "xterm"}});
  const std::vector<std::string> seen = bars(screen);
  ASSERT_FALSE(seen.empty()) << screen;
  EXPECT_NE(seen.front().find("epoch 1/2 ["), std::string::npos) << seen.front();
  EXPECT_NE(seen.front().find("%  loss "), std::string::npos) << seen.front();
  // Each bar is followed by something that clears it: it is never the last thing on its line.
  for (const std::string& bar : seen) EXPECT_EQ(bar.find('\n'), std::string::npos) << bar;
  EXPECT_NE(screen.find("\x1b["), std::string::npos);
}

TEST_F(CliTerminal, UsesUnicodeOnlyWhereTheLocaleHasIt) {
  EXPECT_EQ(train_on_terminal({{"TERM", "xterm"}, {"LC_ALL", "C"}}).find("█"), std::string::npos);
  EXPECT_NE(train_on_terminal({{"TERM", "xterm"}, {"LC_ALL", "C.UTF-8"}}).find("█"), std::string::npos);
}

TEST_F(CliTerminal, NoColorTakesTheColoursAwayAndLeavesTheBar) {
  const std::string screen = train_on_terminal({{"TERM", "xterm"}, {"NO_COLOR", "1"}});
  EXPECT_FALSE(bars(screen).empty());
  std::string without_clearing = screen;
  for (std::size_t at = 0; (at = without_clearing.find(clear_line)) != std::string::npos;) {
    without_clearing.erase(at, clear_line.size());
  }
  EXPECT_EQ(without_clearing.find('\x1b'), std::string::npos) << without_clearing;
}

TEST_F(CliTerminal, DumbTerminalsGetPlainLines) {
  for (const auto& kind : std::vector<std::optional<std::string>>{"dumb", std::nullopt}) {
    const std::string screen = train_on_terminal({{"TERM", kind}});
    EXPECT_EQ(screen.find('\x1b'), std::string::npos) << screen;
    EXPECT_EQ(screen.find("["), std::string::npos) << screen;
    EXPECT_NE(screen.find("test accuracy"), std::string::npos) << screen;
  }
}

TEST_F(CliTerminal, BarsFitIntoNarrowTerminals) {
  for (const int columns : {20, 40, 60, 200}) {
    for (const std::string& bar : bars(train_on_terminal({{"TERM", "xterm"}, {"NO_COLOR", "1"}}, columns))) {
      EXPECT_LT(bar.size(), static_cast<std::size_t>(columns)) << bar;
    }
  }
}

TEST_F(CliTerminal, ErrorsAreRedOnTerminalsOnly) {
  ProgramSettings start = settings({"info", "nothing"});
  start.environment = {{"TERM", "xterm"}};
  EXPECT_NE(run_on_terminal(TOUCHSTONE_PROGRAM, start).out.find("\x1b[1;31merror:\x1b[0m"), std::string::npos);
  EXPECT_EQ(run_program(TOUCHSTONE_PROGRAM, start).err.find('\x1b'), std::string::npos);
}

TEST_F(CliTerminal, InfoDrawsImages) {
  ProgramSettings start = settings({"info", "data"});
  start.environment = {{"TERM", "xterm-256color"}, {"LANG", "en_GB.UTF-8"}};
  const std::string coloured = run_on_terminal(TOUCHSTONE_PROGRAM, start).out;
  EXPECT_NE(coloured.find("▀"), std::string::npos) << coloured;
  EXPECT_NE(coloured.find("\x1b[38;5;"), std::string::npos) << coloured;
  const std::string shaded = run_program(TOUCHSTONE_PROGRAM, start).out;
  EXPECT_NE(shaded.find("▒"), std::string::npos) << shaded;
  EXPECT_EQ(shaded.find('\x1b'), std::string::npos) << shaded;
  const std::string plain = run({"info", "data"}).out;
  EXPECT_TRUE(std::all_of(plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}

TEST_F(CliTerminal, OutputThatCannotBeWrittenIsAnError) {
  ProgramSettings full = settings({"info", "seed"});
  full.standard_output = "/dev/full";
  expect_error(run_program(TOUCHSTONE_PROGRAM, full), 1, "cannot write to standard output: No space left on device");
  ProgramSettings closed = settings({"--help"});
  closed.close_standard_output = true;
  expect_error(run_program(TOUCHSTONE_PROGRAM, closed), 1, "cannot write to standard output");
  ProgramSettings blocked = settings({"info", "seed"});
  blocked.pipe_room = 0;
  Subprocess unread(TOUCHSTONE_PROGRAM, blocked);
  unread.stop_reading();
  const ProgramResult result = unread.finish();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("Broken pipe"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace touchstone::test
