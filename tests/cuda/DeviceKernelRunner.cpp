//===- DeviceKernelRunner.cpp - emitted GPU kernels in the emulator -------===//
#include "DeviceKernelRunner.h"

#include "codegen/cpu/Kernels.h"
#include "codegen/cuda/Images.h"
#include "codegen/emit/Lowering.h"
#include "codegen/simt/Library.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

using namespace mlir;

namespace llmc::test {

DeviceKernelRunner::DeviceKernelRunner(const Emit &emit, bool isInstrumented) {
  DialectRegistry registry;
  emit::registerKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    failure = diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  FailureOr<codegen::DeviceKernel> emitted = emit(*module);
  PassManager lowering(&context);
  emit::buildKernelLoweringPipeline(lowering);
  if (failed(emitted) || failed(verify(*module)) || failed(lowering.run(*module)))
    return;
  made = std::move(*emitted);
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(*module, llvmContext);
  std::vector<codegen::DeviceImage> images;
  if (translated)
    failure = cuda::makeImages(*translated, {"sm_80"}, nullptr, images);
  if (!translated || !failure.empty())
    return;
  llvm::StringRef bitcode;
  for (const codegen::DeviceImage &image : images)
    if (image.kind == LLMC_IMAGE_BITCODE)
      bitcode = image.bytes;
    else
      text = image.bytes;
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

std::string DeviceKernelRunner::run(llmc_step step, uint64_t rows, uint64_t longest,
                                    const std::vector<const void *> &args) {
  const size_t before = allocations();
  const uint64_t commonBytes =
      (made.commonPerRow + made.commonPerRowKey * longest) * std::min(rows, made.commonRows);
  uint8_t *common = allocate<uint8_t>(std::max<uint64_t>(commonBytes, 1), "common");
  step.scratch = upload(&common, 1, "the address of common");
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
                 std::max(launch.maxRowBlocks, 1u)),
        std::min(blocks(longest, launch.keysPerBlock, launch.maxKeyBlocks) * moreKeyBlocks,
                 std::max(launch.maxKeyBlocks, 1u))};
    const void *params[] = {&device, &deviceArgs};
    error = emulator.launch({&code, entry, grid, {launch.threads}, 0, const_cast<void *const *>(params)},
                            library.table().is_instrumented);
  }
  reset(before);
  return error;
}

} // namespace llmc::test
