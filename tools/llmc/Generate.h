//===- Generate.h - one answer, streamed ------------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_GENERATE_H
#define LLMC_TOOLS_LLMC_GENERATE_H

#include "tools/llmc/Common.h"

namespace llmc::cli {

struct Answer {
  Tokens tokens;
  std::string text;
  size_t promptTokens = 0;
  int32_t stop = LLMC_STOP_NONE;
  bool interrupted = false;
  double prefillSeconds = 0, generateSeconds = 0;

  /// "eos", "string", "length", "context" or "interrupted".
  const char *stopName() const;
};

/// The prompt does not fit the session's context. Nothing was evaluated.
struct ContextFull : Failure {
  using Failure::Failure;
};

SamplerPtr newSampler(llmc_model *, const RunOptions &);

/// Evaluates the part of `prompt` that `seq` does not hold yet (its first `cached` tokens are there), then
/// generates. `stream` writes each piece of text to standard output as it comes. Ctrl-C ends it with what
/// there is. Throws ContextFull if the prompt has no room.
Answer generate(llmc_session *, llmc_seq, llmc_sampler *, const Tokens &prompt, size_t cached,
                const RunOptions &, bool stream);

/// Token ids of a conversation in the model's own chat format, ready for the model's turn. `path` names the
/// model in errors.
Tokens tokenizeChat(const llmc_tokenizer *, const std::string &messagesJson, const std::string &path);
/// [{"role":…,"content":…},…]; the text may be any bytes.
class Conversation {
public:
  void add(const char *role, std::string content) { messages.emplace_back(role, std::move(content)); }
  void removeLast() { messages.pop_back(); }
  void clear() { messages.clear(); }
  std::string json() const;

private:
  std::vector<std::pair<const char *, std::string>> messages;
};

/// `run --chat` without -p: reads turns from standard input until it ends.
int chat(llmc_model *, const llmc_tokenizer *, const RunOptions &);

} // namespace llmc::cli
#endif
