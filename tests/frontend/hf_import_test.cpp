//===- hf_import_test.cpp - Hugging Face directories to lm text, and what is wrong with bad ones -===//
#include "TinyHf.h"

#include "frontend/Importer.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::frontend;
using llmc::test::TinyHf;
using llmc::test::writeBytes;
namespace fs = std::filesystem;

namespace {

#define EXPECT_HOLDS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class HfImport : public testing::Test {
protected:
  /// The printed model, or the error; nothing in it depends on where the test runs.
  std::string import(const std::string &source) {
    std::string error, out;
    auto module = importModel(context, source, {}, error);
    if (module) {
      EXPECT_EQ(error, "");
      llvm::raw_string_ostream stream(out);
      printModel(modelOf(*module), stream);
    } else {
      out = error;
    }
    std::string root = folder.path("");
    for (size_t at; (at = out.find(root)) != std::string::npos;)
      out.erase(at, root.size());
    return out;
  }
  std::string importWritten() {
    EXPECT_TRUE(model.write(at("Tiny-1B")));
    return import(at("Tiny-1B"));
  }
  std::string at(const std::string &name) const { return folder.path(name); }

  TinyHf model;
  mlir::MLIRContext context;
  test::TemporaryFolder folder;
};

TEST_F(HfImport, Llama) {
  std::string text = importWritten();
  EXPECT_HOLDS(text, "lm.model @tiny_1b {context = 128, family = llama, vocab = 50} {");
  EXPECT_HOLDS(text, "lm.weights \"model.safetensors\"");
  EXPECT_HOLDS(text, "lm.cache @kv {dim_k = 16, dim_v = 16, heads = 2}");
  EXPECT_HOLDS(text, "lm.weight \"model.layers.{i}.self_attn.q_proj.weight\" : <64x32>");
  EXPECT_HOLDS(text, "style = half");
  EXPECT_HOLDS(text, "scale = 0.25}");
  EXPECT_EQ(text.find("lm_head"), std::string::npos) << text;
  EXPECT_EQ(text.find("window"), std::string::npos) << text;
}

TEST_F(HfImport, AnyFileOfTheDirectoryStandsForIt) {
  std::string text = importWritten();
  EXPECT_EQ(import(at("Tiny-1B/")), text);
  EXPECT_EQ(import(at("Tiny-1B/config.json")), text);
  EXPECT_EQ(import(at("Tiny-1B/model.safetensors")), text);
  // A name of its own is the weights' when it is given.
  fs::rename(at("Tiny-1B/model.safetensors"), at("Tiny-1B/ours.safetensors"));
  EXPECT_HOLDS(import(at("Tiny-1B")), "lm.weights \"ours.safetensors\"");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/theirs.safetensors"), model.weights()));
  EXPECT_EQ(
      import(at("Tiny-1B")),
      "Tiny-1B: has several files of weights, ours.safetensors and theirs.safetensors; name one of them");
  EXPECT_HOLDS(import(at("Tiny-1B/theirs.safetensors")), "lm.weights \"theirs.safetensors\"");
}

TEST_F(HfImport, Shards) {
  importWritten();
  fs::rename(at("Tiny-1B/model.safetensors"), at("Tiny-1B/model-00001-of-00001.safetensors"));
  EXPECT_EQ(import(at("Tiny-1B")),
            "Tiny-1B: model-00001-of-00001.safetensors is one of several shards, but there is "
            "no model.safetensors.index.json");
  std::string index;
  for (const auto &[name, tensor] : model.tensors)
    index +=
        (index.empty() ? "{\"weight_map\": {\"" : ", \"") + name + "\": \"model-00001-of-00001.safetensors\"";
  ASSERT_TRUE(writeBytes(at("Tiny-1B/model.safetensors.index.json"), index + "}}"));
  for (const char *file :
       {"", "/model.safetensors.index.json", "/model-00001-of-00001.safetensors", "/config.json"})
    EXPECT_HOLDS(import(at("Tiny-1B") + file), "lm.weights \"model.safetensors.index.json\"");
}

TEST_F(HfImport, TokenizerIsNamedIfThereIsOne) {
  importWritten();
  ASSERT_TRUE(writeBytes(at("Tiny-1B/tokenizer.model"), "x"));
  EXPECT_HOLDS(import(at("Tiny-1B")), "tokenizer = \"tokenizer.model\"");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/tokenizer.json"), "{}"));
  EXPECT_HOLDS(import(at("Tiny-1B")), "tokenizer = \"tokenizer.json\"");
}

