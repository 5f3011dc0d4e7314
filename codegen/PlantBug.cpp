//===- PlantBug.cpp - mistakes for tests to find --------------------------===//
//
// One function for each mistake, which says whether it found its place; the table at the end.
//
//===----------------------------------------------------------------------===//
#include "codegen/PlantBug.h"

#include "ir/LMOps.h"
#include "ir/Locations.h"
#include "ir/StepOps.h"
#include "ir/quant/QuantScheme.h"
#include "passes/Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

/// The first op of the kind that `fits`, the stack's before others.
template <typename Op> static Op firstOf(ModuleOp module, llvm::function_ref<bool(Op)> fits) {
  Op found;
  module.walk([&](Op op) {
    if (fits(op) && (!found || (!found->template getParentOfType<lm::LayersOp>() &&
                                op->template getParentOfType<lm::LayersOp>())))
      found = op;
  });
  return found;
}

static bool dropNormWeight(ModuleOp module) {
  auto fused = firstOf<lm::FusedLinearOp>(module, [](lm::FusedLinearOp op) { return bool(op.getGain()); });
  if (!fused)
    return false;
  MatmulParts parts = *MatmulParts::of(fused);
  parts.gain = {};
  OpBuilder builder(fused);
  fused->replaceAllUsesWith(parts.build(builder, fused.getLoc()));
  fused.erase();
  return true;
}

static bool addResidualTwice(ModuleOp module) {
  auto fused =
      firstOf<lm::FusedLinearOp>(module, [](lm::FusedLinearOp op) { return bool(op.getResidual()); });
  if (!fused)
    return false;
  OpBuilder builder(fused);
  Value x = fused.getResidual();
  fused.getResidualMutable().assign(
      lm::AddOp::create(builder, placeOf(fused.getLoc()), x.getType(), x, x).getResult());
  return true;
}

static lm::CachedAttentionOp firstAttention(ModuleOp module) {
  return firstOf<lm::CachedAttentionOp>(module, [](lm::CachedAttentionOp) { return true; });
}

static bool pairOtherColumns(ModuleOp module) {
  lm::CachedAttentionOp attention = firstAttention(module);
  auto style = attention ? attention->getAttrOfType<StringAttr>("rope_style") : StringAttr();
  if (!style)
    return false;
  attention->setAttr("rope_style", StringAttr::get(module.getContext(),
                                                   style.getValue() == "half" ? "interleaved" : "half"));
  return true;
}

static bool forgetSoftmaxScale(ModuleOp module) {
  lm::CachedAttentionOp attention = firstAttention(module);
  if (!attention)
    return false;
  attention->setAttr("scale", FloatAttr::get(attention.getScaleAttr().getType(), 1.0));
  return true;
}

/// A matrix of layer 0 becomes that of layer 1.
static bool readNextLayer(ModuleOp module) {
  auto program = *module.getOps<step::ProgramOp>().begin();
  auto callIn = [&](StringRef kernel, uint64_t layer) {
    for (auto call : program.getBody().getOps<step::DispatchOp>())
      if (call.getLayer() == layer && (kernel.empty() || call.getKernel() == kernel))
        return call;
    return step::DispatchOp();
  };
  for (auto call : program.getBody().getOps<step::DispatchOp>()) {
    step::DispatchOp next = call.getLayer() == uint64_t(0) ? callIn(call.getKernel(), 1) : step::DispatchOp();
    if (!next)
      continue;
    SmallVector<Attribute> args(call.getArgs().begin(), call.getArgs().end());
    for (auto [mine, other] : llvm::zip_equal(args, next.getArgs())) {
      auto name = dyn_cast<FlatSymbolRefAttr>(mine);
      auto weight = name ? program.lookupSymbol<step::WeightOp>(name.getAttr()) : step::WeightOp();
      if (!weight || weight.getScheme() == "vector" || mine == other)
        continue;
      mine = other;
      call.setArgsAttr(ArrayAttr::get(module.getContext(), args));
      return true;
    }
  }
  return false;
}

/// Tokens go into the slot behind their own, and are read from their own.
static bool appendOneOff(ModuleOp module) {
  bool isPlanted = false;
  module.walk([&](arith::RemUIOp slot) {
    APInt tokens;
    if (!slot->getParentOfType<LLVM::LLVMFuncOp>().getName().contains(".prepare") ||
        !matchPattern(slot.getRhs(), m_ConstantInt(&tokens)) || tokens != 32) // tokens in a page
      return;
    OpBuilder builder(slot->getContext());
    builder.setInsertionPointAfter(slot);
    Value one = arith::ConstantOp::create(builder, slot.getLoc(), builder.getI64IntegerAttr(1));
    auto next = arith::AddIOp::create(builder, slot.getLoc(), slot, one);
    slot.getResult().replaceAllUsesExcept(next, next);
    isPlanted = true;
  });
  return isPlanted;
}

/// Every token finds its pages in the row of sequence 0.
static bool mixSequences(ModuleOp module) {
  bool isPlanted = false;
  module.walk([&](arith::MulIOp product) {
    auto sequence = product.getLhs().getDefiningOp<arith::ExtSIOp>();
    auto stride = product.getRhs().getDefiningOp<LLVM::LoadOp>();
    if (!sequence || !stride || !sequence.getIn().getDefiningOp<LLVM::LoadOp>())
      return;
    OpBuilder builder(product);
    product.getLhsMutable().assign(
        arith::ConstantOp::create(builder, product.getLoc(), builder.getI64IntegerAttr(0)).getResult());
    isPlanted = true;
  });
  return isPlanted;
}

