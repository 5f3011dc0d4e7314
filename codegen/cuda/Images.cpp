//===- Images.cpp - LLVM modules => PTX and bitcode -----------------------===//
//
// In process, by the NVPTX backend of LLVM. No toolkit is needed and no libdevice: what PTX would leave to
// another file is refused, since a driver would find that out only where the model runs.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Images.h"

#include "codegen/Backend.h"
#include "codegen/Stopwatch.h"
#include "codegen/cuda/Architectures.h"
#include "codegen/cuda/Warp.h"
#include "runtime/include/llmc/module_abi.h"

#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <cstring>
#include <mutex>

using namespace llmc;
using namespace llmc::codegen;

namespace llmc::cuda {

static std::unique_ptr<llvm::TargetMachine> makeMachine(llvm::StringRef architecture, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  return codegen::makeTargetMachine(llvm::Triple("nvptx64-nvidia-cuda"), architecture, std::nullopt, error);
}

/// Every address that a kernel is given or reads from memory is one of global memory. The backend sees that
/// only where it is said.
static void sayGlobal(llvm::Module &module) {
  llvm::IRBuilder<> builder(module.getContext());
  auto *generic = builder.getPtrTy(), *globalPtr = builder.getPtrTy(globalSpace);
  for (llvm::Function &function : module) {
    llvm::SmallVector<llvm::LoadInst *> loads;
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *load = llvm::dyn_cast<llvm::LoadInst>(&instruction); load && load->getType() == generic)
          loads.push_back(load);
    // A cast to global memory and back would be folded away: what is read must be such an address.
    for (llvm::LoadInst *load : loads) {
      builder.SetInsertPoint(load);
      auto *inGlobal = builder.CreateAlignedLoad(globalPtr, load->getPointerOperand(), load->getAlign());
      inGlobal->copyMetadata(*load);
      load->replaceAllUsesWith(builder.CreateAddrSpaceCast(inGlobal, generic));
      load->eraseFromParent();
    }
  }
}

/// The functions that name the variable, be it in a constant.
static llvm::SmallPtrSet<const llvm::Function *, 4> usersOf(const llvm::GlobalVariable &variable) {
  llvm::SmallPtrSet<const llvm::Function *, 4> functions;
  llvm::SmallVector<const llvm::User *> users(variable.users());
  while (!users.empty()) {
    const llvm::User *user = users.pop_back_val();
    if (auto *instruction = llvm::dyn_cast<llvm::Instruction>(user))
      functions.insert(instruction->getFunction());
    else
      users.append(user->user_begin(), user->user_end());
  }
  return functions;
}

/// What PTX could not say, or no block has room for.
static std::string whyUnfit(const llvm::Module &module) {
  llvm::DenseMap<const llvm::Function *, uint64_t> shared;
  for (const llvm::GlobalVariable &variable : module.globals()) {
    if (variable.getAddressSpace() != sharedSpace)
      continue;
    const uint64_t bytes = module.getDataLayout().getTypeAllocSize(variable.getValueType());
    for (const llvm::Function *entry : usersOf(variable))
      if ((shared[entry] += bytes) > uint64_t(mostSharedBytes))
        return "the blocks of " + entry->getName().str() + " want more than " +
               std::to_string(mostSharedBytes) + " bytes of static shared memory";
  }
  for (const llvm::Function &function : module)
    for (const llvm::BasicBlock &block : function)
      for (const llvm::Instruction &instruction : block)
        if (auto *atomic = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction);
            atomic && llvm::isStrongerThanMonotonic(atomic->getOrdering()))
          return "it has an atomic operation that orders memory, which the backend would drop: it takes "
                 "fences";
  return "";
}

/// What the driver could not load.
static std::string whyUnfit(llvm::StringRef ptx) {
  if (size_t at = ptx.find(".extern"); at != llvm::StringRef::npos)
    return "its PTX needs what no module has: " + ptx.substr(at).split(';').first.split('\n').first.str();
  return ptx.contains(".visible .entry") ? "" : "its PTX has no entry";
}

