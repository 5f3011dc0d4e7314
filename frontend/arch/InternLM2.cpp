//===- InternLM2.cpp - InternLM2, InternLM2.5 -----------------------------===//
//
// A Llama that stores q, k and v in one tensor, by groups of heads; its GGUF has them apart.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/FusedRows.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  auto name = [&](const std::string &word) { return config.tensorName("model.layers.{i}." + word); };
  bool isBiased = config.optionalBool("bias").value_or(false);
  spec.embedding = config.tensorName("model.tok_embeddings.weight");
  spec.attention.norms.before = layerNorm(config, "attention_norm");
  takeGroupedQkvRows(spec.attention, name("attention.wqkv.weight"),
                     isBiased ? name("attention.wqkv.bias") : "");
  spec.attention.o = layerLinear(config, "attention.wo", "bias");
  spec.mlp.norms.before = layerNorm(config, "ffn_norm");
  spec.mlp.gate = layerLinear(config, "feed_forward.w1");
  spec.mlp.up = layerLinear(config, "feed_forward.w3");
  spec.mlp.down = layerLinear(config, "feed_forward.w2");
  if (!spec.tied)
    spec.output = {config.tensorName("output.weight"), ""};
}

extern const Architecture architectureInternLM2;
const Architecture architectureInternLM2{
    "internlm2", readGguf, {"InternLM2ForCausalLM", "internlm2"}, readHf};

} // namespace llmc::frontend