TEST_F(HfImport, TokenizerThatCannotBeReadIsNotNone) {
  importWritten();
  fs::create_directory(at("Tiny-1B/tokenizer.model"));
  EXPECT_EQ(import(at("Tiny-1B")), "Tiny-1B/tokenizer.model: is a directory, expected a file");
  fs::create_symlink("../blobs/0123", at("Tiny-1B/tokenizer.json"));
  EXPECT_EQ(import(at("Tiny-1B")), "Tiny-1B/tokenizer.json: is a link to ../blobs/0123, which is not there");
}

TEST_F(HfImport, NameInACacheOfTheHub) {
  std::string snapshot = "models--Owner--Some-Model.v2/snapshots/0123abcd";
  ASSERT_TRUE(model.write(at(snapshot)));
  EXPECT_HOLDS(import(at(snapshot)), "lm.model @some_model_v2 {");
}

TEST_F(HfImport, WhatKeysLeaveOut) {
  for (const char *key : {"num_key_value_heads", "rope_theta", "rms_norm_eps"})
    model.keys.erase(key);
  model.keys["head_dim"] = "null";
  model.keys["hidden_size"] = "64";
  for (auto &[name, tensor] : model.tensors)
    for (uint64_t &extent : tensor.shape)
      extent = extent == 32 ? 64 : extent;
  std::string text = importWritten();
  EXPECT_HOLDS(text, "lm.cache @kv {dim_k = 16, dim_v = 16, heads = 4}");
  EXPECT_HOLDS(text, "eps = 1.0e-06}");
  EXPECT_HOLDS(text, "base = 10000.0,");
}

