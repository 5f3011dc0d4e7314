// What transformers computes in float32 with the demo model's own weights: tests/fixtures/smollm2.ref, made
// by tests/support/make_smollm2_reference.py.
#pragma once

#include "Reference.h"

namespace llmc::e2e {

struct Prompt {
  std::string text;
  Tokens tokens;
  Row logits; // at Reference::ids
  Tokens topIds;
  Row topLogits;
  float spread = 0, mean = 0, highest = 0, logSumExp = 0;
  Tokens greedy, second; // the best and the next best of each step
  Row gap;               // between the two, in standard deviations of that step's row
};

struct Smollm2Reference {
  size_t vocab = 0;
  Tokens ids;
  std::vector<Prompt> prompts;
  std::string text;
  Tokens textTokens;
  Row nll; // nll[i] is that of textTokens[i + 1]
};

inline Smollm2Reference readSmollm2Reference(const std::string &path) {
  Reader in(path);
  in.magic("LLMCREF1");
  Smollm2Reference reference;
  reference.vocab = in.u32();
  size_t prompts = in.u32(), ids = in.u32(), top = in.u32(), steps = in.u32();
  reference.ids = in.array<llmc_token>(ids);
  for (size_t p = 0; p < prompts; ++p) {
    Prompt prompt;
    size_t bytes = in.u32(), tokens = in.u32();
    prompt.text = in.text(bytes);
    prompt.tokens = in.array<llmc_token>(tokens);
    prompt.logits = in.array<float>(ids);
    prompt.topIds = in.array<llmc_token>(top);
    prompt.topLogits = in.array<float>(top);
    std::vector<float> row = in.array<float>(4);
    prompt.spread = row[0], prompt.mean = row[1], prompt.highest = row[2], prompt.logSumExp = row[3];
    prompt.greedy = in.array<llmc_token>(steps);
    prompt.second = in.array<llmc_token>(steps);
    prompt.gap = in.array<float>(steps);
    reference.prompts.push_back(std::move(prompt));
  }
  size_t bytes = in.u32(), tokens = in.u32();
  reference.text = in.text(bytes);
  reference.textTokens = in.array<llmc_token>(tokens);
  if (tokens < 2)
    die("%s: the text has no tokens", path.c_str());
  reference.nll = in.array<float>(tokens - 1);
  in.end();
  if (prompts == 0 || ids == 0 || steps == 0)
    die("%s: holds nothing to compare", path.c_str());
  return reference;
}

} // namespace llmc::e2e
