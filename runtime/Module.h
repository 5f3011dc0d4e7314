// A loaded model: the checked file, its code, the kernels chosen for this CPU, and the addresses of its
// weights.
#pragma once

#include "runtime/Memory.h"
#include "runtime/ModuleCode.h"
#include "runtime/ModuleFile.h"
#include "runtime/Threads.h"
#include "runtime/device/DeviceModel.h"
#include "runtime/device/DeviceNames.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace llmc {

/// Checks every count, index and offset in the tables against the others. `weightsSize`: bytes in the file.
llmc_status checkModuleTables(const llmc_module &module, uint64_t weightsSize, const char *name);
/// The same for its devices; a part of checkModuleTables.
llmc_status checkDeviceTables(const llmc_module &module, uint64_t weightsSize, const char *name);

/// The first variant whose features are all in `features`, or the one named `wanted` (may be null).
llmc_status chooseVariant(const llmc_module &module, const char *wanted, uint64_t features, const char *name,
                          const llmc_variant *&out);

class Module {
public:
  ~Module();
  llmc_status load(const char *path, const llmc_model_params &params);

  const llmc_module &tables() const { return *module; }
  const llmc_kernel_entry &kernel(uint32_t index) const { return variant->entries[index]; }
  const char *string(uint32_t offset) const {
    return offset == LLMC_NONE ? nullptr : module->strings + offset;
  }
  const uint8_t *weights() const { return weightsStart; }
  /// The CPU variant, or the device; of a model that is only planned, the kind of device.
  const char *variantName() const {
    return variant ? variant->name : deviceModel ? deviceModel->device().name() : kindName;
  }
  /// Null: steps are run by the pool's threads.
  DeviceModel *onDevice() const { return deviceModel.get(); }
  /// What a device runs, be it here or only planned for; null: the CPU does.
  const llmc_device *programOnDevice() const { return deviceProgram; }
  bool isPlanOnly() const { return flags & LLMC_LOAD_PLAN_ONLY; }
  /// Of the private copy of the weights that LLMC_LOAD_COPY_WEIGHTS asks for; 0: nobody did.
  uint64_t copyBytes() const;

  /// How many threads evaluate a step, with the one that calls.
  uint32_t threads() const;
  /// The pool of the load parameters, or the model's own, started when first asked for.
  llmc_status pool(ThreadPool *&out);

  MappedFile file;
  ModuleContents contents;
  std::atomic<uint32_t> references{1};
  llmc_tokenizer *tokenizer = nullptr; ///< null: the file has none

private:
  llmc_status chooseDevice(const char *path, const llmc_model_params &params);
  llmc_status useCpuInstead(llmc_status status, const char *path, const llmc_model_params &params);
  llmc_status loadWeights(const char *path, const llmc_model_params &params);
  llmc_status loadOnDevice(const char *path, const llmc_model_params &params);
  llmc_status copyWeights(const char *path, const llmc_model_params &params);
  llmc_status lockWeights(const char *path, const llmc_model_params &params);

  ModuleCode code; ///< goes last
  const llmc_module *module = nullptr;
  const llmc_variant *variant = nullptr;   ///< null: on a device, or only planned
  const llmc_module *cpuInstead = nullptr; ///< where the device was chosen without a wish, and may fail
  const char *kindName = cpuDevice;
  std::unique_ptr<Device> openedDevice;
  const llmc_device *deviceProgram = nullptr;
  std::unique_ptr<DeviceModel> deviceModel;
  const uint8_t *weightsStart = nullptr;
  size_t lockedBytes = 0;
  Region weightsCopy;
  uint32_t nThreads = 0, flags = 0;
  std::mutex poolMutex;
  llmc_pool *borrowedPool = nullptr;
  std::unique_ptr<ThreadPool> ownPool;
};

} // namespace llmc

struct llmc_model final : llmc::Module {};
