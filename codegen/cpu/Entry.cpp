//===- Entry.cpp - functions of an instruction set ------------------------===//
#include "codegen/cpu/Entry.h"

using namespace mlir;

namespace llmc::cpu {

LLVM::LLVMFuncOp emitFunction(Emitter &e, ModuleOp module, StringRef name, const Isa &isa,
                              ArrayRef<Type> arguments, bool isPrivate,
                              llvm::function_ref<void(ValueRange)> body) {
  if (auto present = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return present;
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.getContext()), arguments);
  auto function =
      LLVM::LLVMFuncOp::create(e, name, type, isPrivate ? LLVM::Linkage::Internal : LLVM::Linkage::External);
  auto pair = [&](StringRef key, StringRef value) -> Attribute {
    return e.getArrayAttr({e.getStringAttr(key), e.getStringAttr(value)});
  };
  // "no-builtins" keeps loops from becoming calls of memset or memcpy, which nothing would resolve.
  SmallVector<Attribute> attributes = {pair("target-cpu", isa.targetCpu), pair("prefer-vector-width", "512"),
                                       e.getStringAttr("no-builtins"), e.getStringAttr("nounwind")};
  if (!isa.targetFeatures.empty())
    attributes.push_back(pair("target-features", isa.targetFeatures));
  if (isPrivate)
    attributes.push_back(e.getStringAttr("noinline"));
  function.setPassthroughAttr(e.getArrayAttr(attributes));
  e.setInsertionPointToStart(function.addEntryBlock(e));
  body(function.getArguments());
  LLVM::ReturnOp::create(e, ValueRange{});
  return function;
}

LLVM::LLVMFuncOp emitEntry(Emitter &e, ModuleOp module, StringRef name, const Isa &isa,
                           llvm::function_ref<void(const KernelArguments &)> body) {
  return emitFunction(e, module, name, isa, {e.ptr(), e.ptr(), e.ptr()}, /*isPrivate=*/false,
                      [&](ValueRange arguments) { body(KernelArguments(e, arguments)); });
}

} // namespace llmc::cpu
