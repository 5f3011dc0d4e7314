//===- SharedMemory.cpp - variables in the memory of a block --------------===//
//
// Each gets its place behind the address that the emulator gives of a block's shared memory.
//
//===----------------------------------------------------------------------===//
#include "codegen/simt/Rewriter.h"

#include "llvm/IR/InstIterator.h"
#include "llvm/IR/ReplaceConstant.h"

using namespace llvm;
using namespace llmc::codegen::simt;

constexpr unsigned sharedSpace = 3;
// Between variables, so that what runs over the end of one is not in the next.
constexpr uint64_t sharedGap = 64;

/// The shared variables that a kernel and whatever it calls use.
static SetVector<GlobalVariable *> sharedUsedBy(Function &kernel) {
  SetVector<GlobalVariable *> used;
  SetVector<Function *> reached;
  reached.insert(&kernel);
  for (size_t i = 0; i < reached.size(); ++i)
    for (Instruction &instruction : instructions(*reached[i]))
      for (Value *operand : instruction.operands()) {
        if (auto *variable = dyn_cast<GlobalVariable>(operand);
            variable && variable->getAddressSpace() == sharedSpace)
          used.insert(variable);
        if (auto *function = dyn_cast<Function>(operand); function && !function->isDeclaration())
          reached.insert(function);
      }
  return used;
}

void Rewriter::placeShared() {
  const DataLayout &layout = module.getDataLayout();
  SmallVector<Constant *> variables;
  for (GlobalVariable &variable : module.globals())
    if (variable.getAddressSpace() == sharedSpace)
      variables.push_back(&variable);
  convertUsersOfConstantsToInstructions(variables);
  // Those as large as the launch says begin behind all others, at one place.
  DenseMap<GlobalVariable *, uint32_t> numbers;
  for (bool isDynamic : {false, true}) {
    if (isDynamic)
      sharedBytes = alignTo(sharedBytes, 1024);
    for (Constant *constant : variables) {
      auto *variable = cast<GlobalVariable>(constant);
      const uint64_t bytes = layout.getTypeAllocSize(variable->getValueType());
      if ((bytes == 0) != isDynamic)
        continue;
      const uint64_t offset =
          isDynamic ? sharedBytes : alignTo(sharedBytes, variable->getAlign().value_or(Align(16)));
      numbers[variable] = shared.size();
      shared.push_back({variable, offset, bytes});
      sharedNames.push_back(variable->getName().str());
      if (!isDynamic)
        sharedBytes = offset + bytes + sharedGap;
    }
  }
  for (Kernel &kernel : kernels)
    for (GlobalVariable *variable : sharedUsedBy(*kernel.function)) {
      const Shared &place = shared[numbers[variable]];
      kernel.shared.push_back(numbers[variable]);
      kernel.sharedBytes =
          alignTo(kernel.sharedBytes, variable->getAlign().value_or(Align(16))) + place.bytes;
    }
  replaceShared();
}

void Rewriter::replaceShared() {
  for (const Shared &place : shared) {
    DenseMap<Function *, Value *> addresses;
    for (Use &use : make_early_inc_range(place.variable->uses())) {
      auto *instruction = dyn_cast<Instruction>(use.getUser());
      if (!instruction) {
        error = (module.getName() + ": the address of shared '" + place.variable->getName() +
                 "' stands in another variable")
                    .str();
        return;
      }
      Value *&address = addresses[instruction->getFunction()];
      if (!address) {
        BasicBlock &entry = instruction->getFunction()->getEntryBlock();
        IRBuilder<> builder(&entry, entry.getFirstInsertionPt());
        Value *start = call(builder, Call::Shared);
        address = builder.CreateAddrSpaceCast(
            builder.CreateConstGEP1_64(builder.getInt8Ty(), start, place.offset), place.variable->getType());
      }
      use.set(address);
    }
  }
}
