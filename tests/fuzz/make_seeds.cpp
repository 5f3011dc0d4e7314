// Writes the seeds of the fuzz targets into a folder: a small model file, tokenizers as GGUF and compiled.
#include "frontend/formats/TokenizerBlob.h"
#include "tests/support/SafetensorsWriter.h"
#include "tests/support/TinyVocabulary.h"

#include <cstdio>

using namespace llmc::test;
using namespace llmc::formats;

static bool write(const std::string &path, const std::string &bytes) {
  std::FILE *f = std::fopen(path.c_str(), "wb");
  if (!f)
    return false;
  bool ok = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  return std::fclose(f) == 0 && ok;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  std::string folder = argv[1], blob, error;
  GgufWriter model;
  model.addString("general.architecture", "llama").add("n", uint32_t(1)).add("f", 1.0f).add("b", true);
  model.addStrings("s", {"a", "b"}).addNumbers("i", std::vector<int16_t>{1, 2});
  model.addTensor("t", {2, 32}, 3, std::string(40, 1)).addTensor("u", {4}, 0, std::string(16, 1));
  bool ok = write(folder + "/model", model.bytes());
  for (const char *pre : {"gpt-2", "llama-bpe", "qwen2"}) {
    TinyVocabulary v;
    v.pre = pre;
    std::string bytes = v.writeAll().bytes();
    auto f = GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, pre, error);
    ok = ok && f && buildTokenizerBlob(*f, blob, error) && write(folder + "/" + pre, bytes) &&
         write(folder + "/" + pre + ".blob", blob);
  }
  SafetensorsWriter weights;
  weights.add("a.weight", "BF16", "[2,3]", "012345678901")
      .add("b", "U8", "[]", "x")
      .add("c", "F32", "[0]", "");
  ok = ok && write(folder + "/safetensors", weights.bytes()) &&
       write(folder + "/config.json", R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",
         "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2,
         "num_hidden_layers": 2, "max_position_embeddings": 128, "vocab_size": 100, "head_dim": 16,
         "rms_norm_eps": 1e-05, "hidden_act": "silu", "sliding_window": 32, "rope_theta": 10000.0,
         "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
           "short_factor": [1.0, 2], "beta_fast": 32}, "tie_word_embeddings": true, "text_config": null})");
  return ok ? 0 : 1;
}
