//===- Generate.cpp - one answer, streamed --------------------------------===//
#include "tools/llmc/Generate.h"
#include "tools/llmc/Interrupt.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace llmc::cli {

const char *Answer::stopName() const {
  if (interrupted)
    return "interrupted";
  switch (stop) {
  case LLMC_STOP_EOS:
    return "eos";
  case LLMC_STOP_STRING:
    return "string";
  case LLMC_STOP_LENGTH:
    return "length";
  case LLMC_STOP_CTX:
    return "context";
  default:
    return "none";
  }
}

SamplerPtr newSampler(llmc_model *model, const RunOptions &options) {
  llmc_sampling_params params;
  llmc_sampling_params_init(&params, sizeof params);
  auto set = [](auto &field, const auto &given) { field = given.value_or(field); };
  set(params.temperature, options.temperature);
  set(params.top_k, options.topK);
  set(params.top_p, options.topP);
  set(params.min_p, options.minP);
  set(params.typical_p, options.typicalP);
  set(params.repeat_penalty, options.repeatPenalty);
  set(params.presence_penalty, options.presencePenalty);
  set(params.frequency_penalty, options.frequencyPenalty);
  set(params.penalty_last_n, options.penaltyLastN);
  set(params.seed, options.seed);
  llmc_sampler *sampler = nullptr;
  check(llmc_sampler_new(model, &params, &sampler));
  return SamplerPtr(sampler);
}

namespace {

/// What the event callback writes to. No exception may pass through the C API: a failed write stops the
/// generation.
struct Sink {
  Answer &answer;
  size_t keep;
  bool stream;
  std::exception_ptr failure = {};

  bool operator()(const llmc_event &event) {
    try {
      if (event.token >= 0) {
        answer.tokens.push_back(event.token);
        if (event.stop != LLMC_STOP_EOS)
          hold(event.token, size_t(event.pos));
      }
      answer.text.append(event.text ? event.text : "", event.text ? event.text_len : 0);
      if (stream && event.text_len) {
        print({event.text, event.text_len});
        flushOutput();
      }
      return true;
    } catch (...) {
      failure = std::current_exception();
      return false;
    }
  }
  /// A position before the end says that a window has forgotten what stood between.
  void hold(llmc_token token, size_t pos) {
    Tokens &held = answer.held;
    if (pos < held.size())
      held.erase(held.begin() + long(keep), held.end() - long(pos - keep));
    held.push_back(token);
  }
};

uint32_t contextPolicy(const RunOptions &options) {
  return options.ctxPolicy == "window"  ? LLMC_CTX_WINDOW
         : options.ctxPolicy == "shift" ? LLMC_CTX_SHIFT
                                        : LLMC_CTX_ERROR;
}

/// Takes the older half out of a prompt that has no room; false if there is nothing to take.
bool cut(llmc_session *session, llmc_seq seq, Prompt &prompt) {
  size_t droppable = prompt.tokens.size() - prompt.keep, n = (droppable + 1) / 2;
  if (droppable < 2)
    return false;
  auto begin = prompt.tokens.begin() + long(prompt.keep);
  prompt.tokens.erase(begin, begin + long(n));
  prompt.cached = std::min(prompt.cached, prompt.keep);
  check(llmc_kv_remove(session, seq, llmc_pos(prompt.cached), -1));
  return true;
}

} // namespace

