//===- SessionFile.h - what run --session keeps -----------------*- C++ -*-===//
//
// A head, the tokens that the cache holds, the messages of a conversation as JSON (none of a plain prompt),
// and the cache as llmc_kv_save writes it. Head, tokens and messages have a checksum, the cache its own.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_SESSIONFILE_H
#define LLMC_TOOLS_LLMC_SESSIONFILE_H

#include "tools/llmc/CachedPrefix.h"
#include "tools/llmc/Generate.h"

namespace llmc::cli {

class SessionReader {
public:
  /// A Failure that names the file unless it is one of these, whole and unaltered; the cache is looked at by
  /// restore().
  explicit SessionReader(const std::string &path);
  const Tokens &tokens() const { return held; }
  const std::string &messages() const { return json; }
  /// A new sequence that holds the tokens. A Failure that names the file if it does not fit the model.
  llmc_seq restore(llmc_session *);

private:
  template <typename T> void read(T *out, size_t n);
  std::string place;
  std::unique_ptr<FILE, Deleter<std::fclose>> file;
  Tokens held;
  std::string json;
};

/// The file of --session, if it is there.
std::optional<SessionReader> savedSession(const RunOptions &);
/// The conversation to go on with: the saved one, or one where only --system has spoken.
Conversation conversationOf(const RunOptions &, const std::optional<SessionReader> &);
/// The sequence to go on with.
CachedPrefix prefixOf(std::optional<SessionReader> &, llmc_session *, const llmc_tokenizer *);
/// Replaces the file of --session, once the new one is whole; nothing if none is asked for.
void saveSession(const RunOptions &, llmc_session *, const CachedPrefix &, const std::string &messages);

} // namespace llmc::cli
#endif
