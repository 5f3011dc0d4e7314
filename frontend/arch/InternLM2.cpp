//===- InternLM2.cpp - InternLM2, InternLM2.5 -----------------------------===//
//
// A Llama that stores q, k and v in one tensor, by groups of heads; its GGUF has them apart.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
}

extern const Architecture architectureInternLM2;
const Architecture architectureInternLM2{"internlm2", readGguf};

} // namespace llmc::frontend
