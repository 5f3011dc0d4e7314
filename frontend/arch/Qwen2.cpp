//===- Qwen2.cpp - Qwen2, Qwen2.5 -----------------------------------------===//
//
// A Llama with biases on q, k and v; the last layers may have a window.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) { readDecoder(config, RopeStyle::Half, spec); }

extern const Architecture architectureQwen2;
const Architecture architectureQwen2{"qwen2", readGguf};

} // namespace llmc::frontend
