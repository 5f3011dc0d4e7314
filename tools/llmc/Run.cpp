//===- Run.cpp - llmc run -------------------------------------------------===//
#include "tools/llmc/Profile.h"
#include "tools/llmc/SessionFile.h"
#include "tools/llmc/TraceWriter.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace llmc::cli {
namespace {

double perSecond(size_t n, double seconds) { return seconds > 0 ? double(n) / seconds : 0; }

void printJson(const Answer &answer, double loadSeconds) {
  nlohmann::ordered_json object = {
      {"tokens", answer.tokens},
      {"text", answer.text},
      {"prompt_tokens", answer.promptTokens},
      {"cached_tokens", answer.cachedTokens},
      {"stop", answer.stopName()},
      {"timings",
       {{"load_ms", loadSeconds * 1e3},
        {"prompt_ms", answer.prefillSeconds * 1e3},
        {"generate_ms", answer.generateSeconds * 1e3},
        {"prompt_tok_s", perSecond(answer.promptTokens, answer.prefillSeconds)},
        {"generate_tok_s", perSecond(answer.tokens.size(), answer.generateSeconds)}}}};
  print(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void printSummary(const Answer &answer, double loadSeconds) {
  fmt::print(
      stderr,
      "llmc: loaded in {:.0f} ms, prompt {} tokens at {:.1f}/s, answer {} tokens at {:.1f}/s, stop: {}\n",
      loadSeconds * 1e3, answer.promptTokens, perSecond(answer.promptTokens, answer.prefillSeconds),
      answer.tokens.size(), perSecond(answer.tokens.size(), answer.generateSeconds), answer.stopName());
}

/// One answer, and what --session keeps of it. Without --chat only the same tokens count as cached, so that
/// the answer does not depend on whether there is a session.
Answer answerOnce(llmc_model *model, const RunOptions &options, Profiler *profiler) {
  std::optional<SessionReader> saved = savedSession(options);
  Conversation conversation = conversationOf(options, saved);
  const llmc_tokenizer *tokenizer = options.chat ? tokenizerOf(model, options.model) : nullptr;
  if (options.chat)
    conversation.add("user", *options.prompt);
  Prompt prompt;
  prompt.tokens = options.chat ? tokenizeChat(tokenizer, conversation.json(), options.model)
                               : inputTokens(model, options, options.model);
  if (prompt.tokens.empty())
    throw Failure(fmt::format("{}: the chat template writes nothing", options.model));
  size_t n = std::max(prompt.tokens.size() + options.n, saved ? saved->tokens().size() : 0);
  SessionPtr session = newSession(model, options, options.n ? n : 0);
  CachedPrefix cache = prefixOf(saved, session.get(), tokenizer);
  prompt.cached = cache.keepCommon(prompt.tokens);
  prompt.keep = keptTokens(model, options, conversation.system(), prompt.tokens);
  SamplerPtr sampler = newSampler(model, options);
  auto trace = newTrace(model, session.get(), options.model, options);
  if (profiler)
    profiler->begin(session.get());
  Answer answer = traced(trace.get(), [&] {
    return generate(model, session.get(), cache.sequence(), sampler.get(), std::move(prompt), options,
                    /*stream=*/!options.json);
  });
  if (profiler)
    profiler->end();
  cache.note(answer.held);
  conversation.add("assistant", answer.text);
  saveSession(options, session.get(), cache, options.chat ? conversation.json() : "");
  return answer;
}

} // namespace

int run(const RunOptions &options) {
  if (options.chat && options.tokens)
    throw UsageError("--chat and --tokens exclude each other");
  if (!options.chat && !options.prompt && !options.tokens)
    throw UsageError("a prompt is missing: give -p TEXT, --chat or --tokens 1,2,3");
  if (options.chat && !options.prompt && options.json)
    throw UsageError("--json prints one answer: give --chat a question with -p TEXT");
  if (options.chat && !options.prompt && (!options.trace.empty() || options.isAsked()))
    throw UsageError("traces and profiles are of one answer: give --chat a question with -p TEXT");
  if (options.system && !options.chat)
    throw UsageError("--system needs --chat");
  if (std::ranges::any_of(options.stop, [](const std::string &stop) { return stop.empty(); }))
    throw UsageError("--stop: expected some text, but found none");
  if (!options.chat)
    checkInput(options); // before a model is loaded, or compiled

  double loadSeconds = 0;
  ModelPtr model = openModel(options, &loadSeconds);
  if (options.ctxPolicy == "shift" && !modelInfo(model.get(), LLMC_INFO_CAN_SHIFT))
    throw Failure("--ctx-policy shift: this llmc cannot shift the cache of a model yet; --ctx-policy window "
                  "evaluates again "
                  "what stays");
  if (options.chat && !options.prompt)
    return chat(model.get(), tokenizerOf(model.get(), options.model), options);
  auto profiler = newProfiler(model.get(), options);
  Answer answer = answerOnce(model.get(), options, profiler.get());
  if (options.json)
    printJson(answer, loadSeconds);
  else
    print((tokenizerIn(model.get()) ? "" : fmt::format("{}", fmt::join(answer.tokens, ","))) + "\n");
  flushOutput();
  if (!options.json && !tokenizerIn(model.get()))
    fmt::print(stderr, "llmc: {}: the model has no tokenizer, so the answer is token ids\n", options.model);
  if (profiler)
    profiler->report();
  if (answer.interrupted)
    throw Failure("interrupted");
  if (answer.stop == LLMC_STOP_CTX && !options.json)
    fmt::print(stderr, "llmc: the context is full; --ctx N makes it longer, -n N asks for less\n");
  noteLength(answer, options);
  if (options.verbose || (!options.json && isatty(STDERR_FILENO)))
    printSummary(answer, loadSeconds);
  return 0;
}

} // namespace llmc::cli
