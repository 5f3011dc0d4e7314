//===- Mistral.cpp - Mistral, Mistral NeMo, Ministral ---------------------===//
//
// A Llama whose attention may have a window. In GGUF it is a Llama.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  readWindow(config, spec);
}

extern const Architecture architectureMistral;
const Architecture architectureMistral{nullptr, nullptr, {"MistralForCausalLM", "mistral"}, readHf};

} // namespace llmc::frontend
