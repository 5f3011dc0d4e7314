//===- GgufDecoder.cpp - what GGUF decoders have in common ----------------===//
#include "frontend/GgufDecoder.h"

#include "frontend/ShortestF32.h"
#include "frontend/formats/Quote.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace llmc::frontend {
namespace {

using formats::GgufTensor;

std::string shapeText(const std::vector<uint64_t> &shape) { return fmt::format("{}", fmt::join(shape, "x")); }

/// The divisors in a tensor of f32; empty if there is none.
std::vector<double> readDivisors(GgufConfig &config, const std::string &name, int64_t dims) {
  const GgufTensor *stored = config.file.tensor(name);
  if (!stored)
    return {};
  std::vector<float> values(dims / 2);
  if (stored->type != static_cast<uint32_t>(formats::GgmlType::F32) || stored->shape.size() != 1 ||
      stored->shape[0] != values.size()) {
    const formats::GgmlTypeInfo *info = formats::ggmlTypeInfo(stored->type);
    config.fail(fmt::format("tensor '{}' is {} of {}, expected {} of f32", name, shapeText(stored->shape),
                            info ? info->name : "an unknown type", values.size()));
    return {};
  }
  std::memcpy(values.data(), stored->data.data(), values.size() * sizeof(float));
  for (float value : values)
    if (!(value > 0) || !std::isfinite(value)) {
      config.fail(fmt::format("tensor '{}' holds {}, expected numbers above 0", name, value));
      return {};
    }
  return {values.begin(), values.end()};
}

void readYarn(GgufConfig &config, RopeScaling &scaling) {
  scaling.rule = RopeRule::Yarn;
  scaling.betaFast = config.optionalNumber("rope.scaling.yarn_beta_fast").value_or(scaling.betaFast);
  scaling.betaSlow = config.optionalNumber("rope.scaling.yarn_beta_slow").value_or(scaling.betaSlow);
  if (auto factor = config.optionalNumber("rope.scaling.yarn_attn_factor"))
    scaling.attentionFactor = factor;
  if (auto mix = config.optionalNumber("rope.scaling.yarn_ext_factor"); mix && *mix >= 0 && *mix != 1)
    config.refuse("rope.scaling.yarn_ext_factor", fmt::format("{}", *mix), "1");
  if (auto mscale = config.optionalNumber("rope.scaling.yarn_log_multiplier"); mscale && *mscale != 0) {
    scaling.mscale = 1;
    scaling.mscaleAllDim = *mscale;
  }
}

void readScaling(GgufConfig &config, const ModelSpec &spec, RopeScaling &scaling) {
  std::string type = config.optionalString("rope.scaling.type").value_or("linear");
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope")
    return config.refuse("rope.scaling.type", formats::quotedText(type),
                         "'none', 'linear', 'yarn' or 'longrope'");
  double factor = config.optionalNumber("rope.scaling.factor").value_or(1.0);
  if (!config.file.value(config.key("rope.scaling.factor")))
    factor = config.optionalNumber("rope.scale_linear").value_or(1.0); // the older spelling
  if (factor < 0)
    config.refuse("rope.scaling.factor", fmt::format("{}", factor), "a number above 0");
  if (factor != 0 && type != "none") // some converters write 0 for "none"
    scaling.factor = factor;
  scaling.originalContext = static_cast<double>(
      config.optionalInteger("rope.scaling.original_context_length", 1, 1 << 24).value_or(spec.context));
  scaling.attentionFactor = config.optionalNumber("rope.scaling.attn_factor");

  // A list of divisors speaks for itself, whatever the type says.
  std::vector<double> divisors = readDivisors(config, "rope_freqs.weight", spec.rope.dims);
  scaling.shortDivisors = readDivisors(config, "rope_factors_short.weight", spec.rope.dims);
  scaling.longDivisors = readDivisors(config, "rope_factors_long.weight", spec.rope.dims);
  bool hasLists = !scaling.shortDivisors.empty() || !scaling.longDivisors.empty();
  if (type == "yarn" && (hasLists || !divisors.empty()))
    return config.refuse("rope.scaling.type", "'yarn'", "no list of frequency divisors beside it");
  if (hasLists) {
    scaling.rule = RopeRule::LongRope;
    // The file states the factor of cos and sin itself.
    scaling.attentionFactor = scaling.attentionFactor.value_or(1.0);
  } else if (type == "longrope") {
    config.refuse("rope.scaling.type", "'longrope'",
                  "tensors 'rope_factors_short.weight' and 'rope_factors_long.weight' beside it");
  } else if (!divisors.empty()) {
    scaling.rule = RopeRule::Divisors;
    scaling.shortDivisors = divisors;
  } else if (type == "yarn") {
    readYarn(config, scaling);
  } else if (scaling.factor != 1) {
    scaling.rule = RopeRule::Linear;
  }
}

void readRope(GgufConfig &config, RopeStyle style, ModelSpec &spec) {
  spec.positions = Positions::Rope;
  RopeSpec &rope = spec.rope;
  rope.style = style;
  rope.dims = config.optionalInteger("rope.dimension_count", 1, 1024).value_or(spec.attention.dimK);
  rope.base = config.optionalNumber("rope.freq_base").value_or(10000.0);
  if (config.ok() && rope.dims % 2 == 0)
    readScaling(config, spec, rope.scaling);
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

/// What keys may say that changes the model and that no decoder here does.
void refuseOthers(GgufConfig &config) {
  refuseUnlessZero(config, "expert_count", "mixtures of experts are not supported");
  refuseUnlessZero(config, "attention.q_lora_rank", "latent attention is not supported");
  refuseUnlessZero(config, "attention.kv_lora_rank", "latent attention is not supported");
  if (!config.optionalBool("attention.causal").value_or(true))
    config.refuse("attention.causal", "false", "true");
  if (config.optionalBool("use_parallel_residual").value_or(false))
    config.refuse("use_parallel_residual", "true", "false");
  for (const char *name : {"attention.max_alibi_bias", "attention.clamp_kqv", "attn_logit_softcapping",
                           "final_logit_softcapping", "rope.scaling.alpha", "rope.freq_base_swa"})
    if (auto number = config.optionalNumber(name); number && *number != 0)
      config.refuse(name, fmt::format("{}", *number), "0: it is not supported in this architecture");
  for (const char *name : {"attention.sliding_window_pattern", "rope.dimension_sections"})
    if (config.file.value(config.key(name)))
      config.refuse(name, "set", "no such key: it is not supported in this architecture");
}

void readTensors(GgufConfig &config, ModelSpec &spec) {
  const GgufTensor *table = config.file.tensor("token_embd.weight");
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

  spec.embedding = "token_embd.weight";
  spec.attention.norms.before = layerNorm("attn_norm");
  spec.attention.q = layerLinear(config, "attn_q");
  spec.attention.k = layerLinear(config, "attn_k");
  spec.attention.v = layerLinear(config, "attn_v");
  spec.attention.o = layerLinear(config, "attn_output");
  spec.mlp.norms.before = layerNorm("ffn_norm");
  spec.mlp.gate = layerLinear(config, "ffn_gate");
  spec.mlp.up = layerLinear(config, "ffn_up");
  spec.mlp.down = layerLinear(config, "ffn_down");
  spec.outputNorm = {true, "output_norm.weight", ""};
  spec.tied = !config.file.tensor("output.weight");
  if (!spec.tied)
    spec.output = {"output.weight", config.file.tensor("output.bias") ? "output.bias" : ""};
}

} // namespace

LinearTensors layerLinear(const GgufConfig &config, const std::string &name) {
  bool biased = config.file.tensor("blk.0." + name + ".bias") != nullptr;
  return {"blk.{i}." + name + ".weight", biased ? "blk.{i}." + name + ".bias" : ""};
}

NormTensors layerNorm(const std::string &name) { return {true, "blk.{i}." + name + ".weight", ""}; }

void refuseUnlessZero(GgufConfig &config, const std::string &name, const std::string &why) {
  if (int64_t found = config.optionalInteger(name, 0, 1 << 24).value_or(0); found > 0)
    config.refuse(name, std::to_string(found), "0: " + why);
}

void readDecoder(GgufConfig &config, RopeStyle style, ModelSpec &spec) {
  spec.keys = {{"layers", config.key("block_count")},
               {"hidden", config.key("embedding_length")},
               {"context", config.key("context_length")},
               {"norm.eps", config.key("attention.layer_norm_rms_epsilon")},
               {"residual.scale", config.key("residual_scale")},
               {"embedding.scale", config.key("embedding_scale")},
               {"output.scale", config.key("logit_scale")},
               {"attention.heads", config.key("attention.head_count")},
               {"attention.kv_heads", config.key("attention.head_count_kv")},
               {"attention.dim_k", config.key("attention.key_length")},
               {"attention.dim_v", config.key("attention.value_length")},
               {"attention.scale", config.key("attention.scale")},
               {"attention.window", config.key("attention.sliding_window")},
               {"rope.dims", config.key("rope.dimension_count")},
               {"rope.base", config.key("rope.freq_base")},
               {"mlp.ffn", config.key("feed_forward_length")}};
  spec.layers = config.integer("block_count", 1, 1024);
  spec.hidden = config.integer("embedding_length", 1, 1 << 17);
  spec.context = config.integer("context_length", 1, 1 << 24);
  spec.mlp.ffn = config.integer("feed_forward_length", 1, 1 << 20);
  spec.normEps = config.number("attention.layer_norm_rms_epsilon");
  readAttention(config, spec);
  readRope(config, style, spec);
  refuseOthers(config);
  readTensors(config, spec);
}

} // namespace llmc::frontend
