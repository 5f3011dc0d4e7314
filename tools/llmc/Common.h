//===- Common.h - what the commands of llmc share ---------------*- C++ -*-===//
//
// Errors, owning handles of the C API, opening a model, numbers and text going out.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_COMMON_H
#define LLMC_TOOLS_LLMC_COMMON_H

#include "llmc/llmc.h"
#include "tools/llmc/Commands.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
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
    throw Failure(status == LLMC_ECANCELLED ? "interrupted" : lastSentence());
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

/// To plan, the device need not be here.
enum class LoadFor { Run, Plan };
/// Loads the model of the command line, which is compiled into the cache first where it is no model.so.
/// LLMC_CPU of the environment chooses the CPU variant. `seconds` gets the time of loading alone.
ModelPtr openModel(const ModelOptions &, double *seconds = nullptr, LoadFor purpose = LoadFor::Run);
int64_t modelInfo(const llmc_model *, llmc_info);
/// The lengths of context that the rotary frequencies of a model are for, where they depend on it (`number`
/// gives the value of a key of the manifest, or 0); last = 0 if they do not.
struct RopeContexts {
  uint64_t first = 0, last = 0;
  bool hold(uint64_t context) const { return !last || (context >= first && context <= last); }
};
template <typename Number> RopeContexts ropeContexts(Number number) {
  return {number("model.rope_contexts.first"), number("model.rope_contexts.last")};
}
/// Says on stderr if a context is beyond what the model was trained for, or not one that its rotary
/// frequencies are for. Of a context that nobody asked for (`isChosen` unset) only what is too short for it
/// counts.
void noteContext(const llmc_model *, uint64_t context, bool isChosen);
/// What a session is made with. `fixedTokens` is the number of tokens it will ever see, if that is known: it
/// decides the context where --ctx does not. 0 leaves the choice to the library.
llmc_session_params sessionParams(const ModelOptions &, size_t fixedTokens);
SessionPtr newSession(llmc_model *, const llmc_session_params &);
/// Throws, in the words of the command line, if `status` says that the model has no cache of type --kv.
void checkStorage(llmc_status status, const llmc_session_params &);
/// The same, with what noteContext says of it.
SessionPtr newSession(llmc_model *, const ModelOptions &, size_t fixedTokens);
/// That a prompt of so many tokens has no room, and what makes some, with at least so many generated ones.
std::string noRoomFor(size_t tokens, size_t generated, const ModelOptions &);
/// Throws that where --ctx already tells.
void checkRoom(size_t tokens, const ModelOptions &);
llmc_seq newSequence(llmc_session *);
/// Tokens of a step, where --batch does not say it.
constexpr size_t defaultBatch = 512;
/// llmc_prefill of many tokens with a progress bar: in steps of the size that the session was made for. On
/// simt, where one of them may take minutes, the bar follows the layers; not so if the steps are `isWatched`
/// by a trace or a profile.
llmc_status prefill(const llmc_model *, llmc_session *, llmc_seq, std::span<const llmc_token>,
                    const ModelOptions &, bool isWatched);
/// Evaluates all tokens in steps of at most `step` with the `outputs` (LLMC_OUT_*) of each, and calls
/// each(index of the step's first token, its row, number of tokens) while the step's results can be read.
template <typename Each>
void evaluateAll(llmc_session *session, llmc_seq seq, std::span<const llmc_token> tokens, size_t step,
                 uint32_t outputs, Each each) {
  llmc_batch *made = nullptr;
  check(llmc_batch_new(uint32_t(step), &made));
  BatchPtr batch(made);
  for (size_t begin = 0; begin < tokens.size(); begin += step) {
    size_t n = std::min(step, tokens.size() - begin);
    int32_t firstRow = 0;
    llmc_batch_clear(batch.get());
    check(llmc_batch_add(batch.get(), seq, tokens.data() + begin, n, outputs, &firstRow));
    check(llmc_eval(session, batch.get()));
    each(begin, firstRow, n);
  }
}
/// The tokenizer inside `model`, null if it has none.
const llmc_tokenizer *tokenizerIn(llmc_model *);
/// The tokenizer inside `model`; if it has none a Failure that names `path` and what takes tokens instead.
const llmc_tokenizer *tokenizerOf(llmc_model *, const std::string &path,
                                  const char *tokensOption = "--tokens");

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
/// Says on stderr how many bytes of a text the vocabulary has no token for, if there are any.
void noteLostBytes(const llmc_tokenizer *, std::string_view text);
/// The tokens of -p or --tokens, at least one; text begins with the tokens that the model begins a text with.
Tokens inputTokens(llmc_model *, const InputOptions &, const std::string &path);
/// A UsageError unless just one of them is given, and --tokens reads as token ids.
void checkInput(const InputOptions &);
/// All bytes of a file; "-" is standard input.
std::string readText(const std::string &path);

/// Writes to standard output and throws if that fails (a full disk is a failure, not a success).
void print(std::string_view text);
void flushOutput();

/// The shortest digits that read back as exactly this number; "null" for what JSON cannot say.
void appendNumber(std::string &out, float value);
void appendNumber(std::string &out, double value);

class FileDescriptor {
public:
  explicit FileDescriptor(int fd = -1) : fd(fd) {}
  FileDescriptor(FileDescriptor &&other) : fd(std::exchange(other.fd, -1)) {}
  FileDescriptor &operator=(FileDescriptor other) {
    std::swap(fd, other.fd);
    return *this;
  }
  ~FileDescriptor() { close(); }
  int get() const { return fd; }
  explicit operator bool() const { return fd >= 0; }
  void close();

private:
  int fd;
};

struct Stopwatch {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

} // namespace llmc::cli
#endif
