//===- Baichuan.cpp - Baichuan-7B -----------------------------------------===//
//
// A Llama that stores q, k and v in one tensor, W_pack; its GGUF has them apart.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
  // The model of 13B has linear biases in place of rotations; only its depth tells the two apart.
  if (spec.layers == 40)
    config.refuse("block_count", "40", "another: Baichuan-13B is not supported");
}

extern const Architecture architectureBaichuan;
const Architecture architectureBaichuan{"baichuan", readGguf};

} // namespace llmc::frontend
