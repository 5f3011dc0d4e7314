//===- Common.h - what the commands of llmc share ---------------*- C++ -*-===//
//
// Errors, owning handles of the C API, opening a model, and the way Ctrl-C reaches a running session.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_COMMON_H
#define LLMC_TOOLS_LLMC_COMMON_H

#include "llmc/llmc.h"
#include "tools/llmc/Commands.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::cli {

/// Ends the program with exit code 1 and this sentence.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Ends the program with exit code 2 and this sentence.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Ends the program with this code and no further word: whoever failed has spoken.
struct Exit {
  int code;
};

/// llmc_last_error() without the name of the C function that it may begin with: the user called none.
std::string lastSentence();
/// Throws lastSentence() unless the call went well.
inline void check(llmc_status status) {
  if (status != LLMC_OK)
    throw Failure(lastSentence());
}

template <auto Free> struct Deleter {
  template <typename T> void operator()(T *p) const { Free(p); }
};
using ModelPtr = std::unique_ptr<llmc_model, Deleter<llmc_model_release>>;
using SessionPtr = std::unique_ptr<llmc_session, Deleter<llmc_session_free>>;
using BatchPtr = std::unique_ptr<llmc_batch, Deleter<llmc_batch_free>>;
using SamplerPtr = std::unique_ptr<llmc_sampler, Deleter<llmc_sampler_free>>;
using TokenizerPtr = std::unique_ptr<llmc_tokenizer, Deleter<llmc_tokenizer_free>>;

using Tokens = std::vector<llmc_token>;

/// "1,2,3" (spaces allowed) as token ids, at least one; a UsageError otherwise.
Tokens parseTokens(std::string_view text);

/// Loads `path`, with LLMC_CPU from the environment.
ModelPtr loadModel(const std::string &path, const ModelOptions &);
/// A session. `fixedTokens` is the number of tokens it will ever see, if that is known: it decides the
/// context where --ctx does not. 0 leaves the choice to the library.
SessionPtr newSession(llmc_model *, const ModelOptions &, size_t fixedTokens);
/// The tokenizer inside `model`; a Failure that names `path` if it has none.
const llmc_tokenizer *tokenizerOf(llmc_model *, const std::string &path);

/// Calls `call(buffer, capacity, &needed)` with room for `guess` tokens, and again if that was not enough.
template <typename Call> Tokens collectTokens(size_t guess, Call call) {
  Tokens tokens(guess);
  size_t needed = 0;
  llmc_status status = call(tokens.data(), tokens.size(), &needed);
  if (status != LLMC_OK && needed > tokens.size()) {
    tokens.resize(needed);
    status = call(tokens.data(), tokens.size(), &needed);
  }
  check(status);
  tokens.resize(needed);
  return tokens;
}
Tokens tokenizeText(const llmc_tokenizer *, std::string_view text, uint32_t flags);

/// `path` itself if it is a compiled model; otherwise compiles it into the cache and returns the place there.
std::string compiledModel(const std::string &path, bool verbose);
/// Runs llmc-compile with these arguments and waits for it. Returns its exit code.
int runCompiler(const std::vector<std::string> &arguments);
/// The path of llmc-compile: beside this program, else in ../libexec/llmc. A Failure if it is in neither.
std::string compilerPath();

/// Ctrl-C while one of these lives interrupts its session instead of ending the program; the second one ends
/// it.
class InterruptScope {
public:
  explicit InterruptScope(llmc_session *);
  ~InterruptScope();
  InterruptScope(const InterruptScope &) = delete;
  InterruptScope &operator=(const InterruptScope &) = delete;
  bool interrupted() const;
};
/// Makes Ctrl-C a flag for good, so that a chat can read a line and notice it. Outside an InterruptScope it
/// ends a read.
void catchInterrupts();
/// Whether Ctrl-C came since the last call.
bool takeInterrupt();

/// Writes to standard output and throws if that fails (a full disk is a failure, not a success).
void print(std::string_view text);
void flushOutput();

/// The shortest digits that read back as exactly this float; "null" for what JSON cannot say.
void appendNumber(std::string &out, float value);

struct Stopwatch {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

} // namespace llmc::cli
#endif
