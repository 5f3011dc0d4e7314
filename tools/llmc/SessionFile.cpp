//===- SessionFile.cpp - what run --session keeps -------------------------===//
#include "tools/llmc/SessionFile.h"
#include "tools/llmc/NewFile.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc::cli {
namespace {

struct SessionHead {
  char magic[8] = {'L', 'L', 'M', 'C', 'S', 'E', 'S', '1'};
  uint64_t tokens = 0, messageBytes = 0;
  uint64_t hash = 0; // of what stands before, the tokens and the messages
};

uint64_t hashOf(const SessionHead &head, const Tokens &tokens, const std::string &messages) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, &head, offsetof(SessionHead, hash));
  XXH3_64bits_update(&state, tokens.data(), tokens.size() * sizeof(llmc_token));
  XXH3_64bits_update(&state, messages.data(), messages.size());
  return XXH3_64bits_digest(&state);
}

} // namespace

template <typename T> void SessionReader::read(T *out, size_t n) {
  if (std::fread(out, sizeof(T), n, file.get()) != n)
    throw Failure(fmt::format("{}: the session ends too early", place));
}

SessionReader::SessionReader(const std::string &path) : place(path), file(std::fopen(path.c_str(), "rb")) {
  struct stat status;
  if (!file || fstat(fileno(file.get()), &status) != 0)
    throw Failure(fmt::format("{}: cannot open: {}", place, std::strerror(errno)));
  SessionHead head, expected;
  if (!S_ISREG(status.st_mode) || std::fread(&head, sizeof head, 1, file.get()) != 1 ||
      std::memcmp(head.magic, expected.magic, sizeof head.magic) != 0)
    throw Failure(fmt::format("{}: not a file of --session", place));
  uint64_t rest = uint64_t(status.st_size) - sizeof head;
  if (head.tokens > rest / sizeof(llmc_token) || head.messageBytes > rest - head.tokens * sizeof(llmc_token))
    throw Failure(fmt::format("{}: the session ends too early", place));
  held.resize(head.tokens);
  read(held.data(), held.size());
  json.resize(head.messageBytes);
  read(json.data(), json.size());
  if (head.hash != hashOf(head, held, json))
    throw Failure(fmt::format("{}: the session is damaged", place));
}

llmc_seq SessionReader::restore(llmc_session *session) {
  auto take = [](void *bytes, size_t n, void *from) -> llmc_status {
    return std::fread(bytes, 1, n, static_cast<FILE *>(from)) == n ? LLMC_OK : LLMC_EIO;
  };
  llmc_seq seq = -1;
  if (llmc_status status = llmc_kv_load(session, take, file.get(), &seq))
    throw Failure(status == LLMC_EIO ? fmt::format("{}: the session ends too early", place)
                                     : fmt::format("{}: {}", place, lastSentence()));
  if (std::fgetc(file.get()) != EOF || size_t(llmc_seq_len(session, seq)) != held.size())
    throw Failure(fmt::format("{}: the session is damaged", place));
  return seq;
}

static void write(const std::string &path, llmc_session *session, llmc_seq seq, const Tokens &tokens,
                  const std::string &messages) {
  struct Sink {
    NewFile file;
    std::exception_ptr failure; // none may pass through the C API
  } sink{NewFile(path), nullptr};
  SessionHead head;
  head.tokens = tokens.size();
  head.messageBytes = messages.size();
  head.hash = hashOf(head, tokens, messages);
  sink.file.write(&head, sizeof head);
  sink.file.write(tokens.data(), tokens.size() * sizeof(llmc_token));
  sink.file.write(messages.data(), messages.size());
  auto put = [](const void *bytes, size_t n, void *to) -> llmc_status {
    try {
      static_cast<Sink *>(to)->file.write(bytes, n);
      return LLMC_OK;
    } catch (...) {
      static_cast<Sink *>(to)->failure = std::current_exception();
      return LLMC_EIO;
    }
  };
  llmc_status status = llmc_kv_save(session, seq, put, &sink);
  if (sink.failure)
    std::rethrow_exception(sink.failure);
  check(status);
  sink.file.finish();
}

std::optional<SessionReader> savedSession(const RunOptions &options) {
  if (!options.session)
    return std::nullopt;
  preparePlace(*options.session); // before an answer that could not be kept
  if (access(options.session->c_str(), F_OK) != 0 && errno == ENOENT)
    return std::nullopt;
  SessionReader reader(*options.session);
  if (!options.chat && !reader.messages().empty())
    throw Failure(fmt::format("{}: holds a conversation; give --chat to go on with it", *options.session));
  if (options.chat && reader.messages().empty())
    throw Failure(
        fmt::format("{}: holds no conversation; leave --chat out to go on with it, or give another file",
                    *options.session));
  return reader;
}

Conversation conversationOf(const RunOptions &options, const std::optional<SessionReader> &saved) {
  Conversation conversation;
  if (saved && !saved->messages().empty()) {
    conversation = Conversation::parse(saved->messages());
    if (options.system && options.system != conversation.system())
      throw Failure(
          fmt::format("--system: the conversation in {} began with something else", *options.session));
  } else if (options.system) {
    conversation.add("system", *options.system);
  }
  return conversation;
}

CachedPrefix prefixOf(std::optional<SessionReader> &saved, llmc_session *session,
                      const llmc_tokenizer *tokenizer) {
  return saved ? CachedPrefix(session, tokenizer, saved->restore(session), saved->tokens())
               : CachedPrefix(session, tokenizer, newSequence(session), {});
}

void saveSession(const RunOptions &options, llmc_session *session, const CachedPrefix &cache,
                 const std::string &messages) {
  if (options.session && !cache.held().empty())
    write(*options.session, session, cache.sequence(), cache.held(), messages);
}

} // namespace llmc::cli
