//===- Run.cpp - llmc run -------------------------------------------------===//
#include "tools/llmc/Generate.h"

#include <fmt/format.h>
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

Tokens promptTokens(llmc_model *model, const RunOptions &options) {
  if (options.tokens)
    return parseTokens(*options.tokens);
  const llmc_tokenizer *tokenizer = tokenizerOf(model, options.model);
  if (options.chat) {
    Conversation conversation;
    conversation.add("user", *options.prompt);
    return tokenizeChat(tokenizer, conversation.json(), options.model);
  }
  Tokens tokens =
      tokenizeText(tokenizer, *options.prompt, LLMC_TOKENIZE_ADD_SPECIAL | LLMC_TOKENIZE_PARSE_SPECIAL);
  if (tokens.empty())
    throw Failure("-p: the prompt has no tokens, and this model starts no text with one of its own");
  return tokens;
}

} // namespace

int run(const RunOptions &options) {
  if (options.prompt && options.tokens)
    throw UsageError("-p and --tokens exclude each other");
  if (options.chat && options.tokens)
    throw UsageError("--chat and --tokens exclude each other");
  if (!options.chat && !options.prompt && !options.tokens)
    throw UsageError("a prompt is missing: give -p TEXT, --chat or --tokens 1,2,3");
  if (options.chat && !options.prompt && options.json)
    throw UsageError("--json prints one answer: give --chat a question with -p TEXT");
  if (options.tokens)
    parseTokens(*options.tokens); // before a model is loaded, or compiled

  std::string path = compiledModel(options.model, options.verbose);
  Stopwatch watch;
  ModelPtr model = loadModel(path, options);
  double loadSeconds = watch.seconds();
  if (options.chat && !options.prompt)
    return chat(model.get(), tokenizerOf(model.get(), options.model), options);

  Tokens prompt = promptTokens(model.get(), options);
  SessionPtr session = newSession(model.get(), options, options.n ? prompt.size() + options.n : 0);
  llmc_seq seq;
  check(llmc_seq_new(session.get(), &seq));
  SamplerPtr sampler = newSampler(model.get(), options);
  Answer answer = generate(session.get(), seq, sampler.get(), prompt, 0, options, /*stream=*/!options.json);
  if (options.json)
    printJson(answer, loadSeconds);
  else
    print("\n");
  flushOutput();
  if (answer.interrupted)
    throw Failure("interrupted");
  if (options.verbose || (!options.json && isatty(STDERR_FILENO)))
    printSummary(answer, loadSeconds);
  return 0;
}

} // namespace llmc::cli