TEST_F(HfImport, Biases) {
  for (std::string layer : {"model.layers.0.", "model.layers.1."})
    for (std::string name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"})
      model.tensors[layer + name + ".bias"] = {{model.tensors[layer + name + ".weight"].shape[0]}};
  EXPECT_HOLDS(importWritten(), "lm.weight \"model.layers.{i}.self_attn.o_proj.bias\" : <32>");
  model.keys["attention_bias"] = "true";
  EXPECT_HOLDS(importWritten(), "lm.weight \"model.layers.{i}.self_attn.q_proj.bias\" : <64>");
  model.keys["attention_bias"] = "false";
  EXPECT_EQ(importWritten(),
            "Tiny-1B/model.safetensors: tensor 'model.layers.0.self_attn.k_proj.bias' has no place in "
            "a model of this architecture");
  model.keys["attention_bias"] = "true";
  model.tensors.erase("model.layers.1.self_attn.v_proj.bias");
  EXPECT_EQ(importWritten(),
            "Tiny-1B/model.safetensors: tensor 'model.layers.1.self_attn.v_proj.bias' is missing");
}

TEST_F(HfImport, TiedOutputThatIsStored) {
  // A copy of the embedding is the embedding; anything else is used.
  model.tensors["lm_head.weight"] = {{50, 32}};
  EXPECT_EQ(importWritten().find("lm_head"), std::string::npos);
  model.tensors["lm_head.weight"] = {{50, 32}, "F32", 'x'};
  EXPECT_HOLDS(importWritten(), "lm.weight \"lm_head.weight\" : <50x32>");
  model.keys["tie_word_embeddings"] = "false";
  EXPECT_HOLDS(importWritten(), "lm.weight \"lm_head.weight\" : <50x32>");
  model.tensors.erase("lm_head.weight");
  EXPECT_EQ(importWritten(), "Tiny-1B/model.safetensors: tensor 'lm_head.weight' is missing");
}

TEST_F(HfImport, TensorsThatAreNoWeightsAreSkipped) {
  model.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {{8}};
  model.tensors["model.layers.1.attn.masked_bias"] = {{1}, "U8"};
  EXPECT_HOLDS(importWritten(), "lm.model @tiny_1b");
  model.tensors["model.layers.1.self_attn.other"] = {{1}, "I64"};
  EXPECT_EQ(importWritten(),
            "Tiny-1B/model.safetensors: tensor 'model.layers.1.self_attn.other' has no place in a "
            "model of this architecture");
}

TEST_F(HfImport, TextModelOfSeveralModalities) {
  std::string text = model.config();
  model.keys = {{"architectures", R"(["SeesForConditionalGeneration"])"},
                {"model_type", "\"sees\""},
                {"text_config", text},
                {"vision_config", R"({"hidden_size": 7})"},
                {"tie_word_embeddings", "true"}};
  for (auto [prefix, before] :
       {std::pair("model.language_model.", "model."), {"language_model.model.", "model.language_model."}}) {
    model.rename(before, prefix);
    EXPECT_HOLDS(importWritten(),
                 "lm.weight \"" + std::string(prefix) + "layers.{i}.mlp.up_proj.weight\" : <48x32>");
  }
  model.tensors["vision_tower.x"] = {{3}};
  EXPECT_HOLDS(importWritten(), "lm.model @tiny_1b");
  model.keys["text_config"].replace(text.find("\"hidden_size\": 32"), 17, "\"hidden_size\": -1");
  EXPECT_EQ(importWritten(),
            "Tiny-1B/config.json: key 'text_config.hidden_size' is -1, expected an integer from 1 to 131072");
}

TEST_F(HfImport, MistralHasAWindow) {
  model.keys["architectures"] = R"(["MistralForCausalLM"])";
  model.keys["sliding_window"] = "64";
  EXPECT_HOLDS(importWritten(), "window = 64");
  model.keys["sliding_window"] = "null";
  EXPECT_EQ(importWritten().find("window"), std::string::npos);
  model.keys["architectures"] = "null"; // model_type says it then
  model.keys["model_type"] = "\"mistral\"";
  EXPECT_HOLDS(importWritten(), "family = mistral");
}

struct BrokenKey {
  const char *key, *value; // no value: the key is left out
  const char *error;       // behind "config.json: key "
};

TEST_F(HfImport, BadKeys) {
  const BrokenKey broken[] = {
      {"hidden_size", nullptr, "'hidden_size' is missing, expected an integer from 1 to 131072"},
      {"hidden_size", "null", "'hidden_size' is missing, expected an integer from 1 to 131072"},
      {"hidden_size", "\"32\"", "'hidden_size' is '32', expected an integer from 1 to 131072"},
      {"hidden_size", "32.5", "'hidden_size' is 32.5, expected an integer from 1 to 131072"},
      {"hidden_size", "18446744073709551648", "'hidden_size' is 1.8446744073709552e+19, expected"},
      {"vocab_size", "0", "'vocab_size' is 0, expected an integer from 1 to 16777216"},
      {"num_hidden_layers", "100000", "'num_hidden_layers' is 100000, expected an integer from 1 to 1024"},
      {"num_attention_heads", "[4]", "'num_attention_heads' is an array, expected an integer from 1 to 1024"},
      {"num_attention_heads", "3",
       "'num_attention_heads' is 3, expected a multiple of key 'num_key_value_heads' (2)"},
      {"head_dim", "{}", "'head_dim' is an object, expected an integer from 1 to 1024"},
      {"rms_norm_eps", "\"1e-5\"", "'rms_norm_eps' is '1e-5', expected a number"},
      {"rms_norm_eps", "1e300", "'rms_norm_eps' is 1e+300, expected a number"},
      {"rms_norm_eps", "2", "'rms_norm_eps' is 2, expected a number from 0 to 1"},
      {"rope_theta", "-1", "'rope_theta' is -1, expected a number above 0"},
      {"tie_word_embeddings", "1", "'tie_word_embeddings' is 1, expected true or false"},
      {"architectures", "\"LlamaForCausalLM\"",
       "'architectures' is 'LlamaForCausalLM', expected an array of strings"},
      {"architectures", "[1]", "'architectures' is an array with 1, expected an array of strings"},
      {"quantization_config", R"({"quant_method": "gptq", "bits": 4})",
       "'quantization_config' is 'gptq', expected no such key: weights that another tool has quantized are "
       "not "
       "supported"},
  };
  for (const BrokenKey &b : broken) {
    model = TinyHf();
    if (b.value)
      model.keys[b.key] = b.value;
    else
      model.keys.erase(b.key);
    std::string error = importWritten();
    EXPECT_TRUE(error.starts_with(std::string("Tiny-1B/config.json: key ") + b.error)) << error << "\n"
                                                                                       << b.error;
  }
}

TEST_F(HfImport, UnknownArchitecture) {
  model.keys["architectures"] = R"(["MambaForCausalLM"])";
  EXPECT_HOLDS(importWritten(), "family = llama") << "by its model_type";
  model.keys["model_type"] = "\"mamba\"";
  std::string error = importWritten();
  EXPECT_TRUE(
      error.starts_with("Tiny-1B/config.json: key 'architectures' is 'MambaForCausalLM', expected one of: "))
      << error;
  EXPECT_HOLDS(error, "LlamaForCausalLM");
  EXPECT_HOLDS(error, "MistralForCausalLM");
  model.keys.erase("architectures");
  EXPECT_TRUE(importWritten().starts_with(
      "Tiny-1B/config.json: key 'model_type' is 'mamba', expected one of: baichuan, deepseek, "));
  model.keys.erase("model_type");
  EXPECT_EQ(importWritten(),
            "Tiny-1B/config.json: key 'architectures' is missing, expected it or 'model_type'");
}

TEST_F(HfImport, Baichuan2IsNotTakenForTheFirst) {
  model.keys["architectures"] = R"(["BaichuanForCausalLM"])";
  model.keys["model_type"] = "\"baichuan\"";
  EXPECT_EQ(importWritten(), "Tiny-1B/config.json: key 'architectures' is 'BaichuanForCausalLM', expected "
                             "'BaiChuanForCausalLM': Baichuan 2 is not supported");
}

TEST_F(HfImport, BadFiles) {
  EXPECT_EQ(import(at("none")), "none: No such file or directory");
  fs::create_directory(at("empty"));
  EXPECT_EQ(import(at("empty")), "empty: has no config.json, expected a Hugging Face directory");
  ASSERT_TRUE(writeBytes(at("empty/model.gguf"), "GGUF"));
  EXPECT_EQ(import(at("empty")),
            "empty: has no config.json, expected a Hugging Face directory; there is empty/model.gguf");

  importWritten();
  fs::remove(at("Tiny-1B/model.safetensors"));
  EXPECT_EQ(import(at("Tiny-1B")),
            "Tiny-1B: has no weights, expected model.safetensors or model.safetensors.index.json");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/pytorch_model.bin"), "PK"));
  EXPECT_EQ(import(at("Tiny-1B")),
            "Tiny-1B: its weights are in pytorch_model.bin, a pickle, which is a program; "
            "convert it to safetensors (save_pretrained does)");
  std::string whole = model.weights();
  ASSERT_TRUE(writeBytes(at("Tiny-1B/model.safetensors"), whole.substr(0, whole.size() - 1)));
  EXPECT_HOLDS(import(at("Tiny-1B")), "Tiny-1B/model.safetensors: tensor ");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/model.safetensors"), whole));

  ASSERT_TRUE(writeBytes(at("Tiny-1B/config.json"), "{\"hidden_size\": 1,\n \"hidden_size\": 2}"));
  EXPECT_EQ(import(at("Tiny-1B")), "Tiny-1B/config.json: has the key 'hidden_size' twice in one object");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/config.json"), "{\n\"hidden_size\": 1,}"));
  EXPECT_HOLDS(import(at("Tiny-1B")), "Tiny-1B/config.json: is not valid JSON at line 2");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/config.json"), "[]"));
  EXPECT_EQ(import(at("Tiny-1B")), "Tiny-1B/config.json: is an array, expected an object");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/config.json"), std::string(100000, '{')));
  EXPECT_HOLDS(import(at("Tiny-1B")), "Tiny-1B/config.json: ");
  ASSERT_TRUE(writeBytes(at("Tiny-1B/config.json"), ""));
  EXPECT_HOLDS(import(at("Tiny-1B")), "Tiny-1B/config.json: is not valid JSON");
  fs::remove(at("Tiny-1B/config.json"));
  EXPECT_EQ(import(at("Tiny-1B/model.safetensors")),
            "Tiny-1B: has no config.json, expected a Hugging Face directory");
}

