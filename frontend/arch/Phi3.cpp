//===- Phi3.cpp - Phi-3, Phi-3.5, Phi-4 and Phi-4-mini --------------------===//
//
// A Llama with q, k and v in one tensor and gate and up in another; part of each head may be rotated, and the
// long ones of the family scale by LongRope.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/FusedRows.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Half, spec);
  LinearTensors qkv = layerLinear(config, "attn_qkv"), gateUp = layerLinear(config, "ffn_up");
  takeQkvRows(spec.attention, qkv.weight, qkv.bias);
  takeGateUpRows(spec.mlp, gateUp.weight, gateUp.bias);
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec);
  readWindow(config, spec);
  takeQkvRows(spec.attention, config.tensorName("model.layers.{i}.self_attn.qkv_proj.weight"));
  takeGateUpRows(spec.mlp, config.tensorName("model.layers.{i}.mlp.gate_up_proj.weight"));
}

extern const Architecture architecturePhi3;
const Architecture architecturePhi3{"phi3", readGguf, {"Phi3ForCausalLM", "phi3"}, readHf};

} // namespace llmc::frontend
