//===- decompose_test.cpp - what decompositions are made of ---------------===//
//
// tests/ir/decompose.mlir holds every op that has a decomposition. Decomposed until nothing changes, it
// consists of tensor, linalg, arith, math and scf, the cache ops, and the two doors.
//
//===----------------------------------------------------------------------===//
#include "codegen/DefaultKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <set>

using namespace mlir;
using namespace llmc;

namespace {

class Decompose : public testing::Test {
protected:
  Decompose() {
    codegen::registerDefaultKernelDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    module = parseSourceFile<ModuleOp>(LLMC_DECOMPOSE_MLIR, &context);
  }

  DialectRegistry registry;
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
};

TEST_F(Decompose, FileHoldsEveryOp) {
  ASSERT_TRUE(module);
  std::set<std::string> present;
  module->walk([&](Operation *op) { present.insert(op->getName().getStringRef().str()); });
  int decomposable = 0;
  for (RegisteredOperationName name : context.getRegisteredOperations())
    if (name.getDialectNamespace() == "lm" && name.hasInterface<lm::DecomposableInterface>()) {
      ++decomposable;
      EXPECT_TRUE(present.count(name.getStringRef().str()))
          << name.getStringRef().str() << " is not in decompose.mlir";
    }
  EXPECT_GE(decomposable, 20);
}

TEST_F(Decompose, LeavesOnlyCoreDialects) {
  ASSERT_TRUE(module);
  for (int round = 0; round < 4; ++round) {
    SmallVector<lm::DecomposableInterface> ops;
    module->walk([&](lm::DecomposableInterface op) { ops.push_back(op); });
    for (lm::DecomposableInterface op : ops) {
      OpBuilder builder(op);
      FailureOr<SmallVector<Value>> values = op.decompose(builder);
      ASSERT_TRUE(succeeded(values)) << op->getName().getStringRef().str();
      ASSERT_EQ(values->size(), op->getNumResults());
      for (auto [value, result] : llvm::zip(*values, op->getResults()))
        ASSERT_EQ(value.getType(), result.getType()) << op->getName().getStringRef().str();
      op->replaceAllUsesWith(*values);
      op->erase();
    }
  }
  EXPECT_TRUE(succeeded(verify(*module)));
  module->walk([&](Operation *op) {
    if (isa<ModuleOp, lm::ModelOp, lm::CacheOp, lm::ForwardOp, lm::ReturnOp, lm::WeightRefOp, lm::AskedRowsOp,
            lm::KVAppendOp, lm::KVViewOp, lm::TokenRowsOp, lm::WeightValuesOp>(op))
      return;
    EXPECT_TRUE((isa<tensor::TensorDialect, linalg::LinalgDialect, arith::ArithDialect, math::MathDialect,
                     scf::SCFDialect>(op->getDialect())))
        << op->getName().getStringRef().str();
  });
}

TEST_F(Decompose, AttributesThatNameATableFail) {
  module = parseSourceString<ModuleOp>(R"(
    lm.model @m {vocab = 4, context = 8} {
      lm.table @bases = [1.0e4]
      lm.forward(%tokens: !lm.tokens) {
        %table = lm.weight "table" : <4x4>
        %x = lm.embed %tokens, %table : <4x4>
        %y = lm.rope %x, %tokens {head_dim = 4, base = @bases} : tensor<?x4xf32>
        lm.return %y : tensor<?x4xf32>
      }
    })",
                                       &context);
  ASSERT_TRUE(module);
  module->walk([](lm::RopeOp op) {
    OpBuilder builder(op);
    EXPECT_TRUE(failed(op.decompose(builder)));
  });
}

} // namespace
