//===- DeviceKernelRunner.cpp - emitted GPU kernels in the emulator -------===//
#include "DeviceKernelRunner.h"

#include "codegen/DefaultKernels.h"
#include "codegen/cuda/Images.h"
#include "codegen/cuda/Lowering.h"
#include "codegen/simt/Library.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

using namespace mlir;

namespace llmc::test {

codegen::DeviceKernel compileKernel(const EmitKernel &emit, std::string &error) {
  DialectRegistry registry;
  codegen::registerDefaultKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  cuda::registerGpuDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    error = diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  FailureOr<codegen::DeviceKernel> emitted = emit(*module);
  PassManager lowering(&context);
  cuda::buildGpuLowering(lowering);
  if (failed(emitted) || failed(verify(*module)) || failed(lowering.run(*module)))
    return {};
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(*module, llvmContext);
  if (translated)
    error = cuda::makeImages(*translated, {"sm_80"}, nullptr, emitted->images);
  return std::move(*emitted);
}

llvm::StringRef imageOf(const codegen::DeviceKernel &kernel, uint32_t kind) {
  auto image = llvm::find_if(kernel.images, [&](const auto &image) { return image.kind == kind; });
  return image == kernel.images.end() ? "" : llvm::StringRef(image->bytes);
}

/// The bitcode with a change.
static std::string changed(llvm::StringRef bitcode, const DeviceKernelRunner::Change &change) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = llvm::cantFail(llvm::parseBitcodeFile({bitcode, "kernel"}, context));
  change(*module);
  std::string result;
  llvm::raw_string_ostream out(result);
  llvm::WriteBitcodeToFile(*module, out);
  return result;
}

DeviceKernelRunner::DeviceKernelRunner(const EmitKernel &emit, const Change &change, bool isInstrumented) {
  made = compileKernel(emit, failure);
  std::string bitcode = imageOf(made, LLMC_IMAGE_BITCODE).str();
  if (bitcode.empty() && failure.empty())
    failure = "there is no bitcode";
  if (!failure.empty())
    return;
  if (change)
    bitcode = changed(bitcode, change);
  static int number = 0;
  const std::string path = std::string(LLMC_CUDA_WORK) + "/kernel." + std::to_string(getpid()) + "." +
                           std::to_string(number++) + ".so";
  failure = codegen::simt::buildLibrary({bitcode}, {.instrument = isInstrumented, .cacheDir = {}}, path);
  if (!failure.empty())
    return;
  failure = library.load(path);
  std::remove(path.c_str());
  if (failure.empty())
    emulator.add(library);
}

DeviceKernelRunner::~DeviceKernelRunner() {
  reset();
  if (library.isLoaded())
    emulator.remove(library);
}

void DeviceKernelRunner::reset(size_t count) {
  for (; owned.size() > count; owned.pop_back())
    emulator.memory.free(owned.back());
}

void *DeviceKernelRunner::variable(llvm::StringRef name) const {
  const llmc_simt_code &code = *library.table().codes[0];
  for (uint32_t i = 0; i < code.n_globals; ++i)
    if (code.globals[i].name == name)
      return const_cast<void *>(code.globals[i].address);
  return nullptr;
}

std::string DeviceKernelRunner::run(llmc_step step, uint64_t rows, uint64_t longest,
                                    const std::vector<const void *> &args) {
  const size_t before = allocations();
  const uint64_t commonBytes =
      (made.commonPerRow + made.commonPerRowKey * longest) * std::min(rows, made.commonRows);
  const codegen::KernelFacts &facts = made.facts;
  const uint64_t keys = step.rows[LLMC_ROWS_KEYS],
                 ownBytes = facts.scratchConstant + facts.scratchPerRow * rows + facts.scratchPerKey * keys +
                            facts.scratchPerRowKey * rows * keys;
  // Scratch of a block, or one for all.
  std::vector<uint8_t *> scratch(ownBytes ? rows * moreRowBlocks : 1);
  for (uint8_t *&start : scratch)
    start = allocate<uint8_t>(std::max<uint64_t>(ownBytes + commonBytes, 1), "scratch");
  step.scratch = upload(scratch.data(), scratch.size(), "the addresses of scratch");
  const std::vector<uint32_t> zeros(LLMC_DEVICE_COUNTERS);
  step.counters = upload(zeros.data(), zeros.size(), "counters");
  const llmc_step *device = upload(&step, 1, "step");
  const void *const *deviceArgs = upload(args.data(), args.size(), "arguments");
  auto blocks = [](uint64_t n, uint32_t perBlock, uint32_t most) -> uint32_t {
    return perBlock ? std::clamp<uint64_t>((n + perBlock - 1) / perBlock, 1, most) : 1;
  };
  launches = 0;
  std::string error;
  for (const codegen::DeviceLaunch &launch : made.launches) {
    if (rows < launch.minRows || rows > launch.maxRows || !error.empty())
      continue;
    ++launches;
    const llmc_simt_code &code = *library.table().codes[0];
    const llmc_simt_kernel *entry = simt::findKernel(code, launch.entry.c_str());
    if (!entry)
      return "no entry '" + launch.entry + "'";
    const simt::Extent grid = {
        launch.blocks,
        std::min(blocks(rows, launch.rowsPerBlock, launch.maxRowBlocks) * moreRowBlocks,
                 std::min(std::max(launch.maxRowBlocks, 1u), mostRowBlocks)),
        std::min(blocks(longest, launch.keysPerBlock, launch.maxKeyBlocks) * moreKeyBlocks,
                 std::min(std::max(launch.maxKeyBlocks, 1u), mostKeyBlocks))};
    const void *params[] = {&device, &deviceArgs};
    error = emulator.launch({&code, entry, grid, {launch.threads}, 0, const_cast<void *const *>(params)},
                            library.table().is_instrumented);
    if (error.empty() && !std::equal(zeros.begin(), zeros.end(), step.counters))
      error = launch.entry + " leaves a counter that is not 0";
  }
  reset(before);
  return error;
}

} // namespace llmc::test
