//===- Granite.cpp - Granite 3 --------------------------------------------===//
//
// A Llama with a multiplier each for embeddings, scores and what is added to the residual stream, and a
// divisor of the logits.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"
#include "frontend/ShortestF32.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
  spec.embeddingScale = config.optionalNumber("embedding_scale").value_or(1.0);
  spec.residualScale = config.optionalNumber("residual_scale").value_or(1.0);
  double divisor = config.optionalNumber("logit_scale").value_or(1.0);
  spec.outputScale = shortestF32(1.0 / divisor);
  if (!config.optionalBool("rope.scaling.finetuned").value_or(true)) // so they say that there is none
    spec.positions = Positions::None;
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  auto number = [&](const char *name) { return config.optionalNumber(name).value_or(1.0); };
  spec.embeddingScale = number("embedding_multiplier");
  spec.attention.scale = number("attention_multiplier"); // in place of 1 / sqrt(head_dim)
  spec.residualScale = number("residual_multiplier");
  spec.outputScale = shortestF32(1.0 / number("logits_scaling"));
  for (auto [trait, name] : {std::pair("embedding.scale", "embedding_multiplier"),
                             {"attention.scale", "attention_multiplier"},
                             {"residual.scale", "residual_multiplier"},
                             {"output.scale", "logits_scaling"}})
    spec.keys[trait] = config.key(name);
}

extern const Architecture architectureGranite;
const Architecture architectureGranite{"granite", readGguf, {"GraniteForCausalLM", "granite"}, readHf};

} // namespace llmc::frontend
