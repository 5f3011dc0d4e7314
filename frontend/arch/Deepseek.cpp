//===- Deepseek.cpp - DeepSeek V1 without experts -------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
}

extern const Architecture architectureDeepseek;
const Architecture architectureDeepseek{"deepseek", readGguf};

} // namespace llmc::frontend