Answer generate(const llmc_model *model, llmc_session *session, llmc_seq seq, llmc_sampler *sampler,
                Prompt prompt, const RunOptions &options, bool stream, bool mayCut) {
  const bool isWindow = contextPolicy(options) == LLMC_CTX_WINDOW;
  Answer answer;
  answer.promptTokens = prompt.tokens.size();
  answer.cachedTokens = prompt.cached;
  InterruptScope scope(session);
  Stopwatch watch;
  auto evaluate = [&] {
    return prefill(model, session, seq, std::span(prompt.tokens).subspan(prompt.cached), options,
                   !options.trace.empty() || options.isAsked());
  };
  llmc_status status = evaluate();
  while (status == LLMC_ENOSPC_KV && isWindow && mayCut && cut(session, seq, prompt))
    status = evaluate();
  if (const size_t missing = answer.promptTokens - prompt.tokens.size())
    fmt::print(stderr, "llmc: the prompt is longer than the context; {} of its tokens are left out\n",
               missing);
  if (status == LLMC_ECANCELLED &&
      !scope.interrupted()) { // a Ctrl-C that came when the last answer was just done
    prompt.cached = size_t(llmc_seq_len(session, seq));
    status = evaluate();
  }
  answer.prefillSeconds = watch.seconds();
  answer.held = prompt.tokens;
  if (status == LLMC_ECANCELLED && scope.interrupted()) {
    answer.interrupted = true;
    answer.held.resize(size_t(llmc_seq_len(session, seq)));
    return answer;
  }
  if (status == LLMC_ENOSPC_KV)
    throw ContextFull(noRoomFor(prompt.tokens.size(), 1, options));
  check(status);

  std::vector<const char *> stops;
  for (const std::string &stop : options.stop)
    stops.push_back(stop.c_str());
  llmc_generate_params params;
  llmc_generate_params_init(&params, sizeof params);
  params.stop = stops.data();
  params.n_stop = stops.size();
  if (options.n)
    params.max_tokens = options.n;
  params.flags = options.ignoreEos ? LLMC_GENERATE_IGNORE_EOS : 0;
  params.ctx_policy = contextPolicy(options);
  params.history = prompt.tokens.data();
  params.n_history = prompt.tokens.size();
  params.n_keep = uint32_t(prompt.keep);
  Sink sink{answer, prompt.keep, stream};
  auto onEvent = [](const llmc_event *event, void *data) { return (*static_cast<Sink *>(data))(*event); };
  watch = Stopwatch();
  status = llmc_generate(session, seq, sampler, &params, onEvent, &sink, &answer.stop);
  answer.generateSeconds = watch.seconds();
  if (sink.failure)
    std::rethrow_exception(sink.failure);
  answer.interrupted =
      scope.interrupted() && (status == LLMC_ECANCELLED || answer.stop == LLMC_STOP_CALLBACK);
  if (!answer.interrupted)
    check(status);
  if (size_t(llmc_seq_len(session, seq)) != answer.held.size()) { // cancelled while a window was evaluated
    size_t known = std::min(prompt.keep, size_t(llmc_seq_len(session, seq)));
    check(llmc_kv_remove(session, seq, llmc_pos(known), -1));
    answer.held.resize(known);
  }
  return answer;
}

void noteLength(const Answer &answer, const RunOptions &options) {
  if (answer.stop == LLMC_STOP_LENGTH && (options.verbose || (!options.json && isatty(STDERR_FILENO))))
    fmt::print(stderr, "llmc: stopped after {} token{} (-n)\n", answer.tokens.size(),
               answer.tokens.size() == 1 ? "" : "s");
}

size_t keptTokens(llmc_model *model, const RunOptions &options, const std::optional<std::string> &system,
                  const Tokens &prompt) {
  const llmc_tokenizer *tokenizer = nullptr;
  if (options.ctxPolicy == "error" || llmc_model_tokenizer(model, &tokenizer) != LLMC_OK)
    return 0;
  if (!options.chat)
    return !prompt.empty() && prompt.front() == llmc_token_special(tokenizer, "bos");
  size_t common = prompt.size();
  for (const char *question : {"a", "1"}) {
    Conversation conversation;
    if (system)
      conversation.add("system", *system);
    conversation.add("user", question);
    Tokens other = tokenizeChat(tokenizer, conversation.json(), options.model);
    common = std::min(common,
                      size_t(std::mismatch(prompt.begin(), prompt.end(), other.begin(), other.end()).first -
                             prompt.begin()));
  }
  return common;
}

std::optional<std::string> Conversation::system() const {
  return !messages.empty() && messages.front().first == "system" ? std::optional(messages.front().second)
                                                                 : std::nullopt;
}

bool Conversation::forgetOlderHalf() {
  size_t first = system() ? 1 : 0, turns = (messages.size() - first) / 2; // each a question and its answer
  auto begin = messages.begin() + long(first);
  messages.erase(begin, begin + long(2 * ((turns + 1) / 2)));
  return turns > 0;
}

Conversation Conversation::parse(const std::string &json) {
  Conversation result;
  try {
    for (const nlohmann::json &message : nlohmann::json::parse(json))
      result.add(message.at("role"), message.at("content"));
  } catch (const nlohmann::json::exception &) {
    throw Failure("the conversation is damaged");
  }
  return result;
}

std::string Conversation::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto &[role, content] : messages)
    list.push_back({{"role", role}, {"content", content}});
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Tokens tokenizeChat(const llmc_tokenizer *tokenizer, const std::string &messages, const std::string &path) {
  return collectTokens(messages.size() + 256, [&](llmc_token *buffer, size_t capacity, size_t *needed) {
    llmc_status status = llmc_chat_tokenize(tokenizer, messages.data(), messages.size(), nullptr,
                                            /*add_generation_prompt=*/true, buffer, capacity, needed);
    if (status == LLMC_EUNSUPPORTED) // the library's advice is for programs
      throw Failure(lastSentence().find("has no chat template") != std::string::npos
                        ? path + ": the model has no chat template; use -p without --chat"
                        : path + ": " + lastSentence());
    return status;
  });
}

} // namespace llmc::cli
