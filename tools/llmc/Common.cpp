//===- Common.cpp - what the commands of llmc share -----------------------===//
#include "tools/llmc/Common.h"

#include "tools/llmc/NewFile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>
#include <unordered_map>

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

constexpr std::pair<std::string_view, llmc_kv_type> kvTypes[] = {{"auto", LLMC_KV_AUTO},
                                                                 {"f32", LLMC_KV_F32},
                                                                 {"f16", LLMC_KV_F16},
                                                                 {"bf16", LLMC_KV_BF16},
                                                                 {"q8", LLMC_KV_Q8}};

static llmc_kv_type kvType(const std::string &name) {
  for (auto [known, type] : kvTypes)
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

void checkStorage(llmc_status status, const llmc_session_params &params) {
  const std::string reason = lastSentence(), known = "was compiled with a cache in ";
  const size_t at = reason.find(known);
  if (status != LLMC_EUNSUPPORTED || params.type_k == LLMC_KV_AUTO || at == std::string::npos)
    return;
  auto isWanted = [&](const auto &type) { return type.second == params.type_k; };
  const std::string_view wanted = std::find_if(std::begin(kvTypes), std::end(kvTypes), isWanted)->first;
  std::string held = reason.substr(at + known.size());
  held.erase(std::remove(held.begin(), held.end(), ' '), held.end());
  throw Failure(
      fmt::format("--kv {}: the model was compiled for a cache in {}; with llmc compile --kv {},{} it "
                  "takes that, too",
                  wanted, held, held, wanted));
}

SessionPtr newSession(llmc_model *model, const llmc_session_params &params) {
  llmc_session *session = nullptr;
  llmc_status status = llmc_session_new(model, &params, &session);
  checkStorage(status, params);
  check(status);
  return SessionPtr(session);
}

void noteContext(const llmc_model *model, uint64_t context, bool isChosen) {
  uint64_t trained = uint64_t(modelInfo(model, LLMC_INFO_CTX_TRAIN));
  if (trained && context > trained)
    fmt::print(stderr, "llmc: {} is beyond the {} tokens that the model was trained for\n",
               isChosen ? fmt::format("--ctx {}", context) : fmt::format("a sequence of {}", context),
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

std::string noRoomFor(size_t tokens, size_t generated, const ModelOptions &options) {
  const size_t needed = tokens + generated;
  return options.ctx ? fmt::format("the prompt has {} tokens and --ctx is {}; --ctx {} makes room", tokens,
                                   options.ctx, needed)
                     : fmt::format("the prompt has {} tokens, more than the context; --ctx {} makes room",
                                   tokens, needed);
}

void checkRoom(size_t tokens, const ModelOptions &options) {
  if (options.ctx && tokens > options.ctx)
    throw Failure(noRoomFor(tokens, 0, options));
}

llmc_seq newSequence(llmc_session *session) {
  llmc_seq seq = -1;
  check(llmc_seq_new(session, &seq));
  return seq;
}

int64_t modelInfo(const llmc_model *model, llmc_info info) {
  int64_t value = 0;
  check(llmc_model_info(model, info, &value));
  return value;
}

const llmc_tokenizer *tokenizerIn(llmc_model *model) {
  const llmc_tokenizer *tokenizer = nullptr;
  size_t needed = 0; // a tokenizer may be there that only knows it has no tokens
  if (llmc_model_tokenizer(model, &tokenizer) != LLMC_OK || !tokenizer ||
      llmc_tokenize(tokenizer, "", 0, 0, nullptr, 0, &needed) == LLMC_EUNSUPPORTED)
    return nullptr;
  return tokenizer;
}

const llmc_tokenizer *tokenizerOf(llmc_model *model, const std::string &path, const char *tokensOption) {
  const llmc_tokenizer *tokenizer = tokenizerIn(model);
  if (!tokenizer)
    throw Failure(fmt::format("{}: the model has no tokenizer; give tokens with {}", path, tokensOption));
  return tokenizer;
}

Tokens tokenizeText(const llmc_tokenizer *tokenizer, std::string_view text, uint32_t flags) {
  return collectTokens(text.size() + 16, [&](llmc_token *buffer, size_t capacity, size_t *needed) {
    return llmc_tokenize(tokenizer, text.data(), text.size(), flags, buffer, capacity, needed);
  });
}

/// How long the character is that `text` begins with: 1 where it is no UTF-8.
static size_t characterLength(std::string_view text) {
  const auto first = uint8_t(text.front());
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
  auto isContinuation = [](char c) { return (uint8_t(c) & 0xC0) == 0x80; };
  bool isWhole = length <= text.size() &&
                 std::all_of(text.begin() + 1, text.begin() + std::min(length, text.size()), isContinuation);
  return isWhole ? length : 1;
}

void noteLostBytes(const llmc_tokenizer *tokenizer, std::string_view text) {
  constexpr int unknown = -1; // else how many bytes of a character are lost
  std::array<int, 256> single;
  single.fill(unknown);
  std::unordered_map<std::string_view, int> longer;
  size_t total = 0;
  for (size_t at = 0; at < text.size();) {
    const std::string_view character = text.substr(at, characterLength(text.substr(at)));
    at += character.size();
    const auto first = uint8_t(character.front());
    int &lost = character.size() == 1 ? single[first] : longer.try_emplace(character, unknown).first->second;
    if (lost == unknown) {
      bool isSpace = character.size() == 1 && std::isspace(first); // a normalizer may want it away
      lost = !isSpace && tokenizeText(tokenizer, character, 0).empty() ? int(character.size()) : 0;
    }
    total += size_t(lost);
  }
  if (total)
    fmt::print(stderr, "llmc: {} byte{} of the text {} in no token of this model and {} left out\n", total,
               total == 1 ? "" : "s", total == 1 ? "is" : "are", total == 1 ? "is" : "are");
}

Tokens inputTokens(llmc_model *model, const InputOptions &input, const std::string &path) {
  if (input.tokens)
    return parseTokens(*input.tokens);
  const llmc_tokenizer *tokenizer = tokenizerOf(model, path);
  noteLostBytes(tokenizer, *input.prompt);
  Tokens tokens =
      tokenizeText(tokenizer, *input.prompt, LLMC_TOKENIZE_ADD_SPECIAL | LLMC_TOKENIZE_PARSE_SPECIAL);
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
  if (path != "-")
    noteInput(path);
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
