//===- Kernels.cpp - step kernels => launches on a GPU --------------------===//
#include "codegen/cuda/Kernels.h"

#include "codegen/DefaultKernels.h"
#include "codegen/cuda/DefaultTarget.h"

using namespace mlir;
using namespace llmc::codegen;

namespace llmc::cuda {

/// Decompositions can do all but touch the cache together with other things.
bool hasKernel(Operation *op, bool) { return !isa<lm::CachedAttentionOp>(op); }

FailureOr<int64_t> packedRowBytes(step::KernelOp, bool) { return 0; }

FailureOr<DeviceKernel> emitKernel(ModuleOp module, step::KernelOp kernel, bool) {
  module->setLoc(kernel.getLoc()); // emitters give it to all that they make
  FailureOr<DefaultKernel> made = emitDefaultKernel(module, kernel.getSymName(), kernel, Defaults());
  if (failed(made))
    return failure();
  DeviceKernel result;
  result.facts = {.usesKeys = made->usesKeys,
                  .scratchConstant = made->scratchConstant,
                  .scratchPerRow = made->scratchPerRow,
                  .scratchPerKey = made->scratchPerKey,
                  .scratchPerRowKey = made->scratchPerRowKey};
  result.launches = {{.entry = kernel.getSymName().str(),
                      .threads = defaultThreads,
                      .rowsPerBlock = 1,
                      .maxRowBlocks = defaultBlocks}};
  return result;
}

} // namespace llmc::cuda
