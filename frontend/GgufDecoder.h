//===- GgufDecoder.h - what GGUF decoders have in common --------*- C++ -*-===//
//
// Decoders of the Llama kind share their keys and tensor names in GGUF; an architecture reads them all at
// once and then says what is its own. A key that would change what the model computes, and is not read, is
// refused.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_GGUFDECODER_H
#define LLMC_FRONTEND_GGUFDECODER_H

#include "frontend/GgufConfig.h"
#include "frontend/ModelSpec.h"

namespace llmc::frontend {

/// Pre-norm blocks with RMSNorm, grouped attention and a gated SiLU mlp; biases, untied output and rope
/// scaling where the file has them. `style`: how the rotation's pairs lie in the rows of q and k as they are
/// stored. The first problem is kept in `config`.
void readDecoder(GgufConfig &config, RopeStyle style, ModelSpec &spec);

/// The weight `name` of each layer, with its bias if the first layer has one.
LinearTensors layerLinear(const GgufConfig &config, const std::string &name);
NormTensors layerNorm(const std::string &name);

/// Refuses an integer key that is there and not 0.
void refuseUnlessZero(GgufConfig &config, const std::string &name, const std::string &why);

} // namespace llmc::frontend
#endif
