//===- Chat.cpp - llmc run --chat -----------------------------------------===//
//
// A conversation, a line a turn. Before each answer the whole conversation is written in the model's chat
// format and tokenized; what the cache already holds of it, from the start, stays there and only the rest is
// evaluated. Ctrl-C ends the answer, or gives up the line; twice on an empty line, Ctrl-D or /exit ends the
// chat.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/LineReader.h"
#include "tools/llmc/SessionFile.h"

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

class Chat {
public:
  Chat(llmc_model *loaded, const llmc_tokenizer *known, const RunOptions &given)
      : model(loaded), options(given), tokenizer(known), saved(savedSession(given)),
        conversation(conversationOf(given, saved)), session(newSession(model, options, 0)),
        sampler(newSampler(model, options)), cache(prefixOf(saved, session.get(), known)) {}

  void reset() {
    conversation.clear();
    if (options.system)
      conversation.add("system", *options.system);
  }

  void answer(std::string question) {
    conversation.add("user", std::move(question));
    std::optional<Answer> answer = evaluate();
    if (!answer)
      return;
    cache.note(answer->held);
    print("\n");
    flushOutput();
    if (answer->stop == LLMC_STOP_CTX)
      sayContextFull();
    noteLength(*answer, options);
    if (options.verbose)
      fmt::print(
          stderr,
          "llmc: prompt {} tokens, {} of them cached; answer {} tokens in {:.2f} s; context {} tokens\n",
          answer->promptTokens, answer->cachedTokens, answer->tokens.size(), answer->generateSeconds,
          answer->held.size());
    conversation.add("assistant", answer->text);
  }
  void save() const { saveSession(options, session.get(), cache, conversation.json()); }

private:
  /// The model's turn. Where the conversation has no room it says so and takes the question back, or with
  /// --ctx-policy window forgets older turns first and then parts of the question.
  std::optional<Answer> evaluate() {
    for (bool mayCut = false;;) {
      Prompt prompt;
      prompt.tokens = tokenizeChat(tokenizer, conversation.json(), options.model);
      if (prompt.tokens.empty())
        throw Failure(fmt::format("{}: the chat template writes nothing", options.model));
      prompt.cached = cache.keepCommon(prompt.tokens);
      prompt.keep = keptTokens(model, options, conversation.system(), prompt.tokens);
      try {
        return generate(model, session.get(), cache.sequence(), sampler.get(), std::move(prompt), options,
                        /*stream=*/true, mayCut);
      } catch (const ContextFull &full) {
        bool isWindow = options.ctxPolicy == "window";
        if (isWindow && conversation.forgetOlderHalf()) {
          fmt::print(stderr, "llmc: the context is full; the older half of the conversation is forgotten\n");
        } else if (isWindow && !mayCut) {
          mayCut = true;
        } else {
          conversation.removeLast(); // a shorter question may still fit
          if (conversation.hasTurns())
            sayContextFull();
          else // nothing that /reset could forget
            fmt::print(stderr, "llmc: {}\n", full.what());
          return std::nullopt;
        }
      }
    }
  }

  llmc_model *model;
  const RunOptions &options;
  const llmc_tokenizer *tokenizer;
  std::optional<SessionReader> saved;
  Conversation conversation;
  SessionPtr session;
  SamplerPtr sampler;
  CachedPrefix cache;
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
  chat.save();
  return 0;
}

} // namespace llmc::cli
