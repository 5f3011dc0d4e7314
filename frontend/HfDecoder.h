//===- HfDecoder.h - what decoders on the hub have in common ----*- C++ -*-===//
//
// Decoders of the Llama kind share their keys and tensor names in Hugging Face checkpoints; an architecture
// reads them all at once and then says what is its own.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_HFDECODER_H
#define LLMC_FRONTEND_HFDECODER_H

#include "frontend/HfConfig.h"
#include "frontend/ModelSpec.h"

#include <functional>

namespace llmc::frontend {

/// What an absent key means; architectures differ.
struct HfDefaults {
  double ropeTheta = 10000.0;
  double normEps = 1e-6;
  int64_t context = 2048;
  bool tied = false;
};

/// Pre-norm blocks with RMSNorm, grouped attention, rotation by halves and a gated mlp; biases where the
/// checkpoint has them. The first problem is kept in `config`.
void readDecoder(HfConfig &config, ModelSpec &spec, const HfDefaults &defaults = {});

/// The weight `name` of each layer ("self_attn.q_proj"), with a bias if the key `flag` says so; where there
/// is no such key, if the first layer has one.
LinearTensors layerLinear(HfConfig &config, const std::string &name, const std::string &flag = "");
NormTensors layerNorm(const HfConfig &config, const std::string &name);

/// The window of attention, in all layers.
void readWindow(HfConfig &config, ModelSpec &spec);

/// The window where `use_sliding_window` is set: of the layers that `layer_types` says, without it of those
/// that `hasWindow`; without that, from `max_window_layers` on.
void readWindowLayers(HfConfig &config, ModelSpec &spec,
                      const std::function<bool(int64_t layer)> &hasWindow = nullptr);

} // namespace llmc::frontend
#endif
