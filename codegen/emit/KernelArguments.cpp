//===- KernelArguments.cpp - what a kernel is told ------------------------===//
#include "codegen/emit/KernelArguments.h"

#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;

namespace llmc::emit {

KernelArguments::KernelArguments(Emitter &e, ValueRange arguments) : step(arguments[0]), args(arguments[1]) {
  auto field = [&](int64_t offset) { return e.load(e.i32(), arguments[2], offset); };
  number = e.widen(field(offsetof(llmc_share, number)));
  count = e.widen(field(offsetof(llmc_share, count)));
  worker = e.widen(field(offsetof(llmc_share, worker)));
  again = e.widen(field(offsetof(llmc_share, is_again)));
}

Value KernelArguments::pointer(Emitter &e, int64_t index) const { return e.load(e.ptr(), args, 8 * index); }
Value KernelArguments::immediate(Emitter &e, int64_t index) const { return e.load(e.i64(), args, 8 * index); }

Value KernelArguments::rows(Emitter &e, uint32_t space) const {
  return e.load(e.i64(), step, offsetof(llmc_step, rows) + 8 * space);
}

Value KernelArguments::scratch(Emitter &e) const {
  Value table = e.load(e.ptr(), step, offsetof(llmc_step, scratch));
  return e.load(e.ptr(), e.at(table, e.mul(worker, 8)));
}

std::pair<Value, Value> KernelArguments::share(Emitter &e, Value items) const {
  return {e.div(e.mul(items, number), count), e.div(e.mul(items, e.add(number, 1)), count)};
}

void KernelArguments::forEach(Emitter &e, int64_t items, int64_t step,
                              llvm::function_ref<void(Value)> body) const {
  Value first = lane ? e.mul(lane, step) : e.c(0);
  e.loop(first, e.c(items), lanes ? e.mul(lanes, step) : e.c(step), body);
}

void emitCountLoad(Emitter &e, Value step, Value address, Value bytes) {
  Value callee = e.load(e.ptr(), step, offsetof(llmc_step, count_load));
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.getContext()), {e.ptr(), e.ptr(), e.i64()});
  LLVM::CallOp::create(e, type, ValueRange{callee, step, address, bytes});
}

} // namespace llmc::emit
