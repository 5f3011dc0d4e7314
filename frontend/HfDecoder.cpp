//===- HfDecoder.cpp - what decoders on the hub have in common ------------===//
#include "frontend/HfDecoder.h"

#include "frontend/ShortestF32.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace llmc::frontend {
namespace {

void readAttention(HfConfig &config, ModelSpec &spec) {
  AttentionSpec &a = spec.attention;
  a.heads = config.integer("num_attention_heads", 1, 1024);
  a.kvHeads = config.optionalInteger("num_key_value_heads", 1, 1024).value_or(a.heads);
  auto dim = config.optionalInteger("head_dim", 1, 1024);
  if (!dim && spec.hidden % a.heads != 0)
    config.refuse("num_attention_heads", fmt::format("a divisor of 'hidden_size' ({})", spec.hidden));
  a.dimK = a.dimV = dim.value_or(spec.hidden / a.heads);
  a.scale = shortestF32(1.0 / std::sqrt(static_cast<double>(a.dimK)));
}

/// The object that describes the rotation: `rope_scaling`, or since transformers 5 `rope_parameters`, there
/// perhaps with one object for each type of layer. Empty if there is none.
std::string ropeScope(HfConfig &config) {
  for (std::string scope : {"rope_scaling", "rope_parameters"}) {
    const formats::JsonValue *found = config.value(scope);
    if (!found || (found->object() && found->object()->empty()))
      continue;
    if (!found->object())
      config.refuse(scope, "an object");
    if (config.value(scope + ".sliding_attention"))
      config.refuse(scope + ".sliding_attention", "one rotation for all layers");
    return config.value(scope + ".full_attention") ? scope + ".full_attention" : scope;
  }
  return "";
}

/// The rules by the names they have in files.
constexpr struct {
  const char *name;
  RopeRule rule;
} rules[] = {
    {"default", RopeRule::None},  {"linear", RopeRule::Linear}, {"dynamic", RopeRule::Dynamic},
    {"llama3", RopeRule::Llama3}, {"yarn", RopeRule::Yarn},     {"longrope", RopeRule::LongRope},
    {"su", RopeRule::LongRope}, // its first name
};

/// The length of the first training; where it stands beside the object as well, that one counts.
double originalContext(HfConfig &config, const std::string &scope, const ModelSpec &spec) {
  std::string inside = scope + ".original_max_position_embeddings",
              beside = "original_max_position_embeddings";
  const std::string &key = config.value(beside) ? beside : inside;
  return static_cast<double>(config.optionalInteger(key, 1, 1 << 24).value_or(spec.context));
}

void readScaling(HfConfig &config, const std::string &scope, const ModelSpec &spec, RopeScaling &scaling) {
  std::string key = scope + (config.value(scope + ".rope_type") ? ".rope_type" : ".type");
  std::string type = config.optionalString(key).value_or("default"), known;
  for (const auto &[name, rule] : rules) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    if (type == name)
      scaling.rule = rule;
  }
  if (scaling.rule == RopeRule::None) {
    if (type != "default")
      config.refuse(key, "one of: " + known);
    return;
  }
  auto number = [&](const char *name) { return config.optionalNumber(scope + "." + name); };
  auto trained = static_cast<double>(spec.context);
  scaling.originalContext =
      scaling.rule == RopeRule::Dynamic ? trained : originalContext(config, scope, spec);
  bool impliesFactor = scaling.rule == RopeRule::Yarn || scaling.rule == RopeRule::LongRope;
  if (impliesFactor)
    scaling.factor = number("factor").value_or(trained / scaling.originalContext);
  else
    scaling.factor = config.number(scope + ".factor");
  scaling.attentionFactor = number("attention_factor");
  if (scaling.rule == RopeRule::Llama3) {
    scaling.lowFreqFactor = config.number(scope + ".low_freq_factor");
    scaling.highFreqFactor = config.number(scope + ".high_freq_factor");
  } else if (scaling.rule == RopeRule::Yarn) {
    auto unlessZero = [&](const char *name, double &value) {
      if (auto found = number(name); found && *found != 0)
        value = *found;
    };
    unlessZero("beta_fast", scaling.betaFast);
    unlessZero("beta_slow", scaling.betaSlow);
    unlessZero("mscale", scaling.mscale);
    unlessZero("mscale_all_dim", scaling.mscaleAllDim);
    scaling.truncate = config.optionalBool(scope + ".truncate").value_or(true);
  } else if (scaling.rule == RopeRule::LongRope) {
    scaling.shortDivisors = config.numbers(scope + ".short_factor");
    scaling.longDivisors = config.numbers(scope + ".long_factor");
  } else if (scaling.rule == RopeRule::Dynamic && config.value(scope + ".alpha")) {
    config.refuse(scope + ".alpha", "no such key: of dynamic scalings only that by 'factor' is supported");
  }
}

