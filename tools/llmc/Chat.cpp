//===- Chat.cpp - llmc run --chat -----------------------------------------===//
//
// A conversation, a line a turn. Before each answer the whole conversation is written in the model's chat
// format and tokenized; what the cache already holds of it, from the start, stays there and only the rest is
// evaluated. Ctrl-C ends the answer, or gives up the line; twice on an empty line, Ctrl-D or /exit ends the
// chat.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Generate.h"
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/LineReader.h"

#include "llmc/tokenizer_blob.h"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace llmc::cli {
namespace {

constexpr const char *help = "  /reset   forget the conversation\n"
                             "  /exit    end, as Ctrl-D does\n"
                             "  /help    this\n"
                             "Ctrl-C ends an answer. A pasted text of several lines is one message.\n";

void sayContextFull() {
  fmt::print(stderr, "llmc: the context is full; /reset starts again, --ctx N makes it longer\n");
}

/// The tokens that the session's one sequence holds, and the sequence.
class CachedPrefix {
public:
  CachedPrefix(llmc_session *owner, const llmc_tokenizer *known)
      : session(owner), tokenizer(known), seq(newSequence(owner)) {}

  /// Cuts the sequence back to what it shares with `prompt`, leaving at least one token to evaluate: an
  /// answer starts from the logits of the last one. What a model has said is often not how its words are
  /// tokenized; where the cache spells the same text otherwise, `prompt` becomes what the cache holds.
  size_t keepCommon(Tokens &prompt) {
    if (size_t end = sameText(prompt)) {
      Tokens spelled = tokens;
      spelled.insert(spelled.end(), prompt.begin() + long(end), prompt.end());
      prompt = std::move(spelled);
    }
    size_t common = size_t(std::mismatch(tokens.begin(), tokens.end(), prompt.begin(), prompt.end()).first -
                           tokens.begin());
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
    tokens.resize(std::min(tokens.size(), length()));
  }
  size_t length() const { return size_t(std::max(llmc_seq_len(session, seq), 0)); }
  llmc_seq sequence() const { return seq; }

private:
  /// Of how many tokens of `prompt` the text is that of all cached tokens; 0 if it is of none. Special tokens
  /// have no text: they must be the same ones.
  size_t sameText(const Tokens &prompt) const {
    std::string held = spell(tokens);
    size_t matched = 0;
    for (size_t i = 0; i < prompt.size() && !held.empty(); ++i) {
      std::string piece = spell({prompt[i]});
      if (held.compare(matched, piece.size(), piece) != 0)
        return 0;
      matched += piece.size();
      if (matched == held.size())
        return i + 1;
    }
    return 0;
  }
  std::string spell(const Tokens &list) const {
    std::string text;
    for (llmc_token token : list) {
      const char *bytes = nullptr;
      size_t n = 0;
      uint32_t attributes = 0;
      bool isKnown = llmc_token_bytes(tokenizer, token, &bytes, &n, &attributes) == LLMC_OK;
      bool isText = isKnown && n && (attributes & LLMC_TOK_KIND_MASK) != LLMC_TOK_CONTROL;
      text += isText ? std::string(bytes, n) : fmt::format("\xff{}\xff", token); // in no text are such bytes
    }
    return text;
  }

  llmc_session *session;
  const llmc_tokenizer *tokenizer;
  llmc_seq seq;
  Tokens tokens;
};

class Chat {
public:
  Chat(llmc_model *model, const llmc_tokenizer *known, const RunOptions &given)
      : options(given), tokenizer(known), session(newSession(model, options, 0)),
        sampler(newSampler(model, options)), cache(session.get(), known) {
    reset();
  }

  void reset() {
    conversation.clear();
    if (options.system)
      conversation.add("system", *options.system);
  }

  void answer(std::string question) {
    conversation.add("user", std::move(question));
    Tokens prompt = tokenizeChat(tokenizer, conversation.json(), options.model);
    if (prompt.empty())
      throw Failure(fmt::format("{}: the chat template writes nothing", options.model));
    size_t cached = cache.keepCommon(prompt);
    Answer answer;
    try {
      answer = generate(session.get(), cache.sequence(), sampler.get(), prompt, cached, options, true);
    } catch (const ContextFull &) {
      conversation.removeLast(); // a shorter question may still fit
      sayContextFull();
      return;
    }
    cache.note(prompt, answer.tokens);
    print("\n");
    flushOutput();
    if (answer.stop == LLMC_STOP_CTX)
      sayContextFull();
    if (options.verbose)
      fmt::print(
          stderr,
          "llmc: prompt {} tokens, {} of them cached; answer {} tokens in {:.2f} s; context {} tokens\n",
          prompt.size(), cached, answer.tokens.size(), answer.generateSeconds, cache.length());
    conversation.add("assistant", answer.text);
  }

private:
  const RunOptions &options;
  const llmc_tokenizer *tokenizer;
  SessionPtr session;
  SamplerPtr sampler;
  CachedPrefix cache;
  Conversation conversation;
};

} // namespace

int chat(llmc_model *model, const llmc_tokenizer *tokenizer, const RunOptions &options) {
  Chat chat(model, tokenizer, options);
  bool isTerminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  if (isTerminal)
    fmt::print(stderr, "Type a message. Ctrl-C ends an answer, Ctrl-D the chat, /help says more.\n");
  catchInterrupts();
  LineReader reader(isTerminal);
  bool isLeaving = false; // Ctrl-C on an empty line once
  for (std::string line;;) {
    takeInterrupts();
    flushOutput();
    LineReader::End end = reader.read("> ", line);
    int interrupts = takeInterrupts();
    if (end == LineReader::End::Input || interrupts > 1 || (interrupts && (isLeaving || !isTerminal)))
      break;
    isLeaving = interrupts > 0;
    if (isLeaving)
      fmt::print(stderr, "Ctrl-C again, or Ctrl-D, ends the chat.\n");
    if (isLeaving || line.empty())
      continue;
    if (line == "/exit" || line == "/quit")
      break;
    if (line == "/reset")
      chat.reset();
    else if (line == "/help")
      fmt::print(stderr, "{}", help);
    else
      chat.answer(line);
  }
  flushOutput();
  return 0;
}

} // namespace llmc::cli
