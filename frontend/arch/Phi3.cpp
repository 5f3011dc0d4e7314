//===- Phi3.cpp - Phi-3, Phi-3.5, Phi-4 and Phi-4-mini --------------------===//
//
// A Llama with q, k and v in one tensor and gate and up in another; part of each head may be rotated, and the
// long ones of the family scale by LongRope.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/FusedRows.h"
#include "frontend/GgufDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Half, spec);
  LinearTensors qkv = layerLinear(config, "attn_qkv"), gateUp = layerLinear(config, "ffn_up");
  takeQkvRows(spec.attention, qkv.weight, qkv.bias);
  takeGateUpRows(spec.mlp, gateUp.weight, gateUp.bias);
}

extern const Architecture architecturePhi3;
const Architecture architecturePhi3{"phi3", readGguf};

} // namespace llmc::frontend
