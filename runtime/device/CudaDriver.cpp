#include "runtime/device/CudaDriver.h"

#include <dlfcn.h>
#include <mutex>
#include <string>

namespace llmc::cuda {

constexpr int oldest = 11040; // the first with cuGraphInstantiateWithFlags

std::string resultText(const Driver &driver, Result result) {
  const char *name = nullptr, *words = nullptr;
  if (driver.cuGetErrorName(result, &name) || !name)
    return "error " + std::to_string(result);
  if (driver.cuGetErrorString(result, &words) || !words)
    return name;
  return std::string(name) + " (" + words + ")";
}

static bool loadAll(void *library, Driver &out, std::string &why) {
#define LLMC_CUDA_LOAD(name, parameters)                                                                     \
  out.name = reinterpret_cast<Result(*) parameters>(dlsym(library, #name));                                  \
  if (!out.name) {                                                                                           \
    why = "the driver is too old: libcuda.so.1 has no " #name;                                               \
    return false;                                                                                            \
  }
  LLMC_CUDA_FUNCTIONS(LLMC_CUDA_LOAD)
#undef LLMC_CUDA_LOAD
  return true;
}

static bool start(Driver &out, std::string &why) {
  if (Result result = out.cuInit(0)) {
    why = "cuInit: " + resultText(out, result);
    return false;
  }
  if (Result result = out.cuDriverGetVersion(&out.version)) {
    why = "cuDriverGetVersion: " + resultText(out, result);
    return false;
  }
  if (out.version < oldest) {
    why = "the driver is for CUDA " + std::to_string(out.version / 1000) + "." +
          std::to_string(out.version % 1000 / 10) + ", 11.4 or later is needed";
    return false;
  }
  return true;
}

const Driver *driver(std::string &why) {
  static std::mutex mutex;
  static Driver loaded;
  static bool isReady = false;
  std::lock_guard lock(mutex);
  if (isReady)
    return &loaded;
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    why = "there is no driver (libcuda.so.1): install NVIDIA's driver, or take another "
          "device: cpu, if the model has code for it, or simt for tests";
    return nullptr;
  }
  Driver found;
  if (!loadAll(library, found, why) || !start(found, why)) {
    dlclose(library);
    return nullptr;
  }
  loaded = found; // stays loaded: drivers do not like to be unloaded
  isReady = true;
  return &loaded;
}

} // namespace llmc::cuda
