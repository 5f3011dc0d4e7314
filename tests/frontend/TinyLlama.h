//===- TinyLlama.h - a small correct llama file to be broken ----*- C++ -*-===//
#ifndef LLMC_TESTS_FRONTEND_TINYLLAMA_H
#define LLMC_TESTS_FRONTEND_TINYLLAMA_H

#include "tests/support/GgufWriter.h"

#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

namespace llmc::test {

/// A folder that goes away with the object.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "llmc-test-XXXXXX").string();
    root = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }
  std::string path(const std::string &name) const { return (root / name).string(); }

private:
  std::filesystem::path root;
};

struct TinyTensor {
  std::vector<uint64_t> shape; // outermost first
  uint32_t type = 0;
};

/// Two layers, hidden 32, 4 heads and 2 kv heads of 16 (so that heads * head_dim is not hidden), ffn 48,
/// vocab 50; f32 unless a test says otherwise. Keys are functions that write themselves, so that a test may
/// give them any type.
class TinyLlama {
public:
  using Key = std::function<void(GgufWriter &, const std::string &)>;

  TinyLlama() {
    text("general.architecture", "llama");
    text("general.name", "Tiny Llama");
    set<uint32_t>("llama.context_length", 128);
    set<uint32_t>("llama.embedding_length", 32);
    set<uint32_t>("llama.block_count", 2);
    set<uint32_t>("llama.feed_forward_length", 48);
    set<uint32_t>("llama.attention.head_count", 4);
    set<uint64_t>("llama.attention.head_count_kv", 2);
    set<uint32_t>("llama.attention.key_length", 16);
    set<uint32_t>("llama.attention.value_length", 16);
    set<uint32_t>("llama.rope.dimension_count", 16);
    set<float>("llama.rope.freq_base", 10000.0f);
    set<float>("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    tensors["token_embd.weight"] = {{50, 32}};
    tensors["output_norm.weight"] = {{32}};
    for (std::string blk : {"blk.0.", "blk.1."}) {
      tensors[blk + "attn_norm.weight"] = {{32}};
      tensors[blk + "attn_q.weight"] = {{64, 32}};
      tensors[blk + "attn_k.weight"] = {{32, 32}};
      tensors[blk + "attn_v.weight"] = {{32, 32}};
      tensors[blk + "attn_output.weight"] = {{32, 64}};
      tensors[blk + "ffn_norm.weight"] = {{32}};
      tensors[blk + "ffn_gate.weight"] = {{48, 32}};
      tensors[blk + "ffn_up.weight"] = {{48, 32}};
      tensors[blk + "ffn_down.weight"] = {{32, 48}};
    }
  }

  /// The same file of another architecture and depth.
  void become(const std::string &architecture, uint32_t layers = 2) {
    std::map<std::string, Key> renamed;
    for (auto &[key, add] : keys)
      renamed[key.starts_with("llama.") ? architecture + key.substr(5) : key] = add;
    keys = std::move(renamed);
    text("general.architecture", architecture);
    set<uint32_t>(architecture + ".block_count", layers);
    for (uint32_t i = 2; i < layers; ++i)
      for (auto &[name, tensor] : std::map(tensors))
        if (name.starts_with("blk.0."))
          tensors["blk." + std::to_string(i) + name.substr(5)] = tensor;
  }

  template <typename T> void set(const std::string &key, T value) {
    keys[key] = [=](GgufWriter &w, const std::string &k) { w.add(k, value); };
  }
  void text(const std::string &key, const std::string &value) {
    keys[key] = [=](GgufWriter &w, const std::string &k) { w.addString(k, value); };
  }
  template <typename T> void numbers(const std::string &key, std::vector<T> values) {
    keys[key] = [=](GgufWriter &w, const std::string &k) { w.addNumbers(k, values); };
  }

  std::string write(const TemporaryFolder &folder, const std::string &name = "tiny.gguf") const {
    GgufWriter w;
    for (auto &[key, add] : keys)
      add(w, key);
    for (auto &[tensor, t] : tensors)
      w.addTensor(tensor, t.shape, t.type, contents.count(tensor) ? contents.at(tensor) : bytesOf(t));
    std::string path = folder.path(name);
    return w.write(path) ? path : std::string();
  }

  std::map<std::string, Key> keys;
  std::map<std::string, TinyTensor> tensors;
  std::map<std::string, std::string> contents; // where zeros are not enough

  static size_t sizeOf(const TinyTensor &t) {
    static const std::map<uint32_t, std::pair<size_t, size_t>> blocks = {
        {0, {1, 4}},   {1, {1, 2}},      {2, {32, 18}}, {3, {32, 20}},
        {8, {32, 34}}, {14, {256, 210}}, {30, {1, 2}}};
    size_t values = 1;
    for (uint64_t d : t.shape)
      values *= d;
    auto block = blocks.count(t.type) ? blocks.at(t.type) : std::pair<size_t, size_t>{1, 1};
    return values / block.first * block.second;
  }

private:
  static std::string bytesOf(const TinyTensor &t) { return std::string(sizeOf(t), '\0'); }
};

} // namespace llmc::test
#endif
