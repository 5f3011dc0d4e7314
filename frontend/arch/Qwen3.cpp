//===- Qwen3.cpp - Qwen3 --------------------------------------------------===//
//
// A Llama that norms each head of q and k before the rotation.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Half, spec);
  spec.attention.qkNorm = QKNorm::PerHead;
  spec.attention.qNorm = layerNorm("attn_q_norm");
  spec.attention.kNorm = layerNorm("attn_k_norm");
}

extern const Architecture architectureQwen3;
const Architecture architectureQwen3{"qwen3", readGguf};

} // namespace llmc::frontend