TEST_F(HfImport, BadTensors) {
  model.tensors["model.layers.1.self_attn.k_proj.weight"].shape = {16, 32};
  EXPECT_EQ(importWritten(),
            "Tiny-1B/model.safetensors: tensor 'model.layers.1.self_attn.k_proj.weight' is 16x32, "
            "expected 32x32");
  model.tensors["model.layers.1.self_attn.k_proj.weight"] = {{32, 32}, "U8"};
  EXPECT_HOLDS(
      importWritten(),
      "tensor 'model.layers.1.self_attn.k_proj.weight' has type u8, expected one of: f32, f16, bf16");
  model.tensors.erase("model.layers.1.self_attn.k_proj.weight");
  EXPECT_EQ(importWritten(),
            "Tiny-1B/model.safetensors: tensor 'model.layers.1.self_attn.k_proj.weight' is missing");
}

TEST_F(HfImport, TextKeepsItsNames) {
  ASSERT_TRUE(writeBytes(at("m.mlir"), "lm.model @m {vocab = 4, context = 8} {\n"
                                       "  %table = lm.weight \"t\" : <4x8>\n"
                                       "  lm.forward(%tokens: !lm.tokens) {\n"
                                       "    %mine = lm.embed %tokens, %table : <4x8>\n"
                                       "    %0 = lm.linear %mine, %table : <4x8>\n"
                                       "    lm.return %0 : tensor<?x4xf32>\n"
                                       "  }\n"
                                       "}\n"));
  std::string error, out;
  ImportOptions options;
  auto module = importModel(context, at("m.mlir"), options, error);
  ASSERT_TRUE(module) << error;
  llvm::raw_string_ostream stream(out);
  printModel(modelOf(*module), stream);
  EXPECT_HOLDS(out, "%table = lm.weight \"t\"");
  EXPECT_HOLDS(out, "%mine = lm.embed %tokens, %table");
  EXPECT_HOLDS(out, "%0 = lm.linear %mine, %table");
}

} // namespace
