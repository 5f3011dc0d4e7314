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
  std::string key; // what its images are kept under
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated;
  DeviceKernel kernel;
  std::string error;

  /// What it is called among the kernels of all targets.
  std::string unit() const { return name + "." + targetName.str(); }
};

using Progress = std::function<void(uint64_t done, uint64_t all)>;

/// The kernels of one program.
class Compilation {
public:
  Compilation(step::ProgramOp program, ArrayRef<std::string> architectures,
              const CompileKernelsOptions &options)
      : program(program), architectures(architectures), options(options),
        observers(llvm::to_vector(llvm::make_filter_range(
            options.observers, [](PipelineObserver *observer) { return observer->wantsKernels(); }))),
        cache(observers.empty() ? options.cacheDir : ""), all(ModuleOp::create(program.getLoc())) {}

  LogicalResult emit();
  LogicalResult translateMissing();
  LogicalResult makeImages(const Progress &progress);
  DeviceTarget::Kernels take();

private:
  LogicalResult emit(const std::string &name, Location loc,
                     llvm::function_ref<FailureOr<DeviceKernel>(ModuleOp)> emitInto);
  std::string keyOf(ModuleOp kernel) const;
  void makeImages(Job &job);

  step::ProgramOp program;
  ArrayRef<std::string> architectures;
  const CompileKernelsOptions &options;
  SmallVector<PipelineObserver *> observers;
  ObjectCache cache; // finds nothing if somebody watches how kernels are made
  OwningOpRef<ModuleOp> all;
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<Job *> missing; // from the cache
  std::mutex observing;
};

std::string Compilation::keyOf(ModuleOp kernel) const {
  std::string text = "cuda " + llvm::join(architectures, ",") + "\n" +
                     (options.assembler ? options.assembler->key : "") + "\n";
  llvm::raw_string_ostream out(text);
  kernel.print(out, OpPrintingFlags().useLocalScope());
  return ObjectCache::keyOf(text);
}

LogicalResult Compilation::emit(const std::string &name, Location loc,
                                llvm::function_ref<FailureOr<DeviceKernel>(ModuleOp)> emitInto) {
  Job &job = *jobs.emplace_back(std::make_unique<Job>());
  job.name = name;
  Stopwatch watch;
  all->push_back(job.module = ModuleOp::create(loc));
  FailureOr<DeviceKernel> made = emitInto(job.module);
  if (failed(made) || failed(verify(job.module)))
    return failure();
  for (PipelineObserver *observer : observers)
    observer->kernelsEmitted(targetName, job.unit(), job.module, watch.milliseconds());
  job.kernel = std::move(*made);
  job.key = keyOf(job.module);
  return success();
}

LogicalResult Compilation::emit() {
  for (step::KernelOp kernel : program.getBody().getOps<step::KernelOp>())
    if (failed(emit(kernel.getSymName().str(), kernel.getLoc(), [&](ModuleOp module) {
          return cuda::emitKernel(module, kernel, options.defaultKernels);
        })))
      return failure();
  const std::string sampling = cuda::samplingKernel(program, options.defaultKernels);
  if (sampling.empty())
    return success();
  return emit(sampling, program.getLoc(),
              [&](ModuleOp module) { return cuda::emitSamplingKernel(module, program); });
}

LogicalResult Compilation::translateMissing() {
  for (auto &job : jobs)
    if (llvm::SmallString<0> kept; cache.find(job->key, kept) && cuda::readImages(kept, job->kernel.images))
      job->module.erase();
    else
      missing.push_back(job.get());
  const auto units = llvm::map_to_vector(missing, [](Job *job) { return job->unit(); });
  if (failed(lowerUnits(*all, targetName, units, cuda::buildGpuLowering, observers)))
    return failure();
  for (Job *job : missing) {
    job->translated = translateModuleToLLVMIR(job->module, job->context, job->name);
    if (!job->translated)
      return all->emitError() << "cannot translate '" << job->name << "' to LLVM IR";
  }
  return success();
}

void Compilation::makeImages(Job &job) {
  CompiledUnit details;
  details.target = targetName;
  details.name = job.unit();
  job.error = cuda::makeImages(*job.translated, architectures, options.assembler.get(), job.kernel.images,
                               observers.empty() ? nullptr : &details);
  if (!job.error.empty())
    return;
  cache.store(job.key, cuda::writeImages(job.kernel.images));
  std::lock_guard lock(observing);
  for (PipelineObserver *observer : observers)
    observer->unitCompiled(details);
}

LogicalResult Compilation::makeImages(const Progress &progress) {
  uint64_t done = jobs.size() - missing.size();
  progress(done, jobs.size());
  forEachInParallel<Job>(missing, [&](Job &job) {
    makeImages(job);
    std::lock_guard lock(observing);
    progress(++done, jobs.size());
  });
  for (Job *job : missing)
    if (!job->error.empty())
      return program.emitError() << job->name << " for cuda: " << job->error;
  return success();
}

DeviceTarget::Kernels Compilation::take() {
  DeviceTarget::Kernels kernels;
  for (auto &job : jobs)
    kernels[StringAttr::get(program->getContext(), job->name)] = std::move(job->kernel);
  return kernels;
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
                             const CompileKernelsOptions &options, const Progress &progress) const override {
    Compilation compilation(program, architectures, options);
    if (failed(compilation.emit()) || failed(compilation.translateMissing()) ||
        failed(compilation.makeImages(progress)))
      return failure();
    return compilation.take();
  }
};

} // namespace

namespace llmc::codegen {
const DeviceTarget &cudaTarget() {
  static const CudaTarget target;
  return target;
}
} // namespace llmc::codegen
