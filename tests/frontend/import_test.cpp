//===- import_test.cpp - model files to the lm dialect --------------------===//
#include "TinyLlama.h"

#include "frontend/Importer.h"
#include "ir/Locations.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>

using namespace llmc;
using namespace llmc::frontend;
using llmc::test::TemporaryFolder;
using llmc::test::TinyLlama;
namespace fs = std::filesystem;

namespace {

class Import : public testing::Test {
protected:
  mlir::OwningOpRef<mlir::ModuleOp> import(const std::string &path, ImportOptions options = {}) {
    return importModel(context, path, options, error);
  }
  std::string textOf(const std::string &path, ImportOptions options = {}) {
    auto module = import(path, options);
    return module ? printed(*module) : "error: " + error;
  }
  static std::string printed(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream out(text);
    printModel(modelOf(module), out);
    return text;
  }
  /// Structure and attributes, with numbered values.
  static std::string plain(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream out(text);
    modelOf(module)->print(out);
    return text;
  }
  std::string save(const std::string &name, const std::string &text) {
    std::ofstream(folder.path(name)) << text;
    return folder.path(name);
  }
  static ptrdiff_t lines(const std::string &text) { return std::count(text.begin(), text.end(), '\n'); }

  TemporaryFolder folder;
  mlir::MLIRContext context;
  std::string error;
};

testing::AssertionResult holds(const std::string &text, const std::string &part) {
  if (text.find(part) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << part << "' in:\n" << text;
}
#define EXPECT_HOLDS(text, part) EXPECT_TRUE(holds(text, part))

//===----------------------------------------------------------------------===//
// What a model becomes
//===----------------------------------------------------------------------===//

TEST_F(Import, LlamaReadsAsAPersonWouldWriteIt) {
  std::string text = textOf(TinyLlama().write(folder));
  EXPECT_LE(lines(text), 60) << text;
  for (const char *part : {
           "lm.model @tiny_llama {context = 128, family = llama, tokenizer = \"tiny.gguf\", vocab = 50} {",
           "lm.weights \"tiny.gguf\"",
           "lm.cache @kv {dim_k = 16, dim_v = 16, heads = 2}",
           "%token_embd = lm.weight \"token_embd.weight\" : <50x32>",
           "count = 2 iter(%h = %embedded : tensor<?x32xf32>)",
           "%attn_q = lm.weight \"blk.{i}.attn_q.weight\" : <64x32>",
           "%q = lm.linear %attn_in, %attn_q",
           "lm.rope %q, %tokens {base = 10000.0, head_dim = 16, style = interleaved}",
           "lm.kv_append @kv, %k_rotated, %new_v, %tokens",
           "%k, %v, %keys = lm.kv_view @kv, %tokens",
           "{heads = 4, kv_heads = 2, mask = causal, scale = 0.25}",
           "lm.silu %gate",
           "lm.asked_rows",
           "%logits = lm.linear %last, %token_embd",
       })
    EXPECT_HOLDS(text, part);
  EXPECT_EQ(text.find("loc("), std::string::npos) << text;
  EXPECT_EQ(text.find("freqs"), std::string::npos) << text;
}

TEST_F(Import, TextRoundTrips) {
  auto module = import(TinyLlama().write(folder));
  ASSERT_TRUE(module) << error;
  auto again = import(save("tiny.mlir", printed(*module)));
  ASSERT_TRUE(again) << error;
  EXPECT_EQ(plain(*module), plain(*again));
}

TEST_F(Import, EveryOpSaysWhereItStands) {
  auto module = import(TinyLlama().write(folder));
  ASSERT_TRUE(module) << error;
  std::set<std::string> places;
  modelOf(*module).walk([&](mlir::Operation *op) {
    auto place = mlir::dyn_cast<mlir::NameLoc>(placeOf(op->getLoc()));
    ASSERT_TRUE(place) << op->getName().getStringRef().str();
    places.insert(place.getName().str());
  });
  EXPECT_TRUE(places.count("blk.{i}.attn_q"));
  EXPECT_TRUE(places.count("blk.{i}.attention"));
  EXPECT_TRUE(places.count("token_embd"));
}

TEST_F(Import, BiasesAndOutputFollowTheTensors) {
  TinyLlama llama;
  for (std::string blk : {"blk.0.", "blk.1."}) {
    llama.tensors[blk + "attn_q.bias"] = {{64}};
    llama.tensors[blk + "ffn_down.bias"] = {{32}};
  }
  llama.tensors["output.weight"] = {{50, 32}};
  std::string text = textOf(llama.write(folder));
  EXPECT_HOLDS(text, "%q = lm.linear %attn_in, %attn_q, %attn_q_bias");
  EXPECT_HOLDS(text, "%ffn_down_bias = lm.weight \"blk.{i}.ffn_down.bias\" : <32>");
  EXPECT_HOLDS(text, "%logits = lm.linear %last, %output ");

  llama.tensors.erase("blk.1.attn_q.bias");
  EXPECT_HOLDS(textOf(llama.write(folder)), "tensor 'blk.1.attn_q.bias' is missing");
}

TEST_F(Import, KeysThatMayBeAbsent) {
  TinyLlama llama;
  for (const char *key :
       {"llama.attention.head_count_kv", "llama.attention.key_length", "llama.attention.value_length",
        "llama.rope.dimension_count", "llama.rope.freq_base", "general.name"})
    llama.keys.erase(key);
  for (std::string blk : {"blk.0.", "blk.1."}) {
    for (const char *name : {"attn_q", "attn_k", "attn_v"})
      llama.tensors[blk + name + ".weight"] = {{32, 32}};
    llama.tensors[blk + "attn_output.weight"] = {{32, 32}};
  }
  std::string text = textOf(llama.write(folder, "9-lives.gguf"));
  EXPECT_HOLDS(text, "lm.model @model_9_lives");
  EXPECT_HOLDS(text, "heads = 4, kv_heads = 4");
  EXPECT_HOLDS(text, "{base = 10000.0, head_dim = 8, style = interleaved}");
}

TEST_F(Import, EqualNumbersForAllLayersAreOneNumber) {
  TinyLlama llama;
  llama.numbers<uint32_t>("llama.attention.head_count_kv", {2, 2});
  llama.numbers<int32_t>("llama.feed_forward_length", {48, 48});
  EXPECT_HOLDS(textOf(llama.write(folder)), "kv_heads = 2");
}

TEST_F(Import, WindowAndPartialRotation) {
  TinyLlama llama;
  llama.set<uint32_t>("llama.attention.sliding_window", 64);
  llama.set<uint32_t>("llama.rope.dimension_count", 8);
  std::string text = textOf(llama.write(folder));
  EXPECT_HOLDS(text, "window = 64");
  EXPECT_HOLDS(text, "dims = 8");
}

TEST_F(Import, NormOfEachHead) {
  TinyLlama qwen;
  qwen.become("qwen3");
  for (std::string blk : {"blk.0.", "blk.1."})
    qwen.tensors[blk + "attn_q_norm.weight"] = qwen.tensors[blk + "attn_k_norm.weight"] = {{16}};
  std::string text = textOf(qwen.write(folder));
  EXPECT_HOLDS(text, "%q_normed = lm.rms_norm %q, %attn_q_norm {eps = 1.0e-05, group = 16}");
  EXPECT_HOLDS(text, "lm.rope %q_normed, %tokens {base = 10000.0, head_dim = 16, style = half}");
}

TEST_F(Import, FusedRows) {
  TinyLlama phi;
  phi.become("phi3");
  for (std::string blk : {"blk.0.", "blk.1."}) {
    for (const char *gone : {"attn_q", "attn_k", "attn_v", "ffn_gate"})
      phi.tensors.erase(blk + gone + ".weight");
    phi.tensors[blk + "attn_qkv.weight"] = {{128, 32}};
    phi.tensors[blk + "ffn_up.weight"] = {{96, 32}};
  }
  std::string text = textOf(phi.write(folder));
  EXPECT_HOLDS(text, "%new_k_rows = lm.w.rows %attn_qkv[64 : 96] : <128x32> -> <32x32>");
  EXPECT_HOLDS(text, "%up_rows = lm.w.rows %ffn_up[48 : 96] : <96x32> -> <48x32>");
}

TEST_F(Import, Multipliers) {
  TinyLlama granite;
  granite.become("granite");
  granite.set<float>("granite.embedding_scale", 12.0f);
  granite.set<float>("granite.residual_scale", 0.22f);
  granite.set<float>("granite.attention.scale", 0.1f);
  granite.set<float>("granite.logit_scale", 8.0f);
  std::string text = textOf(granite.write(folder));
  for (const char *part : {"{scale = 12.0}", "lm.scale %attn_out {factor = 0.22}", "scale = 0.1",
                           "lm.scale %logits {factor = 0.125}"})
    EXPECT_HOLDS(text, part);
}

TEST_F(Import, LayersWithoutRotation) {
  TinyLlama smol;
  smol.become("smollm3", 5);
  std::string text = textOf(smol.write(folder));
  EXPECT_HOLDS(text, "kinds = [0, 0, 0, 1, 0]");
}

TEST_F(Import, BaichuanOf13B) {
  TinyLlama baichuan;
  baichuan.become("baichuan", 40);
  EXPECT_HOLDS(textOf(baichuan.write(folder)),
               "key 'baichuan.block_count' is 40, expected another: Baichuan-13B is not supported");
}

class ImportRope : public Import {
protected:
  std::vector<double> freqs(const TinyLlama &llama) {
    auto module = import(llama.write(folder));
    std::vector<double> found;
    if (module)
      modelOf(*module).walk([&](lm::RopeOp rope) {
        if (rope.getFreqs())
          found.assign(rope.getFreqs()->begin(), rope.getFreqs()->end());
      });
    return found;
  }
};

TEST_F(ImportRope, LinearScalingDividesAllFrequencies) {
  TinyLlama llama;
  llama.text("llama.rope.scaling.type", "linear");
  llama.set<float>("llama.rope.scaling.factor", 4.0f);
  std::vector<double> found = freqs(llama);
  ASSERT_EQ(found.size(), 8u) << error;
  for (int j = 0; j < 8; ++j)
    EXPECT_FLOAT_EQ(found[j], std::pow(10000.0, -j / 8.0) / 4);
}

TEST_F(ImportRope, StoredDivisors) {
  TinyLlama llama;
  llama.tensors["rope_freqs.weight"] = {{8}};
  std::string &bytes = llama.contents["rope_freqs.weight"];
  for (float divisor : {1.f, 1.f, 1.f, 1.5f, 2.f, 8.f, 8.f, 8.f})
    bytes += test::GgufWriter::rawBytes(divisor);
  std::vector<double> found = freqs(llama);
  ASSERT_EQ(found.size(), 8u) << error;
  EXPECT_FLOAT_EQ(found[2], std::pow(10000.0, -2 / 8.0));
  EXPECT_FLOAT_EQ(found[3], std::pow(10000.0, -3 / 8.0) / 1.5);
  EXPECT_FLOAT_EQ(found[7], std::pow(10000.0, -7 / 8.0) / 8);
  auto module = import(llama.write(folder));
  auto again = import(save("freqs.mlir", printed(*module)));
  ASSERT_TRUE(again) << error;
  EXPECT_EQ(plain(*module), plain(*again));
  bytes.replace(0, 4, std::string(4, '\0'));
  EXPECT_TRUE(freqs(llama).empty());
  EXPECT_HOLDS(error, "tensor 'rope_freqs.weight' holds 0, expected numbers above 0");
}

//===----------------------------------------------------------------------===//
// One sentence for each way to be wrong
//===----------------------------------------------------------------------===//

struct Broken {
  const char *what;
  void (*edit)(TinyLlama &);
  const char *sentence; // what follows "FILE: "
};

class ImportError : public Import, public testing::WithParamInterface<Broken> {};

TEST_P(ImportError, NamesFileKeyFoundAndExpected) {
  TinyLlama llama;
  GetParam().edit(llama);
  std::string path = llama.write(folder);
  EXPECT_FALSE(import(path));
  EXPECT_EQ(error, path + ": " + GetParam().sentence);
}

#define KNOWN "baichuan, deepseek, granite, internlm2, llama, phi3, qwen2, qwen3, smollm3"
const Broken broken[] = {
    {"Architecture", [](TinyLlama &l) { l.text("general.architecture", "parrot"); },
     "key 'general.architecture' is 'parrot', expected one of: " KNOWN},
    {"NoArchitecture", [](TinyLlama &l) { l.keys.erase("general.architecture"); },
     "key 'general.architecture' is missing, expected one of: " KNOWN},
    {"NoLayers", [](TinyLlama &l) { l.keys.erase("llama.block_count"); },
     "key 'llama.block_count' is missing, expected 1 to 1024"},
    {"TooManyLayers", [](TinyLlama &l) { l.set<uint32_t>("llama.block_count", 4000000000u); },
     "key 'llama.block_count' is 4000000000, expected 1 to 1024"},
    {"HugeLayers", [](TinyLlama &l) { l.set<uint64_t>("llama.block_count", ~0ull); },
     "key 'llama.block_count' is 18446744073709551615, expected 1 to 1024"},
    {"NegativeLayers", [](TinyLlama &l) { l.set<int32_t>("llama.block_count", -1); },
     "key 'llama.block_count' is -1, expected an integer that is not negative"},
    {"LayersAsText", [](TinyLlama &l) { l.text("llama.block_count", "2"); },
     "key 'llama.block_count' is a string, expected an integer"},
    {"ZeroHidden", [](TinyLlama &l) { l.set<uint32_t>("llama.embedding_length", 0); },
     "key 'llama.embedding_length' is 0, expected 1 to 131072"},
    {"HeadsNoMultiple", [](TinyLlama &l) { l.set<uint32_t>("llama.attention.head_count_kv", 3); },
     "key 'llama.attention.head_count' is 4, expected a multiple of key 'llama.attention.head_count_kv' (3)"},
    {"ZeroHeads", [](TinyLlama &l) { l.set<uint32_t>("llama.attention.head_count", 0); },
     "key 'llama.attention.head_count' is 0, expected 1 to 1024"},
    {"HeadsDifferByLayer", [](TinyLlama &l) { l.numbers<uint32_t>("llama.attention.head_count_kv", {2, 4}); },
     "key 'llama.attention.head_count_kv' is an array with 2 and 4, expected the same number for all layers"},
    {"HeadDim", [](TinyLlama &l) { l.set<uint32_t>("llama.attention.key_length", 1025); },
     "key 'llama.attention.key_length' is 1025, expected 1 to 1024"},
    {"HeadsDoNotDivideHidden",
     [](TinyLlama &l) {
       l.keys.erase("llama.attention.key_length");
       l.set<uint32_t>("llama.attention.head_count", 6);
     },
     "key 'llama.attention.head_count' is 6, expected a divisor of 'llama.embedding_length' (32)"},
    {"OddRotation", [](TinyLlama &l) { l.set<uint32_t>("llama.rope.dimension_count", 15); },
     "key 'llama.rope.dimension_count' is 15, expected an even number"},
    {"WideRotation", [](TinyLlama &l) { l.set<uint32_t>("llama.rope.dimension_count", 18); },
     "key 'llama.rope.dimension_count' is 18, expected 2 to 16"},
    {"RopeBase", [](TinyLlama &l) { l.set<float>("llama.rope.freq_base", -1.0f); },
     "key 'llama.rope.freq_base' is -1, expected a number above 0"},
    {"RopeBaseOfYarn",
     [](TinyLlama &l) {
       l.text("llama.rope.scaling.type", "yarn");
       l.set<float>("llama.rope.freq_base", 1.0f);
     },
     "key 'llama.rope.freq_base' is 1, expected a number above 1 for yarn scaling"},
    {"RopeBaseNaN", [](TinyLlama &l) { l.set<float>("llama.rope.freq_base", NAN); },
     "key 'llama.rope.freq_base' is nan, expected a finite number"},
    {"RopeScaling", [](TinyLlama &l) { l.text("llama.rope.scaling.type", "ntk"); },
     "key 'llama.rope.scaling.type' is 'ntk', expected 'none', 'linear', 'yarn' or 'longrope'"},
    {"RopeFactor",
     [](TinyLlama &l) {
       l.text("llama.rope.scaling.type", "yarn");
       l.set<float>("llama.rope.scaling.factor", 4.0f);
       l.set<float>("llama.rope.scaling.yarn_beta_fast", 0.0f);
     },
     "rope scaling: beta fast is 0, expected a number above 0"},
    {"RopeMix",
     [](TinyLlama &l) {
       l.text("llama.rope.scaling.type", "yarn");
       l.set<float>("llama.rope.scaling.yarn_ext_factor", 0.5f);
     },
     "key 'llama.rope.scaling.yarn_ext_factor' is 0.5, expected 1"},
    {"LongRopeWithoutLists", [](TinyLlama &l) { l.text("llama.rope.scaling.type", "longrope"); },
     "key 'llama.rope.scaling.type' is 'longrope', expected tensors 'rope_factors_short.weight' and "
     "'rope_factors_long.weight' beside it"},
    {"Softcap", [](TinyLlama &l) { l.set<float>("llama.attn_logit_softcapping", 50.0f); },
     "key 'llama.attn_logit_softcapping' is 50, expected 0: it is not supported in this architecture"},
    {"WindowPattern",
     [](TinyLlama &l) { l.numbers<uint32_t>("llama.attention.sliding_window_pattern", {1, 0}); },
     "key 'llama.attention.sliding_window_pattern' is set, expected no such key: it is not supported in this "
     "architecture"},
    {"Latent", [](TinyLlama &l) { l.set<uint32_t>("llama.attention.kv_lora_rank", 512); },
     "key 'llama.attention.kv_lora_rank' is 512, expected 0: latent attention is not supported"},
    {"Eps", [](TinyLlama &l) { l.keys.erase("llama.attention.layer_norm_rms_epsilon"); },
     "key 'llama.attention.layer_norm_rms_epsilon' is missing, expected a number"},
    {"EpsRange", [](TinyLlama &l) { l.set<float>("llama.attention.layer_norm_rms_epsilon", -1.0f); },
     "key 'llama.attention.layer_norm_rms_epsilon' is -1, expected a number from 0 to 1"},
    {"Experts", [](TinyLlama &l) { l.set<uint32_t>("llama.expert_count", 8); },
     "key 'llama.expert_count' is 8, expected 0: mixtures of experts are not supported"},
    {"Split", [](TinyLlama &l) { l.set<uint16_t>("split.count", 3); },
     "key 'split.no' is missing, expected 0 to 2"},
    {"VocabSize", [](TinyLlama &l) { l.set<uint32_t>("llama.vocab_size", 51); },
     "key 'llama.vocab_size' is 51, expected 50, the rows of tensor 'token_embd.weight'"},
    {"TooManyTokens",
     [](TinyLlama &l) {
       l.keys["tokenizer.ggml.tokens"] = [](test::GgufWriter &w, const std::string &k) {
         w.addStrings(k, std::vector<std::string>(51, "a"));
       };
     },
     "key 'tokenizer.ggml.tokens' has 51 entries, expected at most 50, the rows of the embedding"},
    {"NoEmbedding", [](TinyLlama &l) { l.tensors.erase("token_embd.weight"); },
     "there is no tensor 'token_embd.weight'"},
    {"EmbeddingNoMatrix", [](TinyLlama &l) { l.tensors["token_embd.weight"] = {{50, 32, 2}}; },
     "tensor 'token_embd.weight' is 50x32x2, expected a matrix"},
    {"MissingTensor", [](TinyLlama &l) { l.tensors.erase("blk.1.ffn_down.weight"); },
     "tensor 'blk.1.ffn_down.weight' is missing"},
    {"TensorShape", [](TinyLlama &l) { l.tensors["blk.1.attn_k.weight"] = {{64, 32}}; },
     "tensor 'blk.1.attn_k.weight' is 64x32, expected 32x32"},
    {"TensorRank", [](TinyLlama &l) { l.tensors["blk.0.attn_norm.weight"] = {{32, 1}}; },
     "tensor 'blk.0.attn_norm.weight' is 32x1, expected 32"},
    {"TensorType", [](TinyLlama &l) { l.tensors["blk.1.attn_v.weight"] = {{32, 32}, 24}; },
     "tensor 'blk.1.attn_v.weight' has type i8, expected one of: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, "
     "q5_1, iq4_nl, mxfp4, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_xs"},
    {"TensorTooMany", [](TinyLlama &l) { l.tensors["blk.0.attn_q_norm.weight"] = {{16}}; },
     "tensor 'blk.0.attn_q_norm.weight' has no place in a model of this architecture"},
};
INSTANTIATE_TEST_SUITE_P(Gguf, ImportError, testing::ValuesIn(broken),
                         [](const auto &info) { return info.param.what; });

TEST_F(Import, UnknownTypeNumber) {
  TinyLlama llama;
  llama.tensors["blk.0.attn_q.weight"] = {{64, 32}, 77};
  std::string path = llama.write(folder);
  EXPECT_FALSE(import(path));
  EXPECT_HOLDS(error, "tensor 'blk.0.attn_q.weight'");
  EXPECT_HOLDS(error, "77");
}

TEST_F(Import, NotAModel) {
  std::string none = folder.path("none.gguf");
  EXPECT_FALSE(import(none));
  EXPECT_EQ(error, none + ": No such file or directory");
  EXPECT_FALSE(import(folder.path("")));
  EXPECT_HOLDS(error, ": has no config.json, expected a Hugging Face directory");
  EXPECT_FALSE(import(save("zip", std::string("PK\x03\x04\0\0", 6))));
  EXPECT_HOLDS(error,
               "is of an unknown format, expected lm text (.mlir), a GGUF file or a Hugging Face directory");
  EXPECT_FALSE(import(save("model.so", "\177ELF\2\1\1")));
  EXPECT_HOLDS(error, "model.so: is already compiled (llmc run takes it), expected lm text (.mlir)");
  EXPECT_FALSE(import(save("letter.txt", "Apache License\nVersion 2.0\n")));
  EXPECT_HOLDS(error, "letter.txt: holds no 'lm.model', expected lm text (.mlir), a GGUF file or a Hugging");
  EXPECT_FALSE(import(save("empty.mlir", "")));
  EXPECT_HOLDS(error, "is empty");
  EXPECT_FALSE(import(save("cut.gguf", "GGUF")));
  EXPECT_HOLDS(error, "cut.gguf");
}

TEST_F(Import, NoWeights) {
  TinyLlama llama;
  llama.tensors.clear();
  EXPECT_FALSE(import(llama.write(folder)));
  EXPECT_HOLDS(error, ": holds no weights");
  llama.keys["tokenizer.ggml.tokens"] = [](llmc::test::GgufWriter &writer, const std::string &key) {
    writer.addStrings(key, {"a", "b"});
  };
  EXPECT_FALSE(import(llama.write(folder)));
  EXPECT_HOLDS(error, ": holds only a vocabulary, no weights");
}

TEST_F(Import, TextErrorsHaveAPlace) {
  std::string path = save("bad.mlir", "lm.model @m {vocab = 4, context = 8} {\n"
                                      "  lm.forward(%tokens: !lm.tokens) {\n"
                                      "    lm.return %x : tensor<?x4xf32>\n"
                                      "  }\n"
                                      "}\n");
  EXPECT_FALSE(import(path));
  EXPECT_HOLDS(error, path + ":3:");
  EXPECT_EQ(error.find('\n'), std::string::npos);
  std::string none = save("none.mlir", "module {}\n");
  EXPECT_FALSE(import(none));
  EXPECT_EQ(error, none + ": holds 0 'lm.model' ops, expected one");
}

//===----------------------------------------------------------------------===//
// Paths
//===----------------------------------------------------------------------===//

TEST_F(Import, PathsFollowTheTextsFolder) {
  fs::create_directories(folder.path("models"));
  fs::create_directories(folder.path("out"));
  std::string gguf = TinyLlama().write(folder, "models/tiny.gguf");
  auto module = import(gguf, {.relativeTo = folder.path("out")});
  ASSERT_TRUE(module) << error;
  EXPECT_HOLDS(printed(*module), "lm.weights \"../models/tiny.gguf\"");
  EXPECT_TRUE(fs::equivalent(findModelFiles(modelOf(*module), folder.path("out")).weights[0], gguf));
  EXPECT_TRUE(fs::equivalent(findModelFiles(modelOf(*module), folder.path("out")).tokenizer, gguf));

  // From text in one folder to text in another.
  std::string text = save("out/tiny.mlir", printed(*module));
  auto moved = import(text, {.relativeTo = folder.path("models")});
  ASSERT_TRUE(moved) << error;
  EXPECT_HOLDS(printed(*moved), "lm.weights \"tiny.gguf\"");
}

//===----------------------------------------------------------------------===//
// Files made by others
//===----------------------------------------------------------------------===//

TEST_F(Import, Checkpoints) {
  int count = 0;
  for (const fs::directory_entry &entry : fs::directory_iterator(LLMC_FIXTURES)) {
    if (entry.path().extension() != ".gguf")
      continue;
    ++count;
    auto module = import(entry.path().string());
    ASSERT_TRUE(module) << error;
    EXPECT_LE(lines(printed(*module)), 150);
  }
  EXPECT_GE(count, 11);
}

TEST_F(Import, DemoModel) {
  const char *path = std::getenv("LLMC_DEMO_MODEL");
  if (!path || !*path)
    GTEST_SKIP() << "LLMC_DEMO_MODEL is not set";
  std::string text = textOf(path);
  std::string name = std::filesystem::path(path).filename().string();
  EXPECT_HOLDS(text, "lm.model @smollm2 {context = 8192, family = llama, tokenizer = \"" + name +
                         "\", vocab = 49152}");
  EXPECT_HOLDS(text, "{heads = 9, kv_heads = 3, mask = causal, scale = 0.125}");
  EXPECT_HOLDS(text, "base = 1.0e+05");
  EXPECT_HOLDS(text, "lm.layers count = 30");
  EXPECT_LE(lines(text), 150);
}

} // namespace
