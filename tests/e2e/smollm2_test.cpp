//===- smollm2_test.cpp - the demo model against its float32 reference ----===//
//
// Holds the compiled demo model against the float32 reference of its own weights (smollm2.ref): logits of ten
// prompts, 48 greedy tokens each, tokens and text, and the perplexity of a thousand-token text.
//
//   smollm2_test MODEL.so REFERENCE.ref --activations f32|int8 [--threads N]
//
//===----------------------------------------------------------------------===//
#include "Smollm2Reference.h"

#include <algorithm>

using namespace llmc::e2e;

namespace {

struct Limits {
  double logits;     // in standard deviations
  double perplexity; // relative
  double tie;        // two candidates closer than this, in standard deviations, may change places
  bool greedy;       // whether the 48 tokens count
};

// Whether the stored tokens are what the model's tokenizer makes of the text (of its beginning, for a text
// that was cut at a number of tokens), and give the text back.
bool checkTokenizer(const Model &model, const std::string &text, const Tokens &expected) {
  const llmc_tokenizer *tokenizer = nullptr;
  LLMC_CHECK(llmc_model_tokenizer(model.get(), &tokenizer));
  Tokens tokens(text.size() + 1);
  size_t n = 0;
  LLMC_CHECK(llmc_tokenize(tokenizer, text.data(), text.size(), LLMC_TOKENIZE_PARSE_SPECIAL, tokens.data(),
                           tokens.size(), &n));
  tokens.resize(n);
  std::string back(text.size() * 4 + 64, '\0');
  size_t length = 0;
  LLMC_CHECK(
      llmc_detokenize(tokenizer, expected.data(), expected.size(), 0, back.data(), back.size(), &length));
  back.resize(length);
  bool same =
      tokens.size() >= expected.size() && std::equal(expected.begin(), expected.end(), tokens.begin());
  if (!same || text.compare(0, back.size(), back) != 0 || back.empty()) {
    std::fprintf(stderr, "other tokens or text for: %.60s\n", text.c_str());
    return false;
  }
  return true;
}

/// Whether the reference has the token within `tie` standard deviations of its highest.
bool isNearlyHighest(const Prompt &prompt, llmc_token token, double tie) {
  for (size_t i = 0; i < prompt.topIds.size(); ++i)
    if (prompt.topIds[i] == token)
      return prompt.highest - prompt.topLogits[i] < tie * prompt.spread;
  return false;
}

// One prompt's row, then its greedy steps along the reference's own tokens: after a permitted exchange of two
// near-equal candidates the comparison goes on where the reference went.
bool checkPrompt(const Model &model, const Smollm2Reference &reference, const Prompt &prompt,
                 const Limits &limits, WorstError &all, size_t &greedyChecked) {
  Session session = newSession(model, prompt.tokens.size() + prompt.greedy.size(), 1, 512);
  llmc_seq seq = newSequence(session);
  LLMC_CHECK(llmc_prefill(session.get(), seq, prompt.tokens.data(), prompt.tokens.size()));
  Row row = logitsRow(session, -1, reference.vocab);

  WorstError error;
  double unit = prompt.spread;
  for (size_t i = 0; i < reference.ids.size(); ++i)
    error.add(row[static_cast<size_t>(reference.ids[i])], prompt.logits[i], unit);
  for (size_t i = 0; i < prompt.topIds.size(); ++i)
    error.add(row[static_cast<size_t>(prompt.topIds[i])], prompt.topLogits[i], unit);
  // These three see the whole row, not only the stored part of it.
  error.add(spread(row), prompt.spread, unit);
  error.add(row[static_cast<size_t>(argmax(row))], prompt.highest, unit);
  error.add(logSumExp(row), prompt.logSumExp, unit);
  for (size_t i = 0; i < prompt.topIds.size(); ++i)
    all.add(row[static_cast<size_t>(prompt.topIds[i])], prompt.topLogits[i], unit);
  for (size_t i = 0; i < reference.ids.size(); ++i)
    all.add(row[static_cast<size_t>(reference.ids[i])], prompt.logits[i], unit);
  bool good = error.within(limits.logits);
  if (argmax(row) != prompt.greedy[0] && !isNearlyHighest(prompt, argmax(row), limits.tie)) {
    std::fprintf(stderr, "highest logit at %d, expected %d (%.1e std above the next)\n", argmax(row),
                 prompt.greedy[0], static_cast<double>(prompt.gap[0]));
    good = false;
  }

  llmc_sampling_params sampling;
  llmc_sampling_params_init(&sampling, sizeof sampling);
  sampling.temperature = 0;
  llmc_sampler *made = nullptr;
  LLMC_CHECK(llmc_sampler_new(model.get(), &sampling, &made));
  Sampler sampler(made);
  size_t equal = 0;
  for (size_t i = 0; i < prompt.greedy.size(); ++i) {
    llmc_token best = argmax(row), sampled = -1;
    LLMC_CHECK(llmc_sampler_sample(sampler.get(), session.get(), -1, &sampled, nullptr));
    if (sampled != best) {
      std::fprintf(stderr, "step %zu: the greedy sampler took %d, the highest logit is at %d\n", i, sampled,
                   best);
      good = false;
    }
    ++greedyChecked;
    if (best == prompt.greedy[i]) {
      ++equal;
    } else if (prompt.gap[i] < limits.tie && best == prompt.second[i]) {
      std::printf("  step %zu: %d instead of %d, which the reference has only %.1e std higher: permitted\n",
                  i, best, prompt.greedy[i], static_cast<double>(prompt.gap[i]));
    } else if (limits.greedy) {
      std::fprintf(stderr, "step %zu: %d, expected %d (%.1e std above the next)\n", i, best, prompt.greedy[i],
                   static_cast<double>(prompt.gap[i]));
      good = false;
    }
    if (i + 1 < prompt.greedy.size()) {
      LLMC_CHECK(llmc_decode(session.get(), seq, prompt.greedy[i]));
      row = logitsRow(session, -1, reference.vocab);
    }
  }
  std::printf("%3zu tokens: error %.2e std, greedy %zu of %zu equal\n", prompt.tokens.size(), error.value(),
              equal, prompt.greedy.size());
  return good;
}

bool checkPerplexity(const Model &model, const Smollm2Reference &reference, double limit) {
  constexpr size_t chunk = 250;
  const Tokens &tokens = reference.textTokens;
  Session session = newSession(model, tokens.size(), 1, chunk);
  llmc_seq seq = newSequence(session);
  Batch batch = newBatch(chunk);
  double sum = 0, expected = 0;
  size_t counted = 0;
  for (size_t from = 0; from < tokens.size(); from += chunk) {
    size_t n = std::min(chunk, tokens.size() - from);
    llmc_batch_clear(batch.get());
    int32_t first = -1;
    LLMC_CHECK(llmc_batch_add(batch.get(), seq, tokens.data() + from, n, LLMC_OUT_ALL, &first));
    LLMC_CHECK(llmc_eval(session.get(), batch.get()));
    for (size_t i = from; i < from + n && i + 1 < tokens.size(); ++i, ++counted) {
      Row row = logitsRow(session, first + static_cast<int32_t>(i - from), reference.vocab);
      sum += logSumExp(row) - static_cast<double>(row[static_cast<size_t>(tokens[i + 1])]);
      expected += static_cast<double>(reference.nll[i]);
    }
  }
  if (counted != reference.nll.size())
    die("%zu tokens were judged, expected %zu", counted, reference.nll.size());
  double got = std::exp(sum / static_cast<double>(counted)),
         want = std::exp(expected / static_cast<double>(counted));
  double apart = got / want - 1;
  std::printf("perplexity %.5f, reference %.5f: %+.4f %% (limit %.2f %%)\n", got, want, 100 * apart,
              100 * limit);
  return std::abs(apart) <= limit;
}

} // namespace

