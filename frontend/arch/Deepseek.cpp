//===- Deepseek.cpp - DeepSeek V1 without experts -------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  int64_t experts = config.optionalInteger("n_routed_experts", 0, 1 << 20).value_or(0);
  int64_t dense = config.optionalInteger("first_k_dense_replace", 0, 1024).value_or(0);
  if (experts > 0 && dense < spec.layers)
    config.refuse("n_routed_experts", "0: mixtures of experts are not supported");
}

extern const Architecture architectureDeepseek;
const Architecture architectureDeepseek{"deepseek", readGguf, {"DeepseekForCausalLM", "deepseek"}, readHf};

} // namespace llmc::frontend
