//===- Instrument.cpp - accesses of memory, reported ----------------------===//
//
// Every load, store and atomic operation of the module is a site and is told to the emulator before it is
// done, but for those of a thread's own variables; fences are told of, too.
//
//===----------------------------------------------------------------------===//
#include "codegen/simt/Rewriter.h"

#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;
using namespace llmc::codegen::simt;

namespace {
struct Access {
  Instruction *instruction;
  Value *address;
  Type *type;
  Align alignment;
  uint32_t operation;
};
} // namespace

static std::optional<Access> accessOf(Instruction &instruction) {
  if (auto *load = dyn_cast<LoadInst>(&instruction))
    return Access{load, load->getPointerOperand(), load->getType(), load->getAlign(), LLMC_SIMT_LOAD};
  if (auto *store = dyn_cast<StoreInst>(&instruction))
    return Access{store, store->getPointerOperand(), store->getValueOperand()->getType(), store->getAlign(),
                  LLMC_SIMT_STORE};
  if (auto *change = dyn_cast<AtomicRMWInst>(&instruction))
    return Access{change, change->getPointerOperand(), change->getType(), change->getAlign(),
                  LLMC_SIMT_ATOMIC};
  if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction))
    return Access{exchange, exchange->getPointerOperand(), exchange->getNewValOperand()->getType(),
                  exchange->getAlign(), LLMC_SIMT_ATOMIC};
  return std::nullopt;
}

static std::string describe(const Access &access) {
  std::string text = access.instruction->getOpcodeName();
  raw_string_ostream(text) << " " << *access.type;
  return text;
}

/// Whether other blocks may know of the fence or atomic operation.
static bool isOfDevice(const Instruction &instruction) {
  SmallVector<StringRef> names;
  instruction.getContext().getSyncScopeNames(names);
  const StringRef scope = names[*getAtomicSyncScopeID(&instruction)];
  return scope.empty() || scope == "device"; // no name: of the system
}

void Rewriter::instrument() {
  const DataLayout &layout = module.getDataLayout();
  for (Function &function : module) {
    SmallVector<Access> accesses;
    SmallVector<FenceInst *> fences;
    for (Instruction &instruction : instructions(function)) {
      if (std::optional<Access> access = accessOf(instruction))
        if (!isa<AllocaInst>(getUnderlyingObject(access->address)))
          accesses.push_back(*access);
      if (auto *fence = dyn_cast<FenceInst>(&instruction); fence && isOfDevice(*fence))
        fences.push_back(fence);
      if (auto *call = dyn_cast<IntrinsicInst>(&instruction);
          call && (call->getIntrinsicID() == Intrinsic::masked_load ||
                   call->getIntrinsicID() == Intrinsic::masked_store ||
                   call->getIntrinsicID() == Intrinsic::masked_gather ||
                   call->getIntrinsicID() == Intrinsic::masked_scatter))
        fail(instruction, "masked accesses cannot be checked");
    }
    for (FenceInst *fence : fences) {
      if (!isAtLeastOrStrongerThan(fence->getOrdering(), AtomicOrdering::AcquireRelease))
        fail(*fence, "fences of one kind only cannot be checked");
      IRBuilder<> builder(fence);
      call(builder, Call::Fence);
    }
    for (const Access &access : accesses) {
      if (access.operation == LLMC_SIMT_ATOMIC && !isOfDevice(*access.instruction))
        fail(*access.instruction, "atomic operations of one block only cannot be checked");
      IRBuilder<> builder(access.instruction);
      Value *address = builder.CreateAddrSpaceCast(access.address, builder.getPtrTy());
      Value *number = site(builder, access.operation, uint32_t(access.alignment.value()), *access.instruction,
                           describe(access), access.address->getType()->getPointerAddressSpace());
      call(builder, Call::Access, {number, address, builder.getInt64(layout.getTypeStoreSize(access.type))});
    }
  }
}
