//===- StepOps.cpp - verifiers of the step dialect ------------------------===//
#include "ir/StepOps.h"

using namespace mlir;
using namespace llmc::step;

LogicalResult KernelOp::verifyRegions() {
  Block &block = getBody().front();
  if (block.empty() || !isa<ReturnOp>(block.back()))
    return emitOpError("expected the body to end in 'step.return'");
  if (getSymName().contains('/'))
    return emitOpError("expected a name without '/', since dumps name files after kernels");
  int64_t weights = llvm::count_if(block.getArgumentTypes(), llvm::IsaPred<lm::WeightType>);
  if (static_cast<int64_t>(getSchemes().size()) != weights)
    return emitOpError() << "expected one of 'schemes' for each of the " << weights << " weights but got "
                         << getSchemes().size();
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  // program_c1
  mlir::SymbolTable symbols(*this);
  for (DispatchOp dispatch : getBody().getOps<DispatchOp>()) {
    if (!symbols.lookup<KernelOp>(dispatch.getKernel()))
      return dispatch.emitOpError() << "names the kernel @" << dispatch.getKernel()
                                    << ", which is not declared";
    if (dispatch.getStorage() && !symbols.lookup<CacheOp>(*dispatch.getStorage()))
      return dispatch.emitOpError() << "names the cache @" << *dispatch.getStorage()
                                    << ", which is not declared";
    for (Attribute arg : dispatch.getArgs())
      if (auto name = dyn_cast<FlatSymbolRefAttr>(arg)) {
        if (!symbols.lookup(name.getValue()))
          return dispatch.emitOpError() << "names " << name << ", which is not declared";
      } else if (!isa<IntegerAttr>(arg)) {
        return dispatch.emitOpError() << "expected arguments to be names or integers but got " << arg;
      }
  }
  if (!symbols.lookup<BufferOp>(getLogits()))
    return emitOpError() << "names the buffer @" << getLogits() << " for its logits, which is not declared";
  return success();
}
