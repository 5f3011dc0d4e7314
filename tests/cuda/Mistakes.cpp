//===- Mistakes.cpp - planted in kernels, to be found by the emulator -----===//
#include "Mistakes.h"

#include "codegen/cuda/Warp.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

#include <map>

using namespace llvm;

namespace llmc::test {
namespace {

class Planter {
public:
  Planter(Module &module, int everyShuffle)
      : module(module), everyShuffle(everyShuffle), builder(module.getContext()) {
    Type *bytes = ArrayType::get(builder.getInt8Ty(), mostMistakes);
    planted = new GlobalVariable(module, bytes, /*isConstant=*/false, GlobalValue::ExternalLinkage,
                                 Constant::getNullValue(bytes), "planted",
                                 /*InsertBefore=*/nullptr, GlobalValue::NotThreadLocal, cuda::globalSpace);
  }

  void plant(Function &entry) {
    counts.clear();
    SmallVector<Instruction *> all;
    for (Instruction &instruction : instructions(entry))
      all.push_back(&instruction);
    for (Instruction *instruction : all)
      if (auto *load = dyn_cast<LoadInst>(instruction))
        plantInLoad(*load);
      else if (auto *call = dyn_cast<IntrinsicInst>(instruction))
        plantInCall(*call);
      else if (isa<FenceInst>(instruction))
        plantInFence(*instruction);
  }

  std::vector<Mistake> mistakes;

private:
  /// Whether the next mistake is wanted now. Read anew each time, so that no loop is compiled twice.
  Value *isNext(Mistake::Kind kind, const std::string &place) {
    mistakes.push_back({kind, uint32_t(mistakes.size()), place});
    Value *byte = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), planted, mistakes.back().number);
    Value *wanted = builder.CreateLoad(builder.getInt8Ty(), byte, /*isVolatile=*/true);
    return builder.CreateICmpNE(wanted, builder.getInt8(0));
  }

  std::string placeOf(Instruction &instruction, StringRef what) {
    const int number = ++counts[what.str()];
    return (instruction.getFunction()->getName() + ": " + what + " " + Twine(number)).str();
  }

  void doUnless(Value *condition, Instruction &instruction) {
    Instruction *end = SplitBlockAndInsertIfThen(builder.CreateNot(condition), &instruction, false);
    instruction.moveBefore(end->getIterator());
  }

  void plantInCall(IntrinsicInst &call) {
    builder.SetInsertPoint(&call);
    const Intrinsic::ID id = call.getIntrinsicID();
    StringRef name = call.getCalledFunction()->getName();
    name.consume_front("llvm.nvvm.");
    if (name.starts_with("bar")) { // of the block or the warp
      const std::string place = placeOf(call, name);
      Value *skips = isNext(Mistake::Removed, place), *diverges = isNext(Mistake::Divergent, place);
      Value *thread = builder.CreateIntrinsic(Intrinsic::nvvm_read_ptx_sreg_tid_x, {});
      Value *isOther = builder.CreateICmpNE(thread, builder.getInt32(0));
      doUnless(builder.CreateOr(skips, builder.CreateAnd(diverges, isOther)), call);
    } else if (id == Intrinsic::nvvm_cp_async_wait_group) {
      const std::string place = placeOf(call, name);
      const uint64_t groups = cast<ConstantInt>(call.getArgOperand(0))->getZExtValue();
      Value *weaker = isNext(Mistake::Weaker, place), *none = isNext(Mistake::NotWaited, place);
      Instruction *end = SplitBlockAndInsertIfThen(weaker, &call, false);
      builder.SetInsertPoint(end);
      builder.CreateIntrinsic(id, {}, {builder.getInt32(uint32_t(groups + 1))});
      builder.SetInsertPoint(&call);
      doUnless(builder.CreateOr(weaker, none), call);
    } else if (name.starts_with("shfl.")) {
      const std::string place = placeOf(call, name);
      if (counts[name.str()] % everyShuffle != 0)
        return;
      Value *lanes = call.getArgOperand(2);
      Value *isWrong = isNext(Mistake::Shuffled, place);
      call.setArgOperand(2, builder.CreateSelect(isWrong, ConstantInt::get(lanes->getType(), 0), lanes));
    } else if (name.starts_with("redux.")) {
      builder.SetInsertPoint(call.getNextNode());
      Value *own = call.getArgOperand(0), *isWrong = isNext(Mistake::Shuffled, placeOf(call, name));
      auto *result = cast<Instruction>(builder.CreateSelect(isWrong, own, &call));
      call.replaceUsesWithIf(result, [&](Use &use) { return use.getUser() != result; });
    } else if (name.starts_with("cp.async.cg.")) {
      plantInAddress(call, 1, 16, placeOf(call, name));
    }
  }

  void plantInFence(Instruction &fence) {
    builder.SetInsertPoint(&fence);
    doUnless(isNext(Mistake::Removed, placeOf(fence, "fence")), fence);
  }

  void plantInLoad(LoadInst &load) {
    // The step and the list of arguments are no arrays: one further stands another field.
    if (load.getPointerAddressSpace() == cuda::sharedSpace ||
        isa<Argument>(getUnderlyingObject(load.getPointerOperand())))
      return;
    builder.SetInsertPoint(&load);
    plantInAddress(load, 0, module.getDataLayout().getTypeStoreSize(load.getType()), placeOf(load, "load"));
  }

  void plantInAddress(Instruction &reader, unsigned operand, uint64_t bytes, const std::string &place) {
    Value *address = reader.getOperand(operand), *isWrong = isNext(Mistake::Beyond, place);
    Value *offset = builder.CreateSelect(isWrong, builder.getInt64(bytes), builder.getInt64(0));
    reader.setOperand(operand, builder.CreateGEP(builder.getInt8Ty(), address, offset));
  }

  Module &module;
  const int everyShuffle;
  IRBuilder<> builder;
  GlobalVariable *planted;
  std::map<std::string, int> counts;
};

} // namespace

std::vector<Mistake> plantMistakes(Module &module, const std::vector<std::string> &entries,
                                   int everyShuffle) {
  for (Function &function : make_early_inc_range(module))
    if (function.getCallingConv() == CallingConv::PTX_Kernel &&
        !is_contained(entries, function.getName().str()))
      function.eraseFromParent();
  Planter planter(module, everyShuffle);
  for (Function &function : module)
    if (!function.isDeclaration())
      planter.plant(function);
  return planter.mistakes;
}

} // namespace llmc::test
