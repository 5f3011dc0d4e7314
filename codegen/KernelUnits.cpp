//===- KernelUnits.cpp - the pieces that kernels compile in ---------------===//
#include "codegen/KernelUnits.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace llmc::codegen {
namespace {

bool isShared(Operation *op) {
  return isa<LLVM::LLVMFuncOp>(op) && SymbolTable::getSymbolName(op).getValue().starts_with(sharedPrefix);
}

/// A shared function as others see it.
void declare(OpBuilder &builder, LLVM::LLVMFuncOp function) {
  auto declared = cast<LLVM::LLVMFuncOp>(builder.insert(function->cloneWithoutRegions()));
  declared.setLinkage(LLVM::Linkage::External);
}

/// `roots` and all that they use, but of shared functions only a declaration.
OwningOpRef<ModuleOp> unitOf(ArrayRef<Operation *> roots, SymbolTable &symbols) {
  OwningOpRef<ModuleOp> unit = ModuleOp::create(roots.front()->getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(unit->getBody());
  llvm::SetVector<Operation *> needed(roots.begin(), roots.end());
  for (size_t i = 0; i < needed.size(); ++i) {
    Operation *op = needed[i];
    if (isShared(op) && !llvm::is_contained(roots, op)) {
      declare(builder, cast<LLVM::LLVMFuncOp>(op));
      continue;
    }
    Operation *copy = builder.clone(*op);
    if (isShared(op))
      cast<LLVM::LLVMFuncOp>(copy).setLinkage(LLVM::Linkage::External);
    op->walk([&](Operation *inner) {
      for (NamedAttribute attr : inner->getAttrs())
        attr.getValue().walk([&](FlatSymbolRefAttr symbol) {
          if (Operation *used = symbols.lookup(symbol.getAttr()))
            needed.insert(used);
        });
    });
  }
  return unit;
}

} // namespace

std::vector<KernelUnit> splitIntoUnits(ModuleOp module, ArrayRef<std::string> kernels) {
  SymbolTable symbols(module);
  std::vector<KernelUnit> units;
  for (const std::string &kernel : kernels) {
    SmallVector<Operation *> roots;
    for (const std::string &name : {kernel, kernel + ".prepare"})
      if (Operation *op = symbols.lookup(name))
        roots.push_back(op);
    units.push_back({kernel, unitOf(roots, symbols)});
  }
  for (Operation &op : *module.getBody())
    if (isShared(&op))
      units.push_back({SymbolTable::getSymbolName(&op).str(), unitOf(&op, symbols)});
  return units;
}

} // namespace llmc::codegen
