//===- Rewrite.cpp - GPU kernels => code for the emulator -----------------===//
//
//   1. Kernels are found, block copies become loops, matrix operations are put together to runs, and accesses
//      are reported if asked for: all this on the module as it came.
//   2. Variables in shared memory become places behind the address that the emulator gives.
//   3. Calls of intrinsics become calls of the emulator, or plain LLVM IR.
//   4. What names the GPU goes; each kernel gets an entry that takes its parameters one address each.
//
//===----------------------------------------------------------------------===//
#include "codegen/simt/Rewriter.h"

#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/LowerMemIntrinsics.h"

using namespace llvm;
using namespace llmc::codegen;
using namespace llmc::codegen::simt;

// A half of a fiber's stack (Fiber.h); the rest is for spills and the emulator.
constexpr uint64_t mostStackBytes = 128 << 10;

std::string simt::rewriteForEmulator(Module &module, const RewriteOptions &options) {
  return Rewriter(module, options).run();
}

Rewriter::Rewriter(Module &module, const RewriteOptions &options) : module(module), options(options) {
  auto *ptr = PointerType::getUnqual(module.getContext());
  calls = new GlobalVariable(module, ptr, /*isConstant=*/false, GlobalValue::InternalLinkage,
                             ConstantPointerNull::get(ptr), "llmc_simt_calls");
}

std::string Rewriter::run() {
  findKernels();
  if (error.empty())
    expandMemoryIntrinsics();
  if (error.empty())
    findRuns();
  if (error.empty() && options.instrument)
    instrument();
  if (error.empty())
    placeShared();
  if (error.empty())
    rewriteCalls();
  if (error.empty())
    rewriteBfloats();
  if (error.empty())
    checkStack();
  if (!error.empty())
    return error;
  shedTarget();
  addTable();
  return "";
}

std::string Rewriter::nameOf(const Instruction &instruction) const {
  if (const DebugLoc &place = instruction.getDebugLoc())
    if (auto *scope = dyn_cast_or_null<DIScope>(place.getScope()))
      return (scope->getFilename() + ":" + Twine(place.getLine())).str();
  return ("'" + instruction.getFunction()->getName() + "'").str();
}

void Rewriter::fail(const Instruction &instruction, const Twine &message) {
  if (error.empty())
    error = (module.getName() + ": " + nameOf(instruction) + ": " + message).str();
}

Value *Rewriter::site(IRBuilder<> &builder, uint32_t operation, uint32_t count,
                      const Instruction &instruction, StringRef what, uint32_t space) {
  sites.push_back({operation, count, space,
                   (what + " (site " + Twine(sites.size()) + " in " + nameOf(instruction) + ")").str()});
  return builder.getInt32(sites.size() - 1);
}

Value *Rewriter::words(Function &function, bool isResult) {
  Value *&frame = frames[&function][isResult];
  if (!frame) {
    IRBuilder<> builder(&function.getEntryBlock(), function.getEntryBlock().begin());
    const size_t ofRun = longestRun.lookup(&function) * (isResult ? LLMC_SIMT_RUN_OUT : LLMC_SIMT_RUN_IN);
    auto *room =
        builder.CreateAlloca(ArrayType::get(builder.getInt32Ty(), std::max<size_t>(LLMC_SIMT_WORDS, ofRun)));
    room->setAlignment(Align(16));
    frame = room;
  }
  return frame;
}

