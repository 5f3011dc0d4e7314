//===- hf_decoder_test.cpp - config.json of the families ------------------===//
//
// Each test takes the config.json of a checkpoint in tests/fixtures/families, changes a line, and imports it
// with that checkpoint's weights. What the checkpoints compute is tested end to end.
//
//===----------------------------------------------------------------------===//
#include "TinyLlama.h"

#include "frontend/Importer.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace llmc;
using namespace llmc::frontend;
namespace fs = std::filesystem;

namespace {

struct Edit {
  const char *what, *family, *from, *to; // the text `from` of config.json becomes `to`
  const char *expected;                  // of the error after the file's path, or of the model's text
};

class HfDecoder : public testing::TestWithParam<Edit> {
protected:
  /// The printed model, or the error.
  std::string import(const Edit &edit) {
    fs::path family = fs::path(LLMC_FIXTURES) / "families" / edit.family;
    std::ostringstream read;
    read << std::ifstream(family / "config.json").rdbuf();
    std::string text = read.str();
    size_t at = text.find(edit.from);
    EXPECT_NE(at, std::string::npos) << edit.from;
    text.replace(at, std::string(edit.from).size(), edit.to);
    std::ofstream(folder.path("config.json")) << text;
    fs::create_symlink(family / "model.safetensors", folder.path("model.safetensors"));
    std::string error, out;
    auto module =
        importModel(context, fs::path(folder.path("config.json")).parent_path().string(), {}, error);
    if (!module)
      return error;
    llvm::raw_string_ostream stream(out);
    printModel(modelOf(*module), stream);
    return out;
  }
  mlir::MLIRContext context;
  test::TemporaryFolder folder;
};

TEST_P(HfDecoder, ReadsOrSaysWhy) {
  std::string found = import(GetParam());
  EXPECT_NE(found.find(GetParam().expected), std::string::npos) << found;
}

const Edit edits[] = {
    {"RopeType", "llama2", "\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"ntk\"}",
     "key 'rope_scaling.type' is 'ntk', expected one of: default, linear, dynamic, llama3, yarn, longrope, "
     "su"},
    {"RopeFactorMissing", "llama2", "\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"linear\"}",
     "key 'rope_scaling.factor' is missing"},
    {"RopeFactorNegative", "llama2", "\"rope_scaling\": null",
     "\"rope_scaling\": {\"type\": \"linear\", \"factor\": -2}",
     "rope scaling: factor is -2, expected a number above 0"},
    {"RopeScalingText", "llama2", "\"rope_scaling\": null", "\"rope_scaling\": \"x\"",
     "key 'rope_scaling' is"},
    {"RopeParametersList", "llama2", "\"rope_scaling\": null", "\"rope_parameters\": [{\"rope_theta\": 1}]",
     "key 'rope_parameters' is"},
    {"RopeThetaBeside", "llama2", "\"rope_theta\": 10000.0",
     "\"rope_parameters\": {\"rope_theta\": 100}, \"rope_theta\": \"x\"", "key 'rope_theta' is"},
    {"RopeAlpha", "llama2", "\"rope_scaling\": null",
     "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 1, \"alpha\": 1000}", "key 'rope_scaling.alpha'"},
    {"RopeByLayer", "llama2", "\"rope_scaling\": null",
     "\"rope_parameters\": {\"full_attention\": {}, \"sliding_attention\": {\"rope_theta\": 1e4}}",
     "expected one rotation for all layers"},
    {"YarnBase", "llama2", "10000.0,\n  \"rope_scaling\": null",
     "1.0, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}",
     "key 'rope_theta' is 1, expected a number above 1 for yarn scaling"},
    {"Window", "phi3", "\"sliding_window\": 262", "\"sliding_window\": 4294967297",
     "key 'sliding_window' is 4294967297, expected an integer from 1 to 16777216"},
    {"LongRopeLists", "phi3", "1.016", "1.016, 1", "the list of short factors has 7 numbers, expected 6"},
    {"SuIsLongRope", "phi3", "\"type\": \"longrope\"", "\"type\": \"su\"", "freqs = ["},
    {"PartialRotation", "phi4-mini", "\"partial_rotary_factor\": 0.75", "\"partial_rotary_factor\": 1.5",
     "key 'partial_rotary_factor' is 1.5, expected a number above 0, at most 1"},
    {"Activation", "llama2", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu_pytorch_tanh\"",
     "form = tanh"},
    {"ActivationUnknown", "llama2", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"",
     "key 'hidden_act' is 'mish', expected one of: silu"},
    {"NormEps", "llama2", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": -1",
     "key 'rms_norm_eps' is -1, expected a number from 0 to 1"},
    {"LayerTypes", "qwen2", "\"use_sliding_window\": false",
     "\"use_sliding_window\": true, \"layer_types\": [\"full_attention\", \"sliding_attention\", "
     "\"full_attention\"]",
     "lm.table @window = [0.000000e+00, 2.400000e+01, 0.000000e+00]"},
    {"LayerTypesTooFew", "qwen2", "\"use_sliding_window\": false",
     "\"use_sliding_window\": true, \"layer_types\": [\"full_attention\"]",
     "key 'layer_types' is a list of 1, expected one entry for each of 3 layers"},
    {"NoRopeLayers", "smollm3", "\"no_rope_layers\": [", "\"no_rope_layers\": [0,",
     "key 'no_rope_layers' is a list of 5, expected one entry for each of 4 layers"},
    {"NoRopeInterval", "smollm3", "\"no_rope_layers\"", "\"some_layers\"", "kinds = [0, 0, 0, 1]"},
    {"Multiplier", "granite", "\"residual_multiplier\": 0.22", "\"residual_multiplier\": 0",
     "key 'residual_multiplier' is 0, expected a number above 0"},
    {"Experts", "llama2", "\"architectures\": [\n    \"LlamaForCausalLM\"\n  ]",
     "\"architectures\": [\"DeepseekForCausalLM\"], \"n_routed_experts\": 64, \"first_k_dense_replace\": 1",
     "key 'n_routed_experts' is 64, expected 0: mixtures of experts are not supported"},
    {"Architecture", "llama2", "\"LlamaForCausalLM\"", "\"ParrotForCausalLM\"", "lm.model"},
    {"OddRotation", "llama2", "\"rope_scaling\": null", "\"partial_rotary_factor\": 0.6",
     "key 'partial_rotary_factor' is 7, expected an even number"},
};
INSTANTIATE_TEST_SUITE_P(Config, HfDecoder, testing::ValuesIn(edits),
                         [](const auto &info) { return std::string(info.param.what); });

} // namespace