std::string makeImages(llvm::Module &module, llvm::ArrayRef<std::string> architectures,
                       const DeviceAssembler *assembler, std::vector<DeviceImage> &images,
                       CompiledUnit *details) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(architectures.front(), error);
  if (!machine)
    return error;
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  Stopwatch watch;
  CompiledUnit::Stage optimizing{"optimize-llvm-ir", 0, {}, {}}, emitting{"emit-ptx", 0, {}, {}};
  sayGlobal(module);
  if (details)
    optimizing.opsBefore = countInstructions(module);
  optimizeModule(module, *machine);
  optimizing.milliseconds = watch.lap();
  if (details) {
    emitting.opsBefore = optimizing.opsAfter = countInstructions(module);
    llvm::raw_string_ostream(details->llvmIR) << module;
  }
  llvm::StripDebugInfo(module);
  if (error = whyUnfit(module); !error.empty())
    return error;

  std::string bitcode;
  llvm::raw_string_ostream bitcodeStream(bitcode);
  llvm::WriteBitcodeToFile(module, bitcodeStream);
  for (const std::string &name : architectures) {
    const Architecture &architecture = *architectureByName(name);
    machine = makeMachine(name, error);
    if (!machine)
      return error;
    llvm::SmallString<0> ptx;
    llvm::raw_svector_ostream out(ptx);
    // Emission changes the module.
    error = emitFile(*llvm::CloneModule(module), *machine, llvm::CodeGenFileType::AssemblyFile, out);
    if (error.empty())
      error = whyUnfit(ptx);
    if (!error.empty())
      return error;
    images.push_back({LLMC_IMAGE_PTX, architecture.number, architecture.isExact, std::string(ptx)});
    if (!assembler)
      continue;
    std::string code;
    if (error = assembler->assemble(images.back().bytes, name, code); !error.empty())
      return error;
    images.push_back({LLMC_IMAGE_CUBIN, architecture.number, architecture.isExact, std::move(code)});
  }
  images.push_back({LLMC_IMAGE_BITCODE, 0, false, std::move(bitcode)});
  emitting.milliseconds = watch.lap();
  if (details) {
    details->assembly = images.front().bytes;
    details->assemblySuffix = "ptx";
    details->stages = {std::move(optimizing), std::move(emitting)};
    details->object = images.front().bytes;
  }
  return "";
}

std::string emptyPtx(llvm::StringRef architecture) {
  llvm::LLVMContext context;
  llvm::Module module("empty", context);
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(architecture, error);
  llvm::SmallString<0> ptx;
  if (machine) {
    module.setTargetTriple(machine->getTargetTriple());
    module.setDataLayout(machine->createDataLayout());
    llvm::raw_svector_ostream out(ptx);
    error = emitFile(module, *machine, llvm::CodeGenFileType::AssemblyFile, out);
  }
  return std::string(ptx);
}

namespace {
struct ImageHeader {
  uint32_t kind, arch, isExact, reserved;
  uint64_t size;
};
} // namespace

std::string writeImages(llvm::ArrayRef<DeviceImage> images) {
  std::string bytes;
  for (const DeviceImage &image : images) {
    ImageHeader header = {image.kind, image.arch, image.isExact, 0, image.bytes.size()};
    bytes.append(reinterpret_cast<const char *>(&header), sizeof header);
    bytes += image.bytes;
  }
  return bytes;
}

bool readImages(llvm::StringRef bytes, std::vector<DeviceImage> &images) {
  images.clear();
  while (!bytes.empty()) {
    ImageHeader header;
    if (bytes.size() < sizeof header)
      return images.clear(), false;
    std::memcpy(&header, bytes.data(), sizeof header);
    bytes = bytes.drop_front(sizeof header);
    if (header.size > bytes.size())
      return images.clear(), false;
    images.push_back({header.kind, header.arch, header.isExact != 0, bytes.take_front(header.size).str()});
    bytes = bytes.drop_front(header.size);
  }
  return !images.empty();
}

} // namespace llmc::cuda
