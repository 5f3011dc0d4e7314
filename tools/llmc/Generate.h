//===- Generate.h - one answer, streamed ------------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_GENERATE_H
#define LLMC_TOOLS_LLMC_GENERATE_H

#include "tools/llmc/Common.h"

#include <optional>

namespace llmc::cli {

struct Answer {
  Tokens tokens;
  std::string text;
  Tokens held; // what the sequence holds at the end
  size_t promptTokens = 0, cachedTokens = 0;
  int32_t stop = LLMC_STOP_NONE;
  bool interrupted = false;
  double prefillSeconds = 0, generateSeconds = 0;

  /// "eos", "string", "length", "context" or "interrupted".
  const char *stopName() const;
};

struct Prompt {
  Tokens tokens;
  size_t cached = 0; // so many of them the sequence holds already
  size_t keep = 0;   // so many stay when a window forgets (--ctx-policy)
};

/// The prompt does not fit the session's context. Nothing was evaluated.
struct ContextFull : Failure {
  using Failure::Failure;
};

SamplerPtr newSampler(llmc_model *, const RunOptions &);

/// Evaluates the part of `prompt` that `seq` does not hold yet, then generates. `stream` writes each piece of
/// text to standard output as it comes. Ctrl-C ends it with what there is. Throws ContextFull if the prompt
/// has no room, and --ctx-policy or `mayCut` does not let it be cut.
Answer generate(const llmc_model *, llmc_session *, llmc_seq, llmc_sampler *, Prompt, const RunOptions &,
                bool stream, bool mayCut = true);

/// How many tokens at the start of the prompt a window keeps: with --chat what stands before a first
/// question, else the token that every text begins with.
size_t keptTokens(llmc_model *, const RunOptions &, const std::optional<std::string> &system,
                  const Tokens &prompt);

/// Says, to a person who watches or asked with -v, that -n ended an answer: it looks finished.
void noteLength(const Answer &, const RunOptions &);

/// Token ids of a conversation in the model's own chat format, ready for the model's turn. `path` names the
/// model in errors.
Tokens tokenizeChat(const llmc_tokenizer *, const std::string &messagesJson, const std::string &path);
/// [{"role":…,"content":…},…]; the text may be any bytes.
class Conversation {
public:
  void add(std::string role, std::string content) {
    messages.emplace_back(std::move(role), std::move(content));
  }
  void removeLast() { messages.pop_back(); }
  void clear() { messages.clear(); }
  bool isEmpty() const { return messages.empty(); }
  bool hasTurns() const { return messages.size() > (system() ? 1 : 0); }
  /// What the system says before the first question, if anything.
  std::optional<std::string> system() const;
  /// Removes the older half of the questions and answers before the last question; whether there were any.
  bool forgetOlderHalf();
  std::string json() const;
  /// What json() wrote. A Failure if it is nothing of that kind.
  static Conversation parse(const std::string &json);

private:
  std::vector<std::pair<std::string, std::string>> messages;
};

/// `run --chat` without -p: reads turns from standard input until it ends.
int chat(llmc_model *, const llmc_tokenizer *, const RunOptions &);

} // namespace llmc::cli
#endif