Value *Rewriter::call(IRBuilder<> &builder, Call what, ArrayRef<Value *> arguments) {
  Type *none = builder.getVoidTy(), *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty(),
       *ptr = builder.getPtrTy(), *f32 = builder.getFloatTy();
  FunctionType *type = nullptr;
  switch (what) {
  case Call::Number:
    type = FunctionType::get(i32, {i32}, false);
    break;
  case Call::Shared:
    type = FunctionType::get(ptr, {}, false);
    break;
  case Call::Barrier:
    type = FunctionType::get(none, {i32, i32}, false);
    break;
  case Call::Warp:
    type = FunctionType::get(none, {i32, ptr, ptr}, false);
    break;
  case Call::CopyAsync:
    type = FunctionType::get(none, {i32, ptr, ptr, i32, i32}, false);
    break;
  case Call::CommitCopies:
    type = FunctionType::get(none, {}, false);
    break;
  case Call::WaitCopies:
    type = FunctionType::get(none, {i32}, false);
    break;
  case Call::Math:
    type = FunctionType::get(f32, {i32, f32}, false);
    break;
  case Call::Access:
    type = FunctionType::get(none, {i32, ptr, i64}, false);
    break;
  case Call::Fence:
    type = FunctionType::get(none, {}, false);
    break;
  }
  Value *table = builder.CreateLoad(ptr, calls);
  Value *function = builder.CreateLoad(ptr, builder.CreateConstGEP1_32(ptr, table, unsigned(what)));
  return builder.CreateCall(type, function, arguments);
}

/// What the kernel says of the size of its blocks: "128", or "16,8,1". 0: nothing.
static uint32_t mostThreads(const Function &kernel) {
  StringRef rest = kernel.getFnAttribute("nvvm.maxntid").getValueAsString();
  uint64_t threads = 1;
  if (rest.empty())
    return 0;
  while (!rest.empty()) {
    const auto [number, others] = rest.split(',');
    uint32_t extent = 0;
    if (number.trim().getAsInteger(10, extent))
      return 0;
    threads = std::min<uint64_t>(threads * extent, UINT32_MAX);
    rest = others;
  }
  return uint32_t(threads);
}

void Rewriter::findKernels() {
  for (const char *name : {"llvm.used", "llvm.compiler.used"})
    if (GlobalVariable *list = module.getGlobalVariable(name, /*AllowInternal=*/true))
      list->eraseFromParent();
  for (Function &function : module)
    if (!function.isDeclaration() && function.getCallingConv() == CallingConv::PTX_Kernel)
      kernels.push_back({&function, mostThreads(function)});
  if (kernels.empty())
    error = (module.getName() + ": there is no kernel in this module").str();
  for (Function &function : module)
    for (Instruction &instruction : instructions(function))
      if (auto *call = dyn_cast<CallBase>(&instruction); call && call->isInlineAsm())
        fail(instruction, "inline PTX cannot be emulated");
}

void Rewriter::expandMemoryIntrinsics() {
  TargetTransformInfo info(module.getDataLayout());
  for (Function &function : module) {
    SmallVector<MemIntrinsic *> found;
    for (Instruction &instruction : instructions(function))
      if (auto *intrinsic = dyn_cast<MemIntrinsic>(&instruction))
        found.push_back(intrinsic);
    for (MemIntrinsic *intrinsic : found) {
      if (auto *copy = dyn_cast<MemCpyInst>(intrinsic))
        expandMemCpyAsLoop(copy, info);
      else if (auto *set = dyn_cast<MemSetInst>(intrinsic))
        expandMemSetAsLoop(set);
      else if (auto *move = dyn_cast<MemMoveInst>(intrinsic); !move || !expandMemMoveAsLoop(move, info))
        fail(*intrinsic, "this block of memory cannot be moved");
      intrinsic->eraseFromParent();
    }
  }
}

void Rewriter::rewriteCalls() {
  for (Function &function : module) {
    SmallVector<CallInst *> found;
    for (Instruction &instruction : instructions(function))
      if (auto *call = dyn_cast<CallInst>(&instruction); call && call->getCalledFunction())
        found.push_back(call);
    for (CallInst *call : found) {
      auto member = runOf.find(call);
      if (member == runOf.end())
        rewriteCall(*call);
      else if (call == runs[member->second].calls.back()) // the others come with it
        rewriteRun(runs[member->second]);
    }
  }
  for (Function &function : make_early_inc_range(module))
    if (function.isDeclaration() && function.use_empty())
      function.eraseFromParent();
}