void readRope(HfConfig &config, ModelSpec &spec, const HfDefaults &defaults) {
  spec.positions = Positions::Rope;
  RopeSpec &rope = spec.rope;
  rope.style = RopeStyle::Half;
  std::string scope = ropeScope(config);
  auto number = [&](const std::string &name) {
    auto inside = scope.empty() ? std::nullopt : config.optionalNumber(scope + "." + name);
    auto beside = config.optionalNumber(name); // checked even where it does not count
    return inside ? inside : beside;
  };
  rope.base = number("rope_theta").value_or(defaults.ropeTheta);
  double part = number("partial_rotary_factor").value_or(1.0);
  if (!(part > 0 && part <= 1))
    config.refuse("partial_rotary_factor", fmt::format("{}", part), "a number above 0, at most 1");
  else
    rope.dims = static_cast<int64_t>(static_cast<double>(spec.attention.dimK) * part);
  if (scope.empty())
    return;
  readScaling(config, scope, spec, rope.scaling);
}

constexpr struct {
  const char *name;
  Activation act;
} activations[] = {
    {"silu", Activation::Silu},
    {"swish", Activation::Silu},
    {"gelu", Activation::Gelu},
    {"gelu_new", Activation::GeluTanh},
    {"gelu_fast", Activation::GeluTanh},
    {"gelu_pytorch_tanh", Activation::GeluTanh},
    {"quick_gelu", Activation::GeluQuick},
    {"relu", Activation::Relu},
    {"relu2", Activation::Relu2},
};

