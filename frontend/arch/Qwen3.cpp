//===- Qwen3.cpp - Qwen3 --------------------------------------------------===//
//
// A Llama that norms each head of q and k before the rotation.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Half, spec);
  spec.attention.qkNorm = QKNorm::PerHead;
  spec.attention.qNorm = layerNorm("attn_q_norm");
  spec.attention.kNorm = layerNorm("attn_k_norm");
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  readWindowLayers(config, spec);
  spec.attention.qkNorm = QKNorm::PerHead;
  spec.attention.qNorm = layerNorm(config, "self_attn.q_norm");
  spec.attention.kNorm = layerNorm(config, "self_attn.k_norm");
}

extern const Architecture architectureQwen3;
const Architecture architectureQwen3{"qwen3", readGguf, {"Qwen3ForCausalLM", "qwen3"}, readHf};

} // namespace llmc::frontend
