//===- Target.cpp - the device "cuda" -------------------------------------===//
//
//   1. Every kernel of the program is emitted into a module of its own and lowered to the LLVM dialect.
//   2. Kernels whose text the cache knows are done. The others are translated to LLVM IR.
//   3. LLVM optimizes them and makes PTX, in parallel, each in a context of its own.
//
//===----------------------------------------------------------------------===//
#include "codegen/DeviceTarget.h"
#include "codegen/ObjectCache.h"
#include "codegen/Parallel.h"
#include "codegen/cuda/Architectures.h"
#include "codegen/cuda/Images.h"
#include "codegen/cuda/Kernels.h"
#include "codegen/cuda/Lowering.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"

#include <mutex>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

namespace {

/// A kernel on its way to its images.
struct Job {
  std::string name;
  OwningOpRef<ModuleOp> module;
  std::string key;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated;
  DeviceKernel *kernel;
  std::string error;
};

class CudaTarget : public DeviceTarget {
public:
  StringRef name() const override { return "cuda"; }
  void registerDialects(DialectRegistry &registry) const override { cuda::registerKernelDialects(registry); }
  bool hasKernel(Operation *op, bool defaultKernels) const override {
    return cuda::hasKernel(op, defaultKernels);
  }
  FailureOr<int64_t> packedRowBytes(step::KernelOp kernel, bool defaultKernels) const override {
    return cuda::packedRowBytes(kernel, defaultKernels);
  }
  std::string readArchitectures(std::optional<StringRef> list,
                                std::vector<std::string> &names) const override {
    return cuda::readArchitectures(list, names);
  }
  std::string emptyText(StringRef architecture) const override { return cuda::emptyPtx(architecture); }
  FailureOr<Kernels> compile(step::ProgramOp program, ArrayRef<std::string> architectures,
                             const CompileKernelsOptions &options,
                             const std::function<void(uint64_t, uint64_t)> &progress) const override;
};

FailureOr<DeviceTarget::Kernels>
CudaTarget::compile(step::ProgramOp program, ArrayRef<std::string> architectures,
                    const CompileKernelsOptions &options,
                    const std::function<void(uint64_t, uint64_t)> &progress) const {
  Kernels kernels;
  std::vector<std::unique_ptr<Job>> jobs;
  auto add = [&](const std::string &name, Location loc, auto emit) -> LogicalResult {
    Job &job = *jobs.emplace_back(std::make_unique<Job>());
    job.name = name;
    job.module = ModuleOp::create(loc);
    FailureOr<DeviceKernel> made = emit(*job.module);
    if (failed(made) || failed(verify(*job.module)))
      return failure();
    kernels[StringAttr::get(program->getContext(), name)] = std::move(*made);
    std::string text = "cuda " + llvm::join(architectures, ",") + "\n" +
                       (options.assembler ? options.assembler->key : "") + "\n";
    llvm::raw_string_ostream out(text);
    job.module->print(out, OpPrintingFlags().useLocalScope());
    job.key = ObjectCache::keyOf(text);
    return success();
  };
  for (step::KernelOp kernel : program.getBody().getOps<step::KernelOp>())
    if (failed(add(kernel.getSymName().str(), kernel.getLoc(), [&](ModuleOp module) {
          return cuda::emitKernel(module, kernel, options.defaultKernels);
        })))
      return failure();
  if (const std::string name = cuda::samplingKernel(program, options.defaultKernels); !name.empty())
    if (failed(add(name, program.getLoc(),
                   [&](ModuleOp module) { return cuda::emitSamplingKernel(module, program); })))
      return failure();
  SmallVector<PipelineObserver *> observers;
  llvm::copy_if(options.observers, std::back_inserter(observers),
                [](PipelineObserver *observer) { return observer->wantsKernels(); });
  ObjectCache cache(observers.empty() ? options.cacheDir : "");
  std::vector<Job *> missing;
  for (auto &job : jobs) {
    job->kernel = &kernels[StringAttr::get(program->getContext(), job->name)];
    if (llvm::SmallString<0> kept; cache.find(job->key, kept) && cuda::readImages(kept, job->kernel->images))
      continue;
    missing.push_back(job.get());
    job->translated = translateModuleToLLVMIR(*job->module, job->context, job->name);
    if (!job->translated)
      return program.emitError() << "cannot translate '" << job->name << "' to LLVM IR";
  }
  std::mutex mutex;
  uint64_t done = jobs.size() - missing.size();
  progress(done, jobs.size());
  forEachInParallel<Job>(missing, [&](Job &job) {
    CompiledUnit details;
    details.name = job.name + ".cuda";
    job.error = cuda::makeImages(*job.translated, architectures, options.assembler.get(), job.kernel->images,
                                 observers.empty() ? nullptr : &details);
    if (job.error.empty())
      cache.store(job.key, cuda::writeImages(job.kernel->images));
    std::lock_guard lock(mutex);
    for (PipelineObserver *observer : observers)
      if (job.error.empty())
        observer->unitCompiled(details);
    progress(++done, jobs.size());
  });
  for (auto &job : jobs)
    if (!job->error.empty())
      return program.emitError() << job->name << " for cuda: " << job->error;
  return kernels;
}

} // namespace

namespace llmc::codegen {
const DeviceTarget &cudaTarget() {
  static const CudaTarget target;
  return target;
}
} // namespace llmc::codegen
