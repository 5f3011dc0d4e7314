//===- Generate.cpp - one answer, streamed --------------------------------===//
#include "tools/llmc/Generate.h"
#include "tools/llmc/Interrupt.h"

#include <nlohmann/json.hpp>

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
  bool stream;
  std::exception_ptr failure = {};

  bool operator()(const llmc_event &event) {
    try {
      if (event.token >= 0)
        answer.tokens.push_back(event.token);
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
};

} // namespace

Answer generate(llmc_session *session, llmc_seq seq, llmc_sampler *sampler, const Tokens &prompt,
                size_t cached, const RunOptions &options, bool stream) {
  Answer answer;
  answer.promptTokens = prompt.size();
  InterruptScope scope(session);
  Stopwatch watch;
  llmc_status status = prefill(session, seq, std::span(prompt).subspan(cached), options);
  if (status == LLMC_ECANCELLED &&
      !scope.interrupted()) { // a Ctrl-C that came when the last answer was just done
    cached = size_t(llmc_seq_len(session, seq));
    status = prefill(session, seq, std::span(prompt).subspan(cached), options);
  }
  answer.prefillSeconds = watch.seconds();
  if (status == LLMC_ECANCELLED && scope.interrupted()) {
    answer.interrupted = true;
    return answer;
  }
  if (status == LLMC_ENOSPC_KV)
    throw ContextFull(lastSentence());
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
  Sink sink{answer, stream};
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
  return answer;
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