/// x rounded to bf16, to nearest and even, as the upper half of its bits.
static Value *roundToBfloat(IRBuilder<> &builder, Value *x, Type *type) {
  Type *i32 = x->getType()->getWithNewType(builder.getInt32Ty());
  auto word = [&](uint32_t value) { return ConstantInt::get(i32, value); };
  Value *bits = builder.CreateBitCast(x, i32);
  Value *upper = builder.CreateLShr(bits, word(16));
  Value *half = builder.CreateAdd(word(0x7fff), builder.CreateAnd(upper, word(1)));
  Value *rounded = builder.CreateLShr(builder.CreateAdd(bits, half), word(16));
  Value *isNaN = builder.CreateFCmpUNO(x, x);
  Value *result = builder.CreateSelect(isNaN, builder.CreateOr(upper, word(0x40)), rounded);
  return builder.CreateBitCast(builder.CreateTrunc(result, type->getWithNewType(builder.getInt16Ty())), type);
}

/// bf16 is a format of storage to the CPU: for what is computed in it LLVM would call a library.
void Rewriter::rewriteBfloats() {
  for (Function &function : module)
    for (Instruction &instruction : make_early_inc_range(instructions(function))) {
      Type *type = instruction.getType();
      if (!type->getScalarType()->isBFloatTy())
        continue;
      auto *narrowed = dyn_cast<FPTruncInst>(&instruction);
      if (narrowed && narrowed->getSrcTy()->getScalarType()->isFloatTy()) {
        IRBuilder<> builder(narrowed);
        narrowed->replaceAllUsesWith(roundToBfloat(builder, narrowed->getOperand(0), type));
        narrowed->eraseFromParent();
      } else if (narrowed || instruction.isBinaryOp() || isa<SIToFPInst, UIToFPInst>(instruction)) {
        fail(instruction,
             Twine("'") + instruction.getOpcodeName() + "' of bf16 cannot be emulated: compute in f32");
      }
    }
}

/// A thread's own variables have the stack of a fiber.
void Rewriter::checkStack() {
  for (Function &function : module) {
    uint64_t bytes = 0;
    for (Instruction &instruction : instructions(function))
      if (auto *variable = dyn_cast<AllocaInst>(&instruction)) {
        const std::optional<TypeSize> size = variable->getAllocationSize(module.getDataLayout());
        bytes += size ? size->getFixedValue() : mostStackBytes + 1;
        if (bytes > mostStackBytes)
          fail(instruction, "a thread's own variables take more than " + Twine(mostStackBytes) + " bytes");
      }
  }
}

/// Calling conventions, attributes and marks that mean something to the GPU only. Attributes of whole
/// functions go, too: a function that now calls the emulator may not be what they say.
void Rewriter::shedTarget() {
  for (Function &function : module) {
    if (function.isIntrinsic())
      continue;
    function.setCallingConv(CallingConv::C);
    AttributeList attributes = function.getAttributes().removeFnAttributes(module.getContext());
    function.setAttributes(attributes);
    function.addFnAttr(Attribute::NoUnwind);
    function.addFnAttr("no-builtins"); // loops stay loops: there is no libc to call
    function.setLinkage(GlobalValue::InternalLinkage);
    function.setVisibility(GlobalValue::DefaultVisibility);
    function.setComdat(nullptr);
    for (Instruction &instruction : instructions(function))
      if (auto *call = dyn_cast<CallInst>(&instruction)) {
        Function *callee = call->getCalledFunction();
        if (callee && callee->isIntrinsic())
          continue;
        call->setCallingConv(CallingConv::C);
        call->setAttributes(call->getAttributes().removeFnAttributes(module.getContext()));
      }
  }
  if (NamedMDNode *marks = module.getNamedMetadata("nvvm.annotations"))
    marks->eraseFromParent();
  for (const Shared &place : shared)
    place.variable->eraseFromParent();
}
