//===- DefaultTarget.cpp - default kernels on a GPU -----------------------===//
#include "codegen/cuda/DefaultTarget.h"

#include "codegen/cuda/Warp.h"
#include "runtime/include/llmc/module_abi.h"

using namespace mlir;

namespace llmc::cuda {

using emit::Emitter;
using emit::KernelArguments;

KernelArguments argumentsOf(Emitter &e, ValueRange functionArguments) {
  KernelArguments arguments;
  arguments.step = functionArguments[0];
  arguments.args = functionArguments[1];
  arguments.number = arguments.worker = readRegister(e, "ctaid.y");
  arguments.count = readRegister(e, "nctaid.y");
  arguments.again = e.c(0);
  arguments.lane = readRegister(e, "tid.x");
  arguments.lanes = readRegister(e, "ntid.x");
  return arguments;
}

void emitEntry(Emitter &e, ModuleOp module, StringRef name, uint32_t threads,
               llvm::function_ref<void(const KernelArguments &)> body) {
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.getContext()), {e.ptr(), e.ptr()});
  auto function = LLVM::LLVMFuncOp::create(e, name, type, LLVM::Linkage::External, /*dsoLocal=*/false,
                                           LLVM::CConv::PTX_Kernel);
  auto pair = [&](StringRef key, const Twine &value) -> Attribute {
    return e.getArrayAttr({e.getStringAttr(key), e.getStringAttr(value)});
  };
  // "no-builtins" keeps loops from becoming calls of memset or memcpy, which nothing would resolve.
  // One block that fits is all that is asked for: else ptxas may spill registers to fit more of them.
  function.setPassthroughAttr(
      e.getArrayAttr({e.getStringAttr("no-builtins"), e.getStringAttr("nounwind"),
                      pair("nvvm.maxntid", Twine(threads)), pair("nvvm.minctasm", "1")}));
  e.setInsertionPointToStart(function.addEntryBlock(e));
  body(argumentsOf(e, function.getArguments()));
  LLVM::ReturnOp::create(e, ValueRange{});
}

} // namespace llmc::cuda
