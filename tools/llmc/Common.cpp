//===- Common.cpp - what the commands of llmc share -----------------------===//
#include "tools/llmc/Common.h"

#include "tools/support/Progress.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace llmc::cli {

constexpr size_t defaultBatch = 512;

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

static llmc_kv_type kvType(const std::string &name) {
  constexpr std::pair<std::string_view, llmc_kv_type> types[] = {{"auto", LLMC_KV_AUTO},
                                                                 {"f32", LLMC_KV_F32},
                                                                 {"f16", LLMC_KV_F16},
                                                                 {"bf16", LLMC_KV_BF16},
                                                                 {"q8", LLMC_KV_Q8}};
  for (auto [known, type] : types)
    if (name == known)
      return type;
  throw UsageError(fmt::format("--kv: expected auto, f32, f16, bf16 or q8, but found '{}'", name));
}

llmc_session_params sessionParams(const ModelOptions &options, size_t fixedTokens) {
  if (fixedTokens > INT32_MAX)
    throw Failure(fmt::format("{} tokens are more than any context holds", fixedTokens));
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof params);
  params.n_ctx = options.ctx ? options.ctx : uint32_t(fixedTokens);
  if (options.batch)
    params.n_batch = options.batch;
  else if (fixedTokens) // a step never needs more room than there are tokens
    params.n_batch = uint32_t(std::min<size_t>(fixedTokens, defaultBatch));
  params.type_k = params.type_v = kvType(options.kv);
  return params;
}

SessionPtr newSession(llmc_model *model, const llmc_session_params &params) {
  llmc_session *session = nullptr;
  check(llmc_session_new(model, &params, &session));
  return SessionPtr(session);
}

void noteContext(const llmc_model *model, uint64_t context, bool isChosen) {
  uint64_t trained = uint64_t(modelInfo(model, LLMC_INFO_CTX_TRAIN));
  if (isChosen && trained && context > trained)
    fmt::print(stderr, "llmc: --ctx {} is beyond the {} tokens that the model was trained for\n", context,
               trained);
  RopeContexts contexts = ropeContexts([&](const char *key) -> uint64_t {
    const char *value = llmc_model_meta(model, key);
    return value ? std::strtoull(value, nullptr, 10) : 0;
  });
  if (isChosen ? contexts.hold(context) : context <= contexts.last || !contexts.last)
    return;
  fmt::print(
      stderr,
      "llmc: the model's rotary frequencies are those of contexts of {} to {} tokens, not of {}; compile it "
      "with --ctx {}\n",
      contexts.first, contexts.last, context, context);
}

SessionPtr newSession(llmc_model *model, const ModelOptions &options, size_t fixedTokens) {
  noteContext(model, options.ctx ? options.ctx : fixedTokens, options.ctx != 0);
  return newSession(model, sessionParams(options, fixedTokens));
}

llmc_seq newSequence(llmc_session *session) {
  llmc_seq seq = -1;
  check(llmc_seq_new(session, &seq));
  return seq;
}

llmc_status prefill(llmc_session *session, llmc_seq seq, std::span<const llmc_token> tokens,
                    const ModelOptions &options) {
  Progress progress("prompt", tokens.size());
  size_t step = options.batch ? options.batch : defaultBatch;
  for (size_t done = 0; done < tokens.size(); progress.update(done)) {
    size_t n = std::min(step, tokens.size() - done);
    if (llmc_status status = llmc_prefill(session, seq, tokens.data() + done, n)) {
      if (status == LLMC_ENOSPC_KV && done) // all or nothing
        llmc_kv_remove(session, seq, llmc_seq_len(session, seq) - llmc_pos(done), -1);
      return status;
    }
    done += n;
  }
  return LLMC_OK;
}

int64_t modelInfo(const llmc_model *model, llmc_info info) {
  int64_t value = 0;
  check(llmc_model_info(model, info, &value));
  return value;
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

Tokens inputTokens(llmc_model *model, const InputOptions &input, const std::string &path) {
  if (input.tokens)
    return parseTokens(*input.tokens);
  Tokens tokens = tokenizeText(tokenizerOf(model, path), *input.prompt,
                               LLMC_TOKENIZE_ADD_SPECIAL | LLMC_TOKENIZE_PARSE_SPECIAL);
  if (tokens.empty())
    throw Failure("-p: the prompt has no tokens, and this model starts no text with one of its own");
  return tokens;
}

void checkInput(const InputOptions &input) {
  if (input.prompt && input.tokens)
    throw UsageError("-p and --tokens exclude each other");
  if (!input.prompt && !input.tokens)
    throw UsageError("the text is missing: give -p TEXT or --tokens 1,2,3");
  if (input.tokens)
    parseTokens(*input.tokens);
}

std::string readText(const std::string &path) {
  std::unique_ptr<FILE, Deleter<std::fclose>> opened(path == "-" ? nullptr : std::fopen(path.c_str(), "rb"));
  FILE *file = path == "-" ? stdin : opened.get();
  if (!file)
    throw Failure(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  std::string text;
  char buffer[1 << 16];
  while (size_t n = std::fread(buffer, 1, sizeof buffer, file))
    text.append(buffer, n);
  if (std::ferror(file))
    throw Failure(fmt::format("{}: cannot read: {}", path, std::strerror(errno)));
  return text;
}

void FileDescriptor::close() {
  if (fd >= 0)
    ::close(fd);
  fd = -1;
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    throw Failure(fmt::format("standard output: {}", std::strerror(errno)));
}

void flushOutput() {
  if (std::fflush(stdout) != 0)
    throw Failure(fmt::format("standard output: {}", std::strerror(errno)));
}

template <typename Real> static void appendReal(std::string &out, Real value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

void appendNumber(std::string &out, float value) { appendReal(out, value); }
void appendNumber(std::string &out, double value) { appendReal(out, value); }

} // namespace llmc::cli
