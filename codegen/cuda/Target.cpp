//===- Target.cpp - the device "cuda" -------------------------------------===//
//
//   1. Every kernel of the program is emitted into a module of its own.
//   2. Kernels whose text the cache knows are done. The others are lowered to the LLVM dialect and
//   translated.
//   3. LLVM optimizes them and makes PTX, in parallel, each in a context of its own.
//
//===----------------------------------------------------------------------===//
#include "codegen/DeviceTarget.h"
#include "codegen/LowerUnits.h"
#include "codegen/ObjectCache.h"
#include "codegen/Parallel.h"
#include "codegen/Stopwatch.h"
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

constexpr llvm::StringLiteral targetName = "cuda";

/// A kernel on its way to its images.
struct Job {
  std::string name;
  ModuleOp module; // among those of all others
  std::string key;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated;
  DeviceKernel *kernel;
  std::string error;
};

/// What a kernel is called among those of all targets.
std::string unitOf(const std::string &kernel) { return kernel + "." + targetName.str(); }

/// What its images are kept under.
std::string keyOf(ModuleOp kernel, ArrayRef<std::string> architectures,
                  const CompileKernelsOptions &options) {
  std::string text = "cuda " + llvm::join(architectures, ",") + "\n" +
                     (options.assembler ? options.assembler->key : "") + "\n";
  llvm::raw_string_ostream out(text);
  kernel.print(out, OpPrintingFlags().useLocalScope());
  return ObjectCache::keyOf(text);
}

/// Kernels, all that stand in `all` => the LLVM dialect => LLVM IR.
LogicalResult translate(ModuleOp all, ArrayRef<Job *> kernels, ArrayRef<PipelineObserver *> observers) {
  const auto units = llvm::map_to_vector(kernels, [](Job *job) { return unitOf(job->name); });
  if (failed(lowerUnits(all, targetName, units, cuda::buildGpuLowering, observers)))
    return failure();
  for (Job *job : kernels) {
    job->translated = translateModuleToLLVMIR(job->module, job->context, job->name);
    if (!job->translated)
      return all.emitError() << "cannot translate '" << job->name << "' to LLVM IR";
  }
  return success();
}

class CudaTarget : public DeviceTarget {
public:
  StringRef name() const override { return targetName; }
  void registerDialects(DialectRegistry &registry) const override { cuda::registerGpuDialects(registry); }
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
  SmallVector<PipelineObserver *> observers;
  llvm::copy_if(options.observers, std::back_inserter(observers),
                [](PipelineObserver *observer) { return observer->wantsKernels(); });
  Kernels kernels;
  std::vector<std::unique_ptr<Job>> jobs;
  OwningOpRef<ModuleOp> all = ModuleOp::create(program.getLoc());
  auto add = [&](const std::string &name, Location loc, auto emit) -> LogicalResult {
    Job &job = *jobs.emplace_back(std::make_unique<Job>());
    job.name = name;
    Stopwatch watch;
    all->push_back(job.module = ModuleOp::create(loc));
    FailureOr<DeviceKernel> made = emit(job.module);
    if (failed(made) || failed(verify(job.module)))
      return failure();
    for (PipelineObserver *observer : observers)
      observer->kernelsEmitted(targetName, unitOf(name), job.module, watch.milliseconds());
    kernels[StringAttr::get(program->getContext(), name)] = std::move(*made);
    job.key = keyOf(job.module, architectures, options);
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
  ObjectCache cache(observers.empty() ? options.cacheDir : "");
  std::vector<Job *> missing;
  for (auto &job : jobs) {
    job->kernel = &kernels[StringAttr::get(program->getContext(), job->name)];
    if (llvm::SmallString<0> kept; cache.find(job->key, kept) && cuda::readImages(kept, job->kernel->images))
      job->module.erase();
    else
      missing.push_back(job.get());
  }
  if (failed(translate(*all, missing, observers)))
    return failure();
  std::mutex mutex;
  uint64_t done = jobs.size() - missing.size();
  progress(done, jobs.size());
  forEachInParallel<Job>(missing, [&](Job &job) {
    CompiledUnit details;
    details.target = targetName;
    details.name = unitOf(job.name);
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