int main(int argc, char **argv) {
  std::vector<std::string> files;
  std::string activations;
  uint32_t threads = 0;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "--activations" && i + 1 < argc)
      activations = argv[++i];
    else if (arg == "--threads" && i + 1 < argc)
      threads = static_cast<uint32_t>(std::atoi(argv[++i]));
    else
      files.push_back(arg);
  }
  // Float32: rounding adds up to some 1e-4 over 30 layers. Int8 activations: the measured cost of groups
  // of 32.
  Limits limits{};
  if (activations == "f32")
    limits = {.logits = 2e-3, .perplexity = 1e-3, .tie = 1e-3, .greedy = true};
  else if (activations == "int8")
    // Rounding moves a logit by some 0.05 std: candidates nearer to each other than two of these may change
    // places.
    limits = {.logits = 0.35, .perplexity = 0.01, .tie = 0.1, .greedy = false};
  if (files.size() != 2 || limits.logits == 0)
    die("usage: smollm2_test MODEL.so REFERENCE.ref --activations f32|int8 [--threads N]");
  Smollm2Reference reference = readSmollm2Reference(files[1]);

  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.n_threads = threads;
  llmc_model *loaded = nullptr;
  LLMC_CHECK(llmc_model_load(files[0].c_str(), &params, &loaded));
  Model model(loaded);

  bool good = checkTokenizer(model, reference.text, reference.textTokens);
  WorstError all;
  size_t greedyChecked = 0;
  for (const Prompt &prompt : reference.prompts) {
    good = checkTokenizer(model, prompt.text, prompt.tokens) && good;
    good = checkPrompt(model, reference, prompt, limits, all, greedyChecked) && good;
  }
  std::printf("%zu logits of %zu prompts, largest error %.2e std (limit %.1e)\n", all.compared(),
              reference.prompts.size(), all.value(), limits.logits);
  good = checkPerplexity(model, reference, limits.perplexity) && good;
  if (all.compared() == 0 || greedyChecked == 0)
    die("nothing was compared");
  if (!good || !all.within(limits.logits))
    die("%s: FAILED", files[0].c_str());
  return 0;
}
