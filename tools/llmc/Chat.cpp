//===- Chat.cpp - llmc run --chat -----------------------------------------===//
//
// A conversation on standard input, a line a turn. Before each answer the whole conversation is written in
// the model's chat format and tokenized; what the cache already holds of it, from the start, stays there.
// Ctrl-C ends the answer; on an empty line it, Ctrl-D or /exit ends the chat.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Generate.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

namespace llmc::cli {
namespace {

/// A line without its end; false when the input has ended or cannot be read. Ctrl-C gives up the line and is
/// seen by takeInterrupt().
bool readLine(std::string &line) {
  char *buffer = nullptr;
  size_t capacity = 0;
  errno = 0;
  ssize_t n = getline(&buffer, &capacity, stdin);
  bool interrupted = n < 0 && errno == EINTR;
  line.assign(buffer ? buffer : "", n > 0 ? size_t(n) : 0);
  std::free(buffer);
  if (n < 0) {
    std::clearerr(stdin);
    return interrupted;
  }
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
    line.pop_back();
  return true;
}

void sayContextFull() {
  fmt::print(stderr, "llmc: the context is full; /reset starts again, --ctx N makes it longer\n");
}

/// The tokens that the session's one sequence holds, and the sequence.
class CachedPrefix {
public:
  explicit CachedPrefix(llmc_session *owner) : session(owner) { check(llmc_seq_new(session, &seq)); }

  /// Cuts the sequence back to what it shares with `prompt`, leaving at least one token to evaluate: an
  /// answer starts from the logits of the last one.
  size_t keepCommon(const Tokens &prompt) {
    size_t common =
        std::mismatch(tokens.begin(), tokens.end(), prompt.begin(), prompt.end()).first - tokens.begin();
    common = std::min(common, prompt.size() - 1);
    if (common < size_t(llmc_seq_len(session, seq)))
      check(llmc_kv_remove(session, seq, llmc_pos(common), -1));
    tokens.resize(common);
    return common;
  }
  /// Notes what was evaluated: as much of `prompt` and `answer` as the sequence is long.
  void note(const Tokens &prompt, const Tokens &answer) {
    tokens = prompt;
    tokens.insert(tokens.end(), answer.begin(), answer.end());
    size_t length = size_t(std::max(llmc_seq_len(session, seq), 0));
    tokens.resize(std::min(tokens.size(), length));
  }
  llmc_seq sequence() const { return seq; }

private:
  llmc_session *session;
  llmc_seq seq = -1;
  Tokens tokens;
};

} // namespace

int chat(llmc_model *model, const llmc_tokenizer *tokenizer, const RunOptions &options) {
  SessionPtr session = newSession(model, options, 0);
  SamplerPtr sampler = newSampler(model, options);
  CachedPrefix cache(session.get());
  Conversation conversation;
  bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  if (terminal)
    fmt::print(stderr, "Type a message. Ctrl-C ends an answer, /reset starts again, /exit or Ctrl-D ends.\n");
  catchInterrupts();
  for (std::string line;;) {
    if (terminal) {
      print("> ");
      flushOutput();
    }
    if (!readLine(line) || line == "/exit" || takeInterrupt())
      break;
    if (line.empty())
      continue;
    if (line == "/reset") {
      conversation.clear();
      continue;
    }
    conversation.add("user", line);
    Tokens prompt = tokenizeChat(tokenizer, conversation.json(), options.model);
    if (prompt.empty())
      throw Failure(fmt::format("{}: the chat template writes nothing", options.model));
    Answer answer;
    try {
      answer = generate(session.get(), cache.sequence(), sampler.get(), prompt, cache.keepCommon(prompt),
                        options, true);
    } catch (const ContextFull &) {
      conversation.removeLast(); // a shorter question may still fit
      sayContextFull();
      continue;
    }
    cache.note(prompt, answer.tokens);
    takeInterrupt();
    print("\n");
    flushOutput();
    if (answer.stop == LLMC_STOP_CTX)
      sayContextFull();
    conversation.add("assistant", answer.text);
  }
  if (terminal)
    print("\n");
  flushOutput();
  return 0;
}

} // namespace llmc::cli
