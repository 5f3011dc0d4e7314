// A conversation in a terminal: what is typed and pasted, Ctrl-C, the commands, and how much of the cache a
// turn uses again. chat_test LLMC MAKER WORK
#include "tests/tools/Terminal.h"

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>

namespace {

std::string program, model;

std::vector<std::string> chat(std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {program, "run", model, "--chat", "-v"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The four numbers of the line that -v prints after an answer.
struct Turn {
  int prompt = -1, cached = -1, answer = -1, context = -1;
};
Turn turn(Terminal &terminal) {
  Turn result;
  if (!terminal.expect("llmc: prompt "))
    return result;
  size_t start = terminal.shown().rfind("llmc: prompt ");
  if (!terminal.expect(" tokens\r\n") || !terminal.expect("> "))
    return result;
  double seconds;
  std::sscanf(terminal.shown().c_str() + start,
              "llmc: prompt %d tokens, %d of them cached; answer %d tokens in %lf s; context %d tokens",
              &result.prompt, &result.cached, &result.answer, &seconds, &result.context);
  return result;
}

TEST(Chat, LaterTurnsEvaluateOnlyWhatIsNew) {
  Terminal terminal(chat({"-n", "6", "--ignore-eos"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  Turn first = turn(terminal);
  EXPECT_EQ(first.prompt, 23);
  EXPECT_EQ(first.cached, 0);
  EXPECT_EQ(first.answer, 6);
  EXPECT_EQ(first.context, 29);
  terminal.type("again\n");
  Turn second = turn(terminal);
  EXPECT_EQ(second.cached, first.context) << "the question and the answer before";
  terminal.type("and again\n");
  Turn third = turn(terminal);
  EXPECT_EQ(third.cached, second.context);
  terminal.type("/reset\n");
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  Turn fresh = turn(terminal);
  EXPECT_EQ(fresh.prompt, first.prompt);
  EXPECT_EQ(fresh.answer, first.answer);
  terminal.type("\4");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(Chat, SystemMessage) {
  Terminal terminal(chat({"-n", "2", "--ignore-eos", "--system", "he"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  Turn first = turn(terminal);
  EXPECT_GT(first.prompt, 23);
  terminal.type("/reset\n");
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  EXPECT_EQ(turn(terminal).prompt, first.prompt);
  terminal.type("/exit\n");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(Chat, CtrlCEndsTheAnswerAndNotTheProgram) {
  Terminal terminal(chat({"--ignore-eos", "--ctx", "1000000"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  ASSERT_TRUE(terminal.expect("hello\r\n"));
  while (terminal.shown().size() < 200 && !terminal.expect("never", 0.1)) // an answer without end has begun
    ;
  terminal.type("\3");
  Turn first = turn(terminal);
  EXPECT_GT(first.answer, 1);
  terminal.type("\3"); // an empty line
  ASSERT_TRUE(terminal.expect("Ctrl-C again"));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("/help\n"); // something else takes it back
  ASSERT_TRUE(terminal.expect("/reset "));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("\3");
  ASSERT_TRUE(terminal.expect("Ctrl-C again"));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("\3");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(Chat, LineEditing) {
  Terminal terminal(chat({"-n", "1", "--ignore-eos"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("something else\x15hex\xc3\xa4\x7f\x7fllo words\x17\x7f\n"); // Ctrl-U, backspace, Ctrl-W
  EXPECT_EQ(turn(terminal).prompt, 23) << "hello";
  terminal.type("/reset\n");
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("he\033[Dllo\033OA\n"); // keys that mean nothing here
  EXPECT_EQ(turn(terminal).prompt, 23);
  terminal.type("/exit\n");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(Chat, LongPastes) {
  std::string pasted;
  for (int i = 0; i < 150; ++i)
    pasted += "a line of words that are of no use\r";
  Terminal terminal(chat({"-n", "1", "--ignore-eos", "--ctx", "100000"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("\033[200~" + pasted + "\033[201~\n");
  Turn one = turn(terminal);
  EXPECT_EQ(one.prompt, 19 + 150 * 35) << "one message: 19 tokens of the format, one a character";
  terminal.type("/reset\n");
  ASSERT_TRUE(terminal.expect("> "));
  std::string line(6000, 'a'); // longer than the lines of the terminal's own
  terminal.type(line + "\n");
  EXPECT_EQ(turn(terminal).prompt, 19 + 6000);
  terminal.type("/exit\n");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(Chat, SaysThatTheLimitEndedAnAnswer) {
  Terminal terminal(chat({"--ignore-eos", "-n", "3"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  ASSERT_TRUE(terminal.expect("llmc: stopped after 3 tokens (-n)"));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("\4");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(Chat, FullContext) {
  Terminal terminal(chat({"--ignore-eos", "--ctx", "40"}));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  ASSERT_TRUE(terminal.expect("the context is full; /reset starts again, --ctx N makes it longer"));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello again and again\n");
  ASSERT_TRUE(terminal.expect("the context is full"));
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("/reset\n");
  ASSERT_TRUE(terminal.expect("> "));
  terminal.type("hello\n");
  ASSERT_TRUE(terminal.expect("the context is full"));
  terminal.type("\4");
  EXPECT_EQ(terminal.wait(), 0);
}

} // namespace

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 4)
    return 2;
  std::filesystem::create_directories(argv[3]);
  program = argv[1];
  model = std::string(argv[3]) + "/toy.so";
  std::string make = "'" + std::string(argv[2]) + "' '" + model + "' '" + argv[3] + "/toy.gguf'";
  if (std::system(make.c_str()) != 0)
    return 1;
  return RUN_ALL_TESTS();
}
