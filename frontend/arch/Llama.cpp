//===- Llama.cpp - Llama 1 to 3, SmolLM2, TinyLlama, Yi -------------------===//
//
// The decoder that the others vary. A GGUF of this architecture, also one of a Mistral, stores the rows of q
// and k so that the rotation is interleaved; they are used as they are. A Hugging Face checkpoint has them so
// that the rotation is by halves.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
}

static void readHf(HfConfig &config, ModelSpec &spec) { readDecoder(config, spec); }

extern const Architecture architectureLlama;
const Architecture architectureLlama{
    "llama", readGguf, {"LlamaForCausalLM", "LLaMAForCausalLM", "llama"}, readHf};

} // namespace llmc::frontend
