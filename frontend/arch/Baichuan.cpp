//===- Baichuan.cpp - Baichuan-7B -----------------------------------------===//
//
// A Llama that stores q, k and v in one tensor, W_pack; its GGUF has them apart.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/FusedRows.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
  // The model of 13B has linear biases in place of rotations; only its depth tells the two apart.
  if (spec.layers == 40)
    config.refuse("block_count", "40", "another: Baichuan-13B is not supported");
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  // The class of Baichuan 2 differs by one letter, and its output matrix is normalized row by row.
  for (const std::string &name : config.strings("architectures"))
    if (name == "BaichuanForCausalLM")
      config.refuse("architectures", "'BaichuanForCausalLM'",
                    "'BaiChuanForCausalLM': Baichuan 2 is not supported");
  readDecoder(config, spec);
  takeQkvRows(spec.attention, config.tensorName("model.layers.{i}.self_attn.W_pack.weight"));
}

extern const Architecture architectureBaichuan;
const Architecture architectureBaichuan{"baichuan", readGguf, {"BaiChuanForCausalLM", "baichuan"}, readHf};

} // namespace llmc::frontend
