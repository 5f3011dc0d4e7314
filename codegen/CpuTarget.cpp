//===- CpuTarget.cpp - what the CPU has kernels of ------------------------===//
#include "codegen/CpuTarget.h"

#include "codegen/KernelSpecs.h"

using namespace mlir;
using namespace llmc;

bool cpu::hasKernel(Operation *op) {
  if (auto attention = dyn_cast<lm::CachedAttentionOp>(op))
    return !attention.getSinks() && attention.getMask() == "causal";
  return true;
}

FailureOr<int64_t> cpu::packedRowBytes(step::KernelOp kernel) {
  FailureOr<codegen::KernelSpec> spec = codegen::kernelSpec(kernel);
  if (failed(spec))
    return failure();
  auto *linear = std::get_if<emit::LinearSpec>(&*spec);
  return linear ? packedRowBytes(*linear) : 0;
}
