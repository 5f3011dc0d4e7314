// Loading: check the bytes, load the code, check its tables, choose kernels, map the weights.
#include "runtime/Module.h"

#include "runtime/CopyWeights.h"
#include "runtime/CpuFeatures.h"
#include "runtime/Log.h"
#include "runtime/device/Devices.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <system_error>

namespace llmc {

const size_t progressStep = 16 << 20; // bytes between two calls of a progress callback; whole pages

Module::~Module() {
  llmc_tokenizer_free(tokenizer);
  ownPool.reset();
  deviceModel.reset();
  if (lockedBytes) // memory of the caller's allocator goes back as it came
    munlock(weightsStart, lockedBytes);
}

llmc_status Module::load(const char *path, const llmc_model_params &params) {
  OpenFile opened;
  if (llmc_status status = file.open(path, &opened))
    return status;
  if (llmc_status status = readModule(file.bytes(), path, contents))
    return status;
  flags = params.flags;
  if (llmc_status status = code.load(path, opened.descriptor, contents.weights.size()))
    return status;
  module = &code.tables();
  if (llmc_status status = chooseDevice(path, params))
    return status;
  borrowedPool = params.pool;
  nThreads = params.n_threads;
  if (llmc_status status = loadWeights(path, params))
    return status;
  if (llmc_status status = loadOnDevice(path, params))
    return status;
  if (!contents.tokenizer.empty())
    if (llmc_status status =
            llmc_tokenizer_open(contents.tokenizer.data(), contents.tokenizer.size(), &tokenizer))
      return setError(status, "%s: tokenizer: %s", path, std::string(lastError()).c_str());
  const size_t bytes = contents.weights.size();
  if (params.progress && !params.progress("load", bytes, bytes, params.progress_ud))
    return setError(LLMC_ECANCELLED, "%s: cancelled", path);
  log(LogInfo, "%s: loaded, kernels for %s, %zu MB of weights%s", path, variantName(), bytes >> 20,
      params.flags & LLMC_LOAD_COPY_WEIGHTS ? " copied"
      : params.flags & LLMC_LOAD_MLOCK      ? " locked"
                                            : "");
  return LLMC_OK;
}

/// Which of the programs in the file runs. Without a wish: on a GPU if the file has code for it and there is
/// one that takes it (loadOnDevice sees that last), else on the CPU.
llmc_status Module::chooseDevice(const char *path, const llmc_model_params &params) {
  auto programOf = [&](const DeviceKind &kind) -> const llmc_device * {
    for (uint32_t i = 0; kind.program && i < module->n_devices; ++i)
      if (strcmp(module->devices[i].name, kind.program) == 0)
        return &module->devices[i];
    return nullptr;
  };
  const DeviceKind *kind = nullptr;
  DeviceOptions options;
  const bool isAny = !params.device || strcmp(params.device, anyDevice) == 0;
  for (const DeviceKind &each : deviceKinds())
    if (isAny && !kind && each.isForAuto && programOf(each) && (!module->n_variants || each.count()))
      kind = &each;
  if (!kind)
    if (llmc_status status =
            findDeviceKind("llmc_model_load", isAny ? cpuDevice : params.device, kind, options))
      return status;
  kindName = kind->name;
  cpuInstead = isAny && module->n_variants ? module : nullptr;
  deviceProgram = programOf(*kind);
  if (kind->program && !deviceProgram)
    return setError(LLMC_EUNSUPPORTED, "%s: it has no code for %s: compile it with --target %s", path,
                    kind->name, kind->program);
  if (!kind->program && module->n_variants == 0 && module->n_devices)
    return setError(LLMC_EABI,
                    "%s: it has code for the device '%s' only, none for the CPU: compile it with "
                    "--target cpu,%s",
                    path, module->devices[0].name, module->devices[0].name);
  if (kind->open && !isPlanOnly())
    if (llmc_status status = kind->open(options, path, openedDevice))
      return useCpuInstead(status, path, params);
  if (deviceProgram)
    module = deviceProgram->program;
  return openedDevice || isPlanOnly()
             ? llmc_status(LLMC_OK)
             : chooseVariant(*module, params.cpu_variant, cpuFeatures(), path, variant);
}

/// A device that was not asked for failed with `status` and the last error.
llmc_status Module::useCpuInstead(llmc_status status, const char *path, const llmc_model_params &params) {
  if (!cpuInstead || status == LLMC_ECANCELLED)
    return status;
  log(LogWarning, "%s: it runs on the CPU: %s", path, lastError());
  deviceModel.reset();
  openedDevice.reset();
  deviceProgram = nullptr;
  module = cpuInstead;
  return chooseVariant(*module, params.cpu_variant, cpuFeatures(), path, variant);
}

llmc_status Module::loadOnDevice(const char *path, const llmc_model_params &params) {
  if (!openedDevice)
    return LLMC_OK;
  deviceModel = std::make_unique<DeviceModel>();
  const std::span<const uint8_t> bytes{weightsStart, contents.weights.size()};
  if (llmc_status status = deviceModel->load(std::move(openedDevice), *deviceProgram, bytes, path,
                                             params.progress, params.progress_ud))
    return useCpuInstead(status, path, params);
  return LLMC_OK;
}

llmc_status Module::loadWeights(const char *path, const llmc_model_params &params) {
  weightsStart = contents.weights.data();
  if (params.flags & LLMC_LOAD_VERIFY_WEIGHTS)
    if (llmc_status status = verifyWeights(contents, path, params.progress, params.progress_ud))
      return status;
  size_t bytes = contents.weights.size();
  if (bytes == 0 || isPlanOnly())
    return LLMC_OK;
  if (params.flags & LLMC_LOAD_COPY_WEIGHTS) {
    if (llmc_status status = copyWeights(path, params))
      return status;
  } else {
    // Read ahead in the background: the first step touches every byte.
    madvise(const_cast<uint8_t *>(weightsStart), bytes, MADV_WILLNEED);
  }
  if (params.flags & LLMC_LOAD_MLOCK)
    if (llmc_status status = lockWeights(path, params))
      return status;
  return LLMC_OK;
}

uint64_t Module::copyBytes() const {
  uint64_t bytes = 0;
  if (flags & LLMC_LOAD_COPY_WEIGHTS && !contents.weights.empty())
    Region::rounded(contents.weights.size(), bytes); // of what is a file
  return bytes;
}

llmc_status Module::copyWeights(const char *path, const llmc_model_params &params) {
  const size_t bytes = contents.weights.size();
  if (!weightsCopy.allocate(bytes, Region::Commit::Accounted, params.allocator))
    return setError(LLMC_ENOMEM, "%s: no memory for a copy of the weights (%zu bytes)", path, bytes);
  weightsCopy.useHugePages();
  ThreadPool *workers;
  if (llmc_status status = pool(workers))
    return status;
  CopyWeights copy(*module, contents.weights, weightsCopy.data(), workers->size());
  for (uint64_t done = 0; done < bytes;) {
    done = copy.copyMore(*workers, progressStep);
    if (params.progress && !params.progress("weights", done, bytes, params.progress_ud))
      return setError(LLMC_ECANCELLED, "%s: cancelled while the weights were copied", path);
  }
  weightsStart = weightsCopy.data();
  return LLMC_OK;
}

llmc_status Module::lockWeights(const char *path, const llmc_model_params &params) {
  const size_t bytes = contents.weights.size();
  while (lockedBytes < bytes) {
    size_t n = std::min(progressStep, bytes - lockedBytes);
    if (mlock(weightsStart + lockedBytes, n) != 0)
      return setError(LLMC_ENOMEM, "%s: cannot lock %zu bytes of weights in memory: %s", path, bytes,
                      strerror(errno));
    lockedBytes += n;
    if (params.progress && !params.progress("lock", lockedBytes, bytes, params.progress_ud))
      return setError(LLMC_ECANCELLED, "%s: cancelled while the weights were locked in memory", path);
  }
  return LLMC_OK;
}

uint32_t Module::threads() const {
  if (deviceModel)
    return 1;
  return borrowedPool ? borrowedPool->threads.size() : nThreads ? nThreads : availableCores();
}

llmc_status Module::pool(ThreadPool *&out) {
  if (borrowedPool) {
    out = &borrowedPool->threads;
    return LLMC_OK;
  }
  std::lock_guard lock(poolMutex);
  if (!ownPool) {
    try {
      ownPool = std::make_unique<ThreadPool>(threads(), nullptr, 0);
    } catch (const std::system_error &error) {
      return setError(LLMC_ENOMEM, "cannot start a worker thread: %s", error.what());
    }
    log(LogDebug, "a model's own pool of %u threads has started", ownPool->size());
  }
  out = ownPool.get();
  return LLMC_OK;
}

} // namespace llmc
