//===- model_builder_test.cpp - each trait of a spec is lines of the model -===//
#include "frontend/FusedRows.h"
#include "frontend/Importer.h"
#include "frontend/ModelBuilder.h"

#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::frontend;

namespace {

NormTensors norm(const std::string &name) { return {true, name + ".weight", ""}; }

ModelSpec small() {
  ModelSpec s;
  s.file = "small";
  s.name = "small";
  s.vocab = 50, s.context = 64, s.layers = 2, s.hidden = 32;
  s.normEps = 1e-5;
  s.embedding = "embd.weight";
  s.tied = true;
  s.outputNorm = norm("final");
  AttentionSpec &a = s.attention;
  a.heads = 4, a.kvHeads = 2, a.dimK = a.dimV = 8, a.scale = 0.5;
  a.q.weight = "{i}.wq.weight", a.k.weight = "{i}.wk.weight", a.v.weight = "{i}.wv.weight",
  a.o.weight = "{i}.wo.weight";
  a.norms.before = norm("{i}.attn_norm");
  s.mlp.ffn = 64;
  s.mlp.gate.weight = "{i}.wgate.weight", s.mlp.up.weight = "{i}.wup.weight",
  s.mlp.down.weight = "{i}.wdown.weight";
  s.mlp.norms.before = norm("{i}.mlp_norm");
  s.positions = Positions::Rope;
  s.rope.dims = 8;
  return s;
}

class ModelBuilder : public testing::Test {
protected:
  std::string build(const ModelSpec &spec) {
    std::string error;
    EXPECT_TRUE(spec.check(error)) << error;
    context.loadDialect<lm::LMDialect>();
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    mlir::OpBuilder builder(&context);
    builder.setInsertionPointToEnd(module->getBody());
    lm::ModelOp model = buildModel(builder, spec, {{"w.gguf"}, ""});
    EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
    std::string text;
    llvm::raw_string_ostream out(text);
    printModel(model, out);
    return text;
  }
  mlir::MLIRContext context;
};

/// The parts stand in the text in this order.
testing::AssertionResult inOrder(const std::string &text, std::initializer_list<const char *> parts) {
  size_t at = 0;
  for (const char *part : parts) {
    at = text.find(part, at);
    if (at == std::string::npos)
      return testing::AssertionFailure() << "no '" << part << "' after the ones before in:\n" << text;
  }
  return testing::AssertionSuccess();
}

TEST_F(ModelBuilder, PreNorm) {
  EXPECT_TRUE(inOrder(build(small()), {"%attn_in = lm.rms_norm %h", "lm.linear %attn_in",
                                       "%h_attn = lm.add %h, %attn_out", "%mlp_in = lm.rms_norm %h_attn",
                                       "%h_next = lm.add %h_attn, %mlp_out", "lm.yield %h_next"}));
}

TEST_F(ModelBuilder, NormAfterTheSublayer) {
  ModelSpec s = small();
  std::swap(s.attention.norms.before, s.attention.norms.after);
  std::swap(s.mlp.norms.before, s.mlp.norms.after);
  EXPECT_TRUE(inOrder(build(s), {"%q = lm.linear %h, %wq", "%attn_normed = lm.rms_norm %attn_out",
                                 "lm.add %h, %attn_normed", "%gate = lm.linear %h_attn",
                                 "%mlp_normed = lm.rms_norm %mlp_out", "lm.add %h_attn, %mlp_normed"}));
}

TEST_F(ModelBuilder, Sandwich) {
  ModelSpec s = small();
  s.attention.norms.after = norm("{i}.attn_post");
  s.mlp.norms.after = norm("{i}.mlp_post");
  EXPECT_TRUE(inOrder(build(s), {"%attn_in = lm.rms_norm %h", "%attn_normed = lm.rms_norm %attn_out",
                                 "lm.add %h, %attn_normed", "%mlp_in = lm.rms_norm %h_attn",
                                 "%mlp_normed = lm.rms_norm %mlp_out"}));
}

TEST_F(ModelBuilder, NormOfTheResidualStream) {
  ModelSpec s = small();
  std::swap(s.attention.norms.before, s.attention.norms.residual);
  std::swap(s.mlp.norms.before, s.mlp.norms.residual);
  EXPECT_TRUE(inOrder(build(s), {"%h_attn = lm.add %h, %attn_out", "%h_attn_normed = lm.rms_norm %h_attn",
                                 "%gate = lm.linear %h_attn_normed", "%h_next_normed = lm.rms_norm %h_next",
                                 "lm.yield %h_next_normed"}));
}

TEST_F(ModelBuilder, ParallelWithOneNorm) {
  ModelSpec s = small();
  s.block = BlockForm::Parallel;
  s.mlp.norms.before = {};
  EXPECT_TRUE(inOrder(build(s), {"%q = lm.linear %attn_in", "%gate = lm.linear %attn_in",
                                 "%h_attn = lm.add %h, %attn_out", "%h_next = lm.add %h_attn, %mlp_out"}));
  s.mlp.norms.residual = norm("{i}.x");
  std::string error;
  EXPECT_FALSE(s.check(error));
  EXPECT_EQ(error, "small: block is parallel, expected no norm of the residual stream in a parallel block");
}

TEST_F(ModelBuilder, LayerNormLearnedPositionsPlainGelu) {
  ModelSpec s = small();
  s.normKind = NormKind::Layer;
  s.attention.norms.before.bias = "{i}.attn_norm.bias";
  s.attention.q.bias = "{i}.wq.bias";
  s.positions = Positions::Learned;
  s.positionEmbedding = "pos.weight";
  s.positionRows = 66, s.positionOffset = 2;
  s.mlp.gated = false;
  s.mlp.act = Activation::GeluTanh;
  std::string text = build(s);
  EXPECT_TRUE(inOrder(text, {"lm.position_embed", "offset = 2", "lm.add %embedded, %position",
                             "%attn_in = lm.layer_norm %h, %attn_norm, %attn_norm_bias",
                             "%q = lm.linear %attn_in, %wq, %wq_bias",
                             "%activated = lm.gelu %up {form = tanh}", "%mlp_out = lm.linear %activated"}));
  EXPECT_EQ(text.find("lm.rope"), std::string::npos);
}

TEST_F(ModelBuilder, NormsOfQueriesAndKeys) {
  ModelSpec s = small();
  s.attention.qkNorm = QKNorm::PerHead;
  s.attention.qNorm = norm("{i}.q_norm");
  s.attention.kNorm = norm("{i}.k_norm");
  EXPECT_TRUE(inOrder(build(s), {"%q_norm = lm.weight \"{i}.q_norm.weight\" : <8>", "%q_normed = lm.rms_norm",
                                 "group = 8", "lm.rope %q_normed", "lm.rope %k_normed"}));
  s.attention.qkNorm = QKNorm::Whole;
  EXPECT_TRUE(inOrder(build(s), {"%q_norm = lm.weight \"{i}.q_norm.weight\" : <32>",
                                 "%k_norm = lm.weight \"{i}.k_norm.weight\" : <16>", "lm.rope %q_normed"}));
}

TEST_F(ModelBuilder, ScalesAndCaps) {
  ModelSpec s = small();
  s.embeddingScale = 4;
  s.normPlusOne = true;
  s.attention.softcap = 50;
  s.attention.window = 16;
  s.outputScale = 0.5;
  s.outputSoftcap = 30;
  s.tied = false;
  s.output.weight = "head.weight";
  EXPECT_TRUE(inOrder(build(s), {"lm.embed", "scale = 4.0", "plus_one", "softcap = 50.0", "window = 16",
                                 "%logits = lm.linear %last, %head", "%scaled = lm.scale %logits",
                                 "%capped = lm.softcap %scaled", "lm.return %capped"}));
}

TEST_F(ModelBuilder, WindowOfSomeLayers) {
  ModelSpec s = small();
  s.attention.window = 16;
  s.attention.windowLayers = {false, true};
  EXPECT_TRUE(inOrder(build(s), {"lm.table @window = [0.000000e+00, 1.600000e+01]", "window = @window"}));
  s.attention.windowLayers = {true, true};
  EXPECT_TRUE(inOrder(build(s), {"window = 16"}));
  s.attention.windowLayers = {false, false};
  EXPECT_EQ(build(s).find("window"), std::string::npos);
  s.attention.windowLayers = {true};
  std::string error;
  EXPECT_FALSE(s.check(error));
  EXPECT_EQ(error, "small: attention.window is a list of 1, expected one entry for each of 2 layers");
}

TEST_F(ModelBuilder, KindsOfLayers) {
  ModelSpec s = small();
  s.rope.layers = {false, true};
  std::string text = build(s);
  EXPECT_TRUE(inOrder(text, {"kinds = [0, 1]", "lm.kv_append @kv, %new_k,", "lm.yield",
                             "lm.weight \"{i}.wq.weight\"", "lm.rope %q", "lm.yield"}));
  s.rope.layers = {false, false};
  text = build(s);
  EXPECT_EQ(text.find("lm.rope"), std::string::npos);
  EXPECT_EQ(text.find("kinds"), std::string::npos);
}

TEST_F(ModelBuilder, ResidualScale) {
  ModelSpec s = small();
  s.residualScale = 0.25;
  EXPECT_TRUE(
      inOrder(build(s), {"%h_attn_scaled = lm.scale %attn_out {factor = 0.25}", "lm.add %h, %h_attn_scaled",
                         "%h_next_scaled = lm.scale %mlp_out", "lm.add %h_attn, %h_next_scaled"}));
}

TEST_F(ModelBuilder, RowsOfOneTensor) {
  ModelSpec s = small();
  takeQkvRows(s.attention, "{i}.qkv.weight", "{i}.qkv.bias");
  takeGateUpRows(s.mlp, "{i}.gate_up.weight");
  EXPECT_TRUE(inOrder(build(s), {"lm.w.rows %qkv[0 : 32] : <64x32> -> <32x32>", "lm.w.rows %qkv_bias[0 : 32]",
                                 "lm.w.rows %qkv[32 : 48]", "lm.w.rows %qkv[48 : 64]",
                                 "lm.w.rows %gate_up[0 : 64]", "lm.w.rows %gate_up[64 : 128]"}));
}

TEST_F(ModelBuilder, RowsInGroupsOfHeads) {
  ModelSpec s = small();
  takeGroupedQkvRows(s.attention, "{i}.wqkv.weight");
  EXPECT_TRUE(inOrder(build(s), {"lm.w.permute %wqkv {order = [1, 0, 2], shape = [2, 4, 8]}", "[0 : 32]",
                                 "{order = [1, 0, 2], shape = [2, 2, 8]}", "[32 : 48]", "[48 : 64]"}));
}

} // namespace
