//===- TinyHf.h - a small correct Hugging Face checkpoint to be broken -*- C++ -*-===//
#ifndef LLMC_TESTS_FRONTEND_TINYHF_H
#define LLMC_TESTS_FRONTEND_TINYHF_H

#include "TinyLlama.h"
#include "tests/support/SafetensorsWriter.h"

namespace llmc::test {

/// Two layers, hidden 32, 4 heads and 2 kv heads of 16 (so that heads * head_dim is not hidden), ffn 48,
/// vocab 50, tied; F32 zeros unless a test says otherwise.
class TinyHf {
public:
  TinyHf() {
    keys = {{"architectures", R"(["LlamaForCausalLM"])"},
            {"model_type", "\"llama\""},
            {"hidden_size", "32"},
            {"intermediate_size", "48"},
            {"num_hidden_layers", "2"},
            {"num_attention_heads", "4"},
            {"num_key_value_heads", "2"},
            {"head_dim", "16"},
            {"max_position_embeddings", "128"},
            {"rms_norm_eps", "1e-05"},
            {"rope_theta", "10000.0"},
            {"tie_word_embeddings", "true"},
            {"vocab_size", "50"}};
    tensors["model.embed_tokens.weight"] = {{50, 32}};
    tensors["model.norm.weight"] = {{32}};
    for (std::string layer : {"model.layers.0.", "model.layers.1."}) {
      tensors[layer + "input_layernorm.weight"] = {{32}};
      tensors[layer + "self_attn.q_proj.weight"] = {{64, 32}};
      tensors[layer + "self_attn.k_proj.weight"] = {{32, 32}};
      tensors[layer + "self_attn.v_proj.weight"] = {{32, 32}};
      tensors[layer + "self_attn.o_proj.weight"] = {{32, 64}};
      tensors[layer + "post_attention_layernorm.weight"] = {{32}};
      tensors[layer + "mlp.gate_proj.weight"] = {{48, 32}};
      tensors[layer + "mlp.up_proj.weight"] = {{48, 32}};
      tensors[layer + "mlp.down_proj.weight"] = {{32, 48}};
    }
  }

  struct Tensor {
    std::vector<uint64_t> shape; // outermost first
    std::string dtype = "F32";
    char fill = 0;
  };

  std::string config() const {
    std::string text;
    for (const auto &[key, value] : keys)
      text += (text.empty() ? "{\"" : ",\n \"") + key + "\": " + value;
    return text + "}\n";
  }

  std::string weights() const {
    SafetensorsWriter w;
    for (const auto &[name, tensor] : tensors) {
      std::string shape;
      size_t bytes = tensor.dtype == "U8" ? 1 : tensor.dtype == "F32" ? 4 : tensor.dtype == "I64" ? 8 : 2;
      for (uint64_t extent : tensor.shape) {
        shape += (shape.empty() ? "" : ",") + std::to_string(extent);
        bytes *= extent;
      }
      w.add(name, tensor.dtype, "[" + shape + "]", std::string(bytes, tensor.fill));
    }
    return w.bytes();
  }

  /// Puts another name before the names of all tensors.
  void rename(const std::string &from, const std::string &to) {
    std::map<std::string, Tensor> renamed;
    for (auto &[name, tensor] : tensors)
      renamed[name.starts_with(from) ? to + name.substr(from.size()) : name] = tensor;
    tensors = std::move(renamed);
  }

  bool write(const std::string &folder) const {
    std::filesystem::create_directories(folder);
    return writeBytes(folder + "/config.json", config()) &&
           writeBytes(folder + "/model.safetensors", weights());
  }

  std::map<std::string, std::string> keys; // values as JSON
  std::map<std::string, Tensor> tensors;
};

} // namespace llmc::test
#endif
