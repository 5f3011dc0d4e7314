//===- Qwen2.cpp - Qwen2, Qwen2.5 -----------------------------------------===//
//
// A Llama with biases on q, k and v; the last layers may have a window.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) { readDecoder(config, RopeStyle::Half, spec); }

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  readWindowLayers(config, spec);
}

extern const Architecture architectureQwen2;
const Architecture architectureQwen2{"qwen2", readGguf, {"Qwen2ForCausalLM", "qwen2"}, readHf};

} // namespace llmc::frontend