void readMlp(HfConfig &config, ModelSpec &spec) {
  spec.mlp.ffn = config.integer("intermediate_size", 1, 1 << 20);
  std::string found = config.optionalString("hidden_act").value_or("silu"), known;
  for (const auto &[name, act] : activations) {
    if (found == name) {
      spec.mlp.act = act;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  config.refuse("hidden_act", "one of: " + known);
}

/// Checkpoints that tie the output may hold it all the same. A copy of the embedding says nothing new; other
/// values count, as they do for transformers.
bool hasOwnOutput(const HfConfig &config) {
  const formats::WeightTensor *table = config.tensor("model.embed_tokens.weight");
  const formats::WeightTensor *output = config.tensor("lm_head.weight");
  return output && table &&
         !(output->type == table->type &&
           std::equal(output->data.begin(), output->data.end(), table->data.begin(), table->data.end()));
}

void readTensors(HfConfig &config, ModelSpec &spec, const HfDefaults &defaults) {
  spec.embedding = config.tensorName("model.embed_tokens.weight");
  spec.attention.norms.before = layerNorm(config, "input_layernorm");
  spec.attention.q = layerLinear(config, "self_attn.q_proj", "attention_bias");
  spec.attention.k = layerLinear(config, "self_attn.k_proj", "attention_bias");
  spec.attention.v = layerLinear(config, "self_attn.v_proj", "attention_bias");
  spec.attention.o = layerLinear(config, "self_attn.o_proj", "attention_bias");
  spec.mlp.norms.before = layerNorm(config, "post_attention_layernorm");
  spec.mlp.gate = layerLinear(config, "mlp.gate_proj", "mlp_bias");
  spec.mlp.up = layerLinear(config, "mlp.up_proj", "mlp_bias");
  spec.mlp.down = layerLinear(config, "mlp.down_proj", "mlp_bias");
  spec.outputNorm = {true, config.tensorName("model.norm.weight"), ""};
  spec.tied = config.optionalBool("tie_word_embeddings").value_or(defaults.tied) && !hasOwnOutput(config);
  if (spec.tied)
    spec.leftOut.push_back(config.tensorName("lm_head.weight"));
  else
    spec.output = {config.tensorName("lm_head.weight"),
                   config.tensor("lm_head.bias") ? config.tensorName("lm_head.bias") : ""};
}

} // namespace

LinearTensors layerLinear(HfConfig &config, const std::string &name, const std::string &flag) {
  std::string stem = "model.layers.{i}." + name;
  bool isBiased = config.tensor(stem + ".bias") != nullptr;
  if (!flag.empty())
    isBiased = config.optionalBool(flag).value_or(isBiased);
  return {config.tensorName(stem + ".weight"), isBiased ? config.tensorName(stem + ".bias") : ""};
}

NormTensors layerNorm(const HfConfig &config, const std::string &name) {
  return {true, config.tensorName("model.layers.{i}." + name + ".weight"), ""};
}

void readWindow(HfConfig &config, ModelSpec &spec) {
  spec.attention.window = config.optionalInteger("sliding_window", 1, 1 << 24);
}

void readWindowLayers(HfConfig &config, ModelSpec &spec, const std::function<bool(int64_t)> &hasWindow) {
  if (!config.optionalBool("use_sliding_window").value_or(false))
    return;
  readWindow(config, spec);
  std::vector<std::string> types = config.strings("layer_types");
  if (!types.empty() && static_cast<int64_t>(types.size()) != spec.layers)
    config.refuse("layer_types", fmt::format("a list of {}", types.size()),
                  fmt::format("one entry for each of {} layers", spec.layers));
  int64_t from = config.optionalInteger("max_window_layers", 0, 1 << 24).value_or(0);
  for (int64_t layer = 0; config.ok() && layer < spec.layers; ++layer)
    spec.attention.windowLayers.push_back(!types.empty() ? types[layer] == "sliding_attention"
                                          : hasWindow    ? hasWindow(layer)
                                                         : layer >= from);
}

void readDecoder(HfConfig &config, ModelSpec &spec, const HfDefaults &defaults) {
  for (auto [trait, name] : {std::pair("layers", "num_hidden_layers"),
                             {"hidden", "hidden_size"},
                             {"vocab", "vocab_size"},
                             {"context", "max_position_embeddings"},
                             {"norm.eps", "rms_norm_eps"},
                             {"attention.heads", "num_attention_heads"},
                             {"attention.kv_heads", "num_key_value_heads"},
                             {"attention.dim_k", "head_dim"},
                             {"attention.window", "sliding_window"},
                             {"rope.dims", "partial_rotary_factor"},
                             {"rope.base", "rope_theta"},
                             {"mlp.ffn", "intermediate_size"}})
    spec.keys[trait] = config.key(name);
  spec.layers = config.integer("num_hidden_layers", 1, 1024);
  spec.hidden = config.integer("hidden_size", 1, 1 << 17);
  spec.vocab = config.integer("vocab_size", 1, 1 << 24);
  // The first conversions of LLaMA called it otherwise, or left it out.
  const char *context =
      config.value("max_position_embeddings") ? "max_position_embeddings" : "max_sequence_length";
  spec.context = config.optionalInteger(context, 1, 1 << 24).value_or(defaults.context);
  spec.normEps = config.optionalNumber("rms_norm_eps").value_or(defaults.normEps);
  readAttention(config, spec);
  readRope(config, spec, defaults);
  readMlp(config, spec);
  readTensors(config, spec, defaults);
}

} // namespace llmc::frontend
