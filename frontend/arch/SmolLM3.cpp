//===- SmolLM3.cpp - SmolLM3 ----------------------------------------------===//
//
// A Llama in which some layers rotate nothing.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
  // Files of this architecture do not say which; it is every fourth layer.
  for (int64_t layer = 0; layer < spec.layers; ++layer)
    spec.rope.layers.push_back((layer + 1) % 4 != 0);
}

extern const Architecture architectureSmolLM3;
const Architecture architectureSmolLM3{"smollm3", readGguf};

} // namespace llmc::frontend
