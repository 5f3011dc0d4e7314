//===- packing_fits_test.cpp - which bf16 matrices lm-pack-bf16 takes ------===//
#include "WeightFile.h"

#include "codegen/PackingFits.h"
#include "ir/StepOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::codegen;
using llmc::test::TemporaryFolder;
using llmc::test::WeightFile;

namespace {

class PackingFitsTest : public testing::Test {
protected:
  void SetUp() override {
    context.loadDialect<lm::LMDialect>();
    file.add("table", {32, 64}, "bf16");
    file.add("blk.0.w", {48, 64}, "bf16");
    std::mt19937 random(3);
    std::string wide(48 * 64 * 2, '\0'); // of all exponents there are, in the last rows
    for (size_t i = wide.size() - 64 * 2; i < wide.size(); ++i)
      wide[i] = static_cast<char>(random());
    file.writer.addTensor("blk.1.w", {48, 64}, 30, wide);
    file.add("blk.2.w", {48, 64}, "f16");
    ASSERT_TRUE(file.writer.write(folder.path("w.gguf")));
    source = WeightSource::open({folder.path("w.gguf")}, error);
    ASSERT_TRUE(source) << error;
  }

  /// The text of a model, its table written as `table`, after the pass.
  std::string packed(const std::string &table) {
    const std::string text = "lm.model @m {vocab = 32, context = 8} {\n"
                             "%w = lm.weight \"table\" : <32x64>\n" +
                             table +
                             "lm.forward(%tokens: !lm.tokens) {\n"
                             "%x = lm.embed %tokens, %t : <32x64>\n"
                             "%y = lm.layers count = 3 iter(%h = %x : tensor<?x64xf32>) {\n"
                             "%v = lm.weight \"blk.{i}.w\" : <48x64>\n"
                             "%z = lm.linear %h, %v : <48x64>\n"
                             "lm.yield %h : tensor<?x64xf32>\n}\n"
                             "%l = lm.linear %y, %t : <32x64>\n"
                             "lm.return %l : tensor<?x32xf32>\n}\n}\n";
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    mlir::PassManager manager(&context);
    manager.enableVerifier(false); // the model's end does not matter here
    manager.addNestedPass<lm::ModelOp>(createPackBF16Pass(packingOf(*source, options)));
    EXPECT_TRUE(mlir::succeeded(manager.run(*module)));
    std::string result;
    llvm::raw_string_ostream out(result);
    module->print(out);
    return result;
  }

  static bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
  }

  TemporaryFolder folder;
  WeightFile file;
  mlir::MLIRContext context;
  std::unique_ptr<WeightSource> source;
  PipelineOptions options;
  std::string error;
};

TEST_F(PackingFitsTest, LayersWhoseNumbersFitArePacked) {
  const std::string text = packed("%t = lm.w.rows %w [0:32] : <32x64> -> <32x64>\n");
  EXPECT_TRUE(has(text, "{to = bf16z} : <32x64>")) << text;
  EXPECT_TRUE(has(text, "{to = [bf16z, keep, keep]} : <48x64>")) << text;
}

TEST_F(PackingFitsTest, WhatSomebodyChoseStays) {
  EXPECT_TRUE(has(packed("%t = lm.w.quantize %w {to = q8_0} : <32x64>\n"), "{to = q8_0} : <32x64>"));
  EXPECT_TRUE(has(packed("%t = lm.w.quantize %w {to = bf16} : <32x64>\n"), "{to = bf16z} : <32x64>"));
}

TEST_F(PackingFitsTest, NothingIsPackedForWhatCannotDecode) {
  for (int reason = 0; reason < 3; ++reason) {
    options = {};
    if (reason == 0)
      options.activations = "bf16";
    else if (reason == 1)
      options.defaultKernels = true;
    else
      options.devices.push_back({nullptr, {}});
    const std::string text = packed("%t = lm.w.quantize %w {to = bf16z} : <32x64>\n");
    EXPECT_TRUE(has(text, "{to = bf16} : <32x64>")) << text;
    EXPECT_FALSE(has(text, "bf16z")) << text;
  }
}

} // namespace
