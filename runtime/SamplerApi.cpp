// The sampling functions of the C API.
#include "runtime/Sampler.h"
#include "runtime/Session.h"
#include "runtime/SizedStruct.h"

#include <cmath>

using namespace llmc;

void llmc_sampling_params_init(llmc_sampling_params *params, size_t struct_size) {
  llmc_sampling_params defaults = {};
  defaults.top_p = defaults.typical_p = defaults.repeat_penalty = 1;
  defaults.penalty_last_n = 64;
  initSized(params, struct_size, defaults);
}

static llmc_status checkRange(const char *field, float value, float low, float high) {
  if (!(value >= low && value <= high))
    return setError(LLMC_EARG, "llmc_sampler_new: %s is %g, expected %g to %g", field, double(value),
                    double(low), double(high));
  return LLMC_OK;
}

llmc_status llmc_sampler_new(const llmc_model *model, const llmc_sampling_params *params,
                             llmc_sampler **out) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(out);
  llmc_sampling_params resolved;
  llmc_sampling_params_init(&resolved, sizeof(resolved));
  if (llmc_status status = readSized(__func__, params, resolved))
    return status;
  struct Range {
    const char *field;
    float value, low, high;
  };
  const Range ranges[] = {{"temperature", resolved.temperature, 0, 1e6f},
                          {"top_p", resolved.top_p, 0, 1},
                          {"min_p", resolved.min_p, 0, 1},
                          {"typical_p", resolved.typical_p, 0, 1},
                          {"repeat_penalty", resolved.repeat_penalty, 1e-3f, 1e3f},
                          {"presence_penalty", resolved.presence_penalty, -1e3f, 1e3f},
                          {"frequency_penalty", resolved.frequency_penalty, -1e3f, 1e3f}};
  for (const Range &range : ranges)
    if (llmc_status status = checkRange(range.field, range.value, range.low, range.high))
      return status;
  if (resolved.top_k < 0)
    return setError(LLMC_EARG, "llmc_sampler_new: top_k is %d, expected 0 (off) or more", resolved.top_k);
  if (resolved.penalty_last_n < -1)
    return setError(LLMC_EARG, "llmc_sampler_new: penalty_last_n is %d, expected -1 (all) or more",
                    resolved.penalty_last_n);
  return guarded([&] {
    *out = new llmc_sampler(resolved, model->tables().vocab);
    return LLMC_OK;
  });
}

llmc_status llmc_sampler_clone(const llmc_sampler *sampler, llmc_sampler **out) {
  LLMC_CHECK_ARG(sampler);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(sampler, sampler);
  if (sampler->hasStages())
    return setError(LLMC_EUNSUPPORTED, "llmc_sampler_clone: stages of the caller cannot be copied: "
                                       "clone first, then add them to each");
  return guarded([&] {
    *out = new llmc_sampler(*sampler);
    return LLMC_OK;
  });
}

llmc_status llmc_sampler_bias(llmc_sampler *sampler, const llmc_token *tokens, const float *bias, size_t n) {
  LLMC_CHECK_ARG(sampler);
  if (n) {
    LLMC_CHECK_ARG(tokens);
    LLMC_CHECK_ARG(bias);
  }
  LLMC_ENTER(sampler, sampler);
  for (size_t i = 0; i < n; ++i) {
    if (tokens[i] < 0 || uint32_t(tokens[i]) >= sampler->vocabulary())
      return setError(LLMC_EARG, "llmc_sampler_bias: token %zu is %d, the vocabulary has ids 0 to %u", i,
                      tokens[i], sampler->vocabulary() - 1);
    if (std::isnan(bias[i]) || bias[i] == INFINITY)
      return setError(LLMC_EARG, "llmc_sampler_bias: bias %zu is %g, expected a number or -infinity", i,
                      double(bias[i]));
  }
  return guarded([&] {
    for (size_t i = 0; i < n; ++i)
      sampler->addBias(tokens[i], bias[i]);
    return LLMC_OK;
  });
}

llmc_status llmc_sampler_add(llmc_sampler *sampler, const llmc_sampler_stage *stage) {
  LLMC_CHECK_ARG(sampler);
  LLMC_CHECK_ARG(stage);
  LLMC_ENTER(sampler, sampler);
  llmc_sampler_stage copy = {};
  if (llmc_status status = readSized(__func__, stage, copy))
    return status;
  return guarded([&] {
    sampler->addStage(copy);
    return LLMC_OK;
  });
}

llmc_status llmc_sampler_sample(llmc_sampler *sampler, llmc_session *session, int32_t row, llmc_token *out,
                                float *logprob) {
  LLMC_CHECK_ARG(sampler);
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(sampler, sampler);
  LLMC_ENTER(session, session);
  if (sampler->vocabulary() != session->vocab())
    return setError(LLMC_EARG,
                    "llmc_sampler_sample: the sampler is for %u tokens, the session's model has %u",
                    sampler->vocabulary(), session->vocab());
  return guarded([&] { return session->sample(row, *sampler, "llmc_sampler_sample", *out, logprob); });
}

llmc_status llmc_sampler_accept(llmc_sampler *sampler, llmc_token token) {
  LLMC_CHECK_ARG(sampler);
  LLMC_ENTER(sampler, sampler);
  if (token < 0 || uint32_t(token) >= sampler->vocabulary())
    return setError(LLMC_EARG, "llmc_sampler_accept: token is %d, the vocabulary has ids 0 to %u", token,
                    sampler->vocabulary() - 1);
  return guarded([&] { return sampler->accept(token); });
}

void llmc_sampler_free(llmc_sampler *sampler) { delete sampler; }

llmc_status llmc_sampler_grammar(llmc_sampler *sampler, const llmc_grammar *) {
  LLMC_CHECK_ARG(sampler);
  return setError(LLMC_EUNSUPPORTED,
                  "llmc_sampler_grammar: grammars are not in this build; a stage of your own "
                  "(llmc_sampler_add) can mask tokens");
}

llmc_status llmc_grammar_parse(const llmc_tokenizer *, const char *, const char *, size_t,
                               llmc_grammar **out) {
  LLMC_CHECK_ARG(out);
  return setError(LLMC_EUNSUPPORTED,
                  "llmc_grammar_parse: grammars are not in this build; a stage of your own "
                  "(llmc_sampler_add) can mask tokens");
}

void llmc_grammar_free(llmc_grammar *) {}