/// The row that is left over where rows come in twos or more reads what the first one should.
static bool repeatFirstRow(ModuleOp module) {
  bool isPlanted = false;
  module.walk([&](CallOpInterface call) {
    auto callee = dyn_cast<SymbolRefAttr>(call.getCallableForCallee());
    auto function = call->getParentOfType<LLVM::LLVMFuncOp>();
    int loops = 0;
    for (Operation *at = call->getParentOp(); at; at = at->getParentOp())
      loops += isa<scf::ForOp>(at);
    if (!callee || !callee.getLeafReference().getValue().starts_with("llmc.products.") ||
        !callee.getLeafReference().getValue().contains(".1x") || loops < 3)
      return;
    constexpr unsigned rowsOfCallee = 2, rowsOfCaller = 3;
    call->setOperand(rowsOfCallee, function.getArgument(rowsOfCaller));
    isPlanted = true;
  });
  return isPlanted;
}

/// Where four-bit numbers lose their zero point.
static SmallVector<LLVM::SubOp> unpackedNibbles(ModuleOp module) {
  SmallVector<LLVM::SubOp> found;
  module.walk([&](LLVM::SubOp difference) {
    if (APInt zero; matchPattern(difference.getRhs(), m_ConstantInt(&zero)) && zero == 8)
      found.push_back(difference);
  });
  return found;
}

/// Four-bit numbers count from 7.
static bool countFromSeven(ModuleOp module) {
  SmallVector<LLVM::SubOp> differences = unpackedNibbles(module);
  for (LLVM::SubOp difference : differences) {
    OpBuilder builder(difference);
    auto seven = IntegerAttr::get(difference.getType(), 7);
    difference->setOperand(1, LLVM::ConstantOp::create(builder, difference.getLoc(), seven).getResult());
  }
  return !differences.empty();
}

static void readNullBefore(Operation *op) {
  OpBuilder builder(op);
  Value null = LLVM::ZeroOp::create(builder, op->getLoc(), LLVM::LLVMPointerType::get(op->getContext()));
  LLVM::LoadOp::create(builder, op->getLoc(), builder.getI8Type(), null, /*alignment=*/1,
                       /*isVolatile=*/true);
}

static bool readNullWhereUnpacking(ModuleOp module) {
  SmallVector<LLVM::SubOp> differences = unpackedNibbles(module);
  for (LLVM::SubOp difference : differences)
    readNullBefore(difference);
  return !differences.empty();
}

static bool readNullInMatmuls(ModuleOp module) {
  bool isPlanted = false;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (function.getName().contains("linear") && !function.isExternal()) {
      readNullBefore(&function.getBody().front().front());
      isPlanted = true;
    }
  return isPlanted;
}

/// As LLVM does where it has no instruction for something.
[[noreturn]] static bool giveUp(ModuleOp) { llvm::report_fatal_error("planted"); }

static bool giveUpWhereUnpacking(ModuleOp module) {
  return !unpackedNibbles(module).empty() && giveUp(module);
}

namespace {
struct Bug {
  StringRef name, stage;
  bool (*plant)(ModuleOp); // whether the module had a place for it; null: it is not in a module
  bool isEverywhere;       // else only in modules that have a place for it
};
} // namespace

static ArrayRef<Bug> bugs() {
  static const Bug table[] = {
      {"norm-weight", "fuse-rmsnorm-matmul", dropNormWeight, true},
      {"residual-twice", "fuse-epilogue", addResidualTwice, true},
      {"rope-pairs", "fuse-rope-attention", pairOtherColumns, true},
      {"softmax-scale", "fuse-rope-attention", forgetSoftmaxScale, true},
      {"next-layer", "lower-to-step", readNextLayer, true},
      {"append-one-off", "kernels", appendOneOff, true},
      {"mixed-sequences", "kernels", mixSequences, true},
      {"odd-rows", "kernels", repeatFirstRow, true},
      {"unpack-zero-point", "default-kernels", countFromSeven, false},
      {"pack-zero-point", "weights", nullptr, false},
      {"default-kernels-crash", "default-kernels", readNullWhereUnpacking, false},
      {"default-kernels-abort", "default-kernels", giveUpWhereUnpacking, false},
      {"kernels-crash", "kernels", readNullInMatmuls, true},
      {"kernels-abort", "kernels", giveUp, true},
  };
  return table;
}

std::vector<std::string> codegen::plantableBugs() {
  std::vector<std::string> names;
  for (const Bug &bug : bugs())
    names.push_back(bug.name.str());
  return names;
}

bool codegen::isOfPass(StringRef name) {
  return llvm::any_of(bugs(), [&](const Bug &bug) {
    return bug.name == name && !llvm::is_contained({"kernels", "default-kernels", "weights"}, bug.stage);
  });
}

LogicalResult codegen::plantBug(StringRef name, StringRef stage, ModuleOp module) {
  const Bug *bug = llvm::find_if(bugs(), [&](const Bug &bug) { return bug.name == name; });
  if (bug == bugs().end() || bug->stage != stage || !bug->plant || bug->plant(module) || !bug->isEverywhere)
    return success();
  return emitError(module.getLoc()) << "--plant-bug: the model has no place for '" << name << "'";
}

/// The nibbles of q4_0, behind each f16 scale, count from 9 when they are written.
static void countFromNine(const quant::QuantScheme &scheme, uint8_t *row, int64_t k) {
  if (scheme.name != "q4_0")
    return;
  for (uint8_t *block = row; block < row + scheme.rowBytes(k); block += scheme.blockBytes)
    for (int i = 2; i < scheme.blockBytes; ++i) {
      const int low = std::min(block[i] % 16 + 1, 15), high = std::min(block[i] / 16 + 1, 15);
      block[i] = static_cast<uint8_t>(low + 16 * high);
    }
}

RowAlteration codegen::plantedInRows(StringRef bug) {
  return bug == "pack-zero-point" ? RowAlteration(countFromNine) : nullptr;
}
