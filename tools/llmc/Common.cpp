//===- Common.cpp - what the commands of llmc share -----------------------===//
#include "tools/llmc/Common.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace llmc::cli {

std::string lastSentence() {
  std::string_view text = llmc_last_error();
  if (text.starts_with("llmc_"))
    if (size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
        text.substr(std::min(end, text.size())).starts_with(": "))
      text.remove_prefix(end + 2);
  return std::string(text);
}

Tokens parseTokens(std::string_view text) {
  Tokens tokens;
  const char *at = text.data(), *end = at + text.size();
  auto skipSpace = [&] { at = std::find_if(at, end, [](char c) { return c != ' ' && c != '\n'; }); };
  for (;;) {
    skipSpace();
    llmc_token token;
    auto [next, error] = std::from_chars(at, end, token);
    if (error == std::errc::result_out_of_range && *at != '-')
      throw UsageError(fmt::format("--tokens: {} is beyond the vocabulary", std::string_view(at, next - at)));
    if (error != std::errc() || token < 0) {
      std::string_view word(at, std::find(at, end, ',') - at);
      throw UsageError(
          fmt::format("--tokens: expected token ids such as 1,2,3, but found '{}'", word.substr(0, 40)));
    }
    tokens.push_back(token);
    at = next;
    skipSpace();
    if (at == end)
      return tokens;
    if (*at++ != ',')
      throw UsageError(fmt::format("--tokens: expected a comma after id {}, but found '{}'", token, at[-1]));
  }
}

ModelPtr loadModel(const std::string &path, const ModelOptions &options) {
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = options.device == "auto" ? nullptr : options.device.c_str();
  const char *cpu = std::getenv("LLMC_CPU");
  params.cpu_variant = cpu && *cpu ? cpu : nullptr;
  params.n_threads = options.threads;
  llmc_model *model = nullptr;
  check(llmc_model_load(path.c_str(), &params, &model));
  return ModelPtr(model);
}

static llmc_kv_type kvType(const std::string &name) {
  constexpr std::pair<std::string_view, llmc_kv_type> types[] = {
      {"auto", LLMC_KV_AUTO}, {"f32", LLMC_KV_F32}, {"f16", LLMC_KV_F16},
      {"bf16", LLMC_KV_BF16}, {"q8", LLMC_KV_Q8},   {"q4", LLMC_KV_Q4}};
  for (auto [known, type] : types)
    if (name == known)
      return type;
  throw UsageError(fmt::format("--kv: expected auto, f32, f16, bf16, q8 or q4, but found '{}'", name));
}

SessionPtr newSession(llmc_model *model, const ModelOptions &options, size_t fixedTokens) {
  if (fixedTokens > UINT32_MAX)
    throw Failure(fmt::format("{} tokens are more than any context holds", fixedTokens));
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof params);
  params.n_ctx = options.ctx ? options.ctx : uint32_t(fixedTokens);
  if (options.batch)
    params.n_batch = options.batch;
  else if (fixedTokens) // a step never needs more room than there are tokens
    params.n_batch = uint32_t(std::min<size_t>(fixedTokens, 512));
  params.type_k = params.type_v = kvType(options.kv);
  llmc_session *session = nullptr;
  check(llmc_session_new(model, &params, &session));
  return SessionPtr(session);
}

const llmc_tokenizer *tokenizerOf(llmc_model *model, const std::string &path) {
  const llmc_tokenizer *tokenizer = nullptr;
  size_t needed = 0; // a tokenizer may be there that only knows it has no tokens
  if (llmc_model_tokenizer(model, &tokenizer) != LLMC_OK || !tokenizer ||
      llmc_tokenize(tokenizer, "", 0, 0, nullptr, 0, &needed) == LLMC_EUNSUPPORTED)
    throw Failure(fmt::format("{}: the model has no tokenizer; give the prompt with --tokens", path));
  return tokenizer;
}

Tokens tokenizeText(const llmc_tokenizer *tokenizer, std::string_view text, uint32_t flags) {
  return collectTokens(text.size() + 16, [&](llmc_token *buffer, size_t capacity, size_t *needed) {
    return llmc_tokenize(tokenizer, text.data(), text.size(), flags, buffer, capacity, needed);
  });
}

// What the signal handler touches: lock-free atomics only.
static std::atomic<llmc_session *> runningSession;
static std::atomic<int> interrupts;

static void onInterrupt(int) {
  llmc_session *session = runningSession.load();
  if (interrupts.fetch_add(1) > 0 && session)
    _exit(1); // the first one was not heard in time
  if (session)
    llmc_session_interrupt(session);
}

void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = onInterrupt; // without SA_RESTART: a read ends with EINTR
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

bool takeInterrupt() { return interrupts.exchange(0) > 0; }

InterruptScope::InterruptScope(llmc_session *session) {
  interrupts = 0;
  runningSession = session;
  catchInterrupts();
}
InterruptScope::~InterruptScope() { runningSession = nullptr; }
bool InterruptScope::interrupted() const { return interrupts.load() > 0; }

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    throw Failure(fmt::format("standard output: {}", std::strerror(errno)));
}

void flushOutput() {
  if (std::fflush(stdout) != 0)
    throw Failure(fmt::format("standard output: {}", std::strerror(errno)));
}

void appendNumber(std::string &out, float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

} // namespace llmc::cli
