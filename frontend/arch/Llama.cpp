//===- Llama.cpp - Llama 1 to 3, SmolLM2, TinyLlama -----------------------===//
//
// Pre-norm blocks with RMSNorm, rotary positions, grouped attention and a gated SiLU mlp. A GGUF of this
// architecture, also one of a Mistral, stores the rows of q and k so that the rotation is interleaved; they
// are used as they are. A Hugging Face checkpoint has them so that the rotation is by halves. Biases, untied
// output and the divisors of the Llama 3 frequencies are there if their tensors are.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufConfig.h"
#include "frontend/HfDecoder.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace llmc::frontend {
namespace {

using formats::GgufTensor;

std::string shapeText(const std::vector<uint64_t> &shape) { return fmt::format("{}", fmt::join(shape, "x")); }

/// The frequencies after scaling; empty if the rule leaves base^(-2j/dims) alone.
std::vector<double> ropeFrequencies(GgufConfig &config, const RopeSpec &rope) {
  double factor = 1.0;
  std::string type = config.optionalString("rope.scaling.type").value_or("linear");
  if (type == "linear") {
    factor = config.optionalNumber("rope.scaling.factor").value_or(1.0);
    if (!config.file.value(config.key("rope.scaling.factor")))
      factor = config.optionalNumber("rope.scale_linear").value_or(1.0); // the older spelling
    if (factor == 0)
      factor = 1.0; // written by some converters for "none"
    if (factor < 0)
      config.refuse("rope.scaling.factor", fmt::format("{}", factor), "a number above 0");
  } else if (type != "none") {
    config.refuse("rope.scaling.type", quotedText(type), "'none' or 'linear'");
  }

  std::vector<float> divisors(rope.dims / 2, 1.0f);
  const GgufTensor *stored = config.file.tensor("rope_freqs.weight");
  if (stored) {
    if (stored->type != static_cast<uint32_t>(formats::GgmlType::F32) || stored->shape.size() != 1 ||
        stored->shape[0] != divisors.size()) {
      const formats::GgmlTypeInfo *info = formats::ggmlTypeInfo(stored->type);
      config.fail(fmt::format("tensor 'rope_freqs.weight' is {} of {}, expected {} of f32",
                              shapeText(stored->shape), info ? info->name : "an unknown type",
                              divisors.size()));
      return {};
    }
    std::memcpy(divisors.data(), stored->data.data(), divisors.size() * sizeof(float));
  }
  if (!stored && factor == 1.0)
    return {};
  std::vector<double> freqs;
  for (size_t j = 0; j < divisors.size(); ++j) {
    if (!(divisors[j] > 0) || !std::isfinite(divisors[j])) {
      config.fail(fmt::format("tensor 'rope_freqs.weight' holds {}, expected numbers above 0", divisors[j]));
      return {};
    }
    freqs.push_back(shortestF32(std::pow(rope.base, -2.0 * j / rope.dims) / factor / divisors[j]));
  }
  return freqs;
}

void readRope(GgufConfig &config, ModelSpec &spec) {
  spec.positions = Positions::Rope;
  RopeSpec &rope = spec.rope;
  rope.style = RopeStyle::Interleaved;
  rope.dims = config.optionalInteger("rope.dimension_count", 1, 1024).value_or(spec.attention.dimK);
  rope.base = config.optionalNumber("rope.freq_base").value_or(10000.0);
  rope.factor = config.optionalNumber("rope.scaling.attn_factor").value_or(1.0);
  if (config.ok() && rope.dims % 2 == 0 && rope.base > 0)
    rope.freqs = ropeFrequencies(config, rope);
}

void readAttention(GgufConfig &config, ModelSpec &spec) {
  AttentionSpec &a = spec.attention;
  a.heads = config.integer("attention.head_count", 1, 1024);
  a.kvHeads = config.optionalInteger("attention.head_count_kv", 1, 1024).value_or(a.heads);
  auto dimK = config.optionalInteger("attention.key_length", 1, 1024);
  auto dimV = config.optionalInteger("attention.value_length", 1, 1024);
  if ((!dimK || !dimV) && spec.hidden % a.heads != 0)
    config.refuse("attention.head_count", std::to_string(a.heads),
                  fmt::format("a divisor of '{}' ({})", config.key("embedding_length"), spec.hidden));
  a.dimK = dimK.value_or(spec.hidden / a.heads);
  a.dimV = dimV.value_or(spec.hidden / a.heads);
  double scale = config.optionalNumber("attention.scale").value_or(0.0);
  a.scale = scale != 0 ? scale : shortestF32(1.0 / std::sqrt(static_cast<double>(a.dimK)));
  a.window = config.optionalInteger("attention.sliding_window", 0, 1 << 24);
  if (a.window == 0)
    a.window.reset();
}

/// What the keys may say that this architecture does not do.
void refuseOthers(GgufConfig &config) {
  if (int64_t experts = config.optionalInteger("expert_count", 0, 1 << 20).value_or(0); experts > 0)
    config.refuse("expert_count", std::to_string(experts), "0: mixtures of experts are not supported");
  if (!config.optionalBool("attention.causal").value_or(true))
    config.refuse("attention.causal", "false", "true");
  if (config.optionalBool("use_parallel_residual").value_or(false))
    config.refuse("use_parallel_residual", "true", "false");
}

bool readLlama(const formats::GgufFile &file, ModelSpec &spec, std::string &error) {
  GgufConfig config(file, "llama");
  spec.keys = {{"layers", config.key("block_count")},
               {"hidden", config.key("embedding_length")},
               {"context", config.key("context_length")},
               {"norm.eps", config.key("attention.layer_norm_rms_epsilon")},
               {"attention.heads", config.key("attention.head_count")},
               {"attention.kv_heads", config.key("attention.head_count_kv")},
               {"attention.dim_k", config.key("attention.key_length")},
               {"attention.dim_v", config.key("attention.value_length")},
               {"attention.scale", config.key("attention.scale")},
               {"attention.window", config.key("attention.sliding_window")},
               {"rope.dims", config.key("rope.dimension_count")},
               {"rope.base", config.key("rope.freq_base")},
               {"rope.factor", config.key("rope.scaling.attn_factor")},
               {"mlp.ffn", config.key("feed_forward_length")}};

  spec.layers = config.integer("block_count", 1, 1024);
  spec.hidden = config.integer("embedding_length", 1, 1 << 17);
  spec.context = config.integer("context_length", 1, 1 << 24);
  spec.mlp.ffn = config.integer("feed_forward_length", 1, 1 << 20);
  spec.normEps = config.number("attention.layer_norm_rms_epsilon");
  readAttention(config, spec);
  readRope(config, spec);
  refuseOthers(config);

  const GgufTensor *table = file.tensor("token_embd.weight");
  if (!table)
    config.fail("there is no tensor 'token_embd.weight'");
  else if (table->shape.size() != 2)
    config.fail(fmt::format("tensor 'token_embd.weight' is {}, expected a matrix", shapeText(table->shape)));
  else
    spec.vocab = table->shape[0] > (1u << 24) ? -1 : static_cast<int64_t>(table->shape[0]);
  if (auto said = config.optionalInteger("vocab_size", 1, 1 << 24);
      said && spec.vocab > 0 && *said != spec.vocab)
    config.refuse("vocab_size", std::to_string(*said),
                  fmt::format("{}, the rows of tensor 'token_embd.weight'", spec.vocab));
  if (!config.ok()) {
    error = config.firstError();
    return false;
  }

  // A bias is there if its tensor is there in the first layer; later layers are then expected to have it.
  auto linear = [&](const std::string &name) {
    bool biased = file.tensor("blk.0." + name + ".bias") != nullptr;
    return LinearTensors{"blk.{i}." + name + ".weight", biased ? "blk.{i}." + name + ".bias" : ""};
  };
  auto norm = [](const std::string &name) { return NormTensors{true, name + ".weight", ""}; };
  spec.embedding = "token_embd.weight";
  spec.attention.norms.before = norm("blk.{i}.attn_norm");
  spec.attention.q = linear("attn_q");
  spec.attention.k = linear("attn_k");
  spec.attention.v = linear("attn_v");
  spec.attention.o = linear("attn_output");
  spec.mlp.norms.before = norm("blk.{i}.ffn_norm");
  spec.mlp.gate = linear("ffn_gate");
  spec.mlp.up = linear("ffn_up");
  spec.mlp.down = linear("ffn_down");
  spec.outputNorm = norm("output_norm");
  spec.tied = !file.tensor("output.weight");
  if (!spec.tied)
    spec.output = {"output.weight", file.tensor("output.bias") ? "output.bias" : ""};
  return true;
}

void readHf(HfConfig &config, ModelSpec &spec) { readDecoder(config, spec); }

} // namespace

extern const Architecture architectureLlama;
const Architecture architectureLlama{
    "llama", readLlama, {"LlamaForCausalLM", "LLaMAForCausalLM", "llama"}, readHf};

} // namespace llmc::frontend
