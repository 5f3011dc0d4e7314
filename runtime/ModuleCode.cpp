#include "runtime/ModuleCode.h"

#include "runtime/Module.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <string>
#include <unistd.h>

namespace llmc {

ModuleCode::~ModuleCode() {
  if (library)
    dlclose(library);
}

/// A name under which dlopen finds the file behind a descriptor: the one that was checked, whatever stands at
/// its path by now. The system remembers the names of loaded files and takes one it knows for the same file,
/// but descriptors are used again; so every load spells its name in another way, with or without a dot
/// between the slashes.
static std::string nameOfDescriptor(int descriptor) {
  static std::atomic<uint32_t> loads{0};
  std::string name = "/proc/self/fd";
  for (uint32_t rest = loads.fetch_add(1, std::memory_order_relaxed); rest; rest >>= 1)
    name += rest & 1 ? "/./" : "//";
  return name + "/" + std::to_string(descriptor);
}

llmc_status loadLibrary(const char *path, int descriptor, void *&out) {
  std::string name = nameOfDescriptor(descriptor);
  if (access(name.c_str(), R_OK) != 0) { // no /proc
    // An absolute path: dlopen searches library folders for names without a slash.
    std::unique_ptr<char, decltype(&free)> absolute(realpath(path, nullptr), &free);
    if (!absolute)
      return setError(LLMC_EIO, "%s: cannot resolve the path: %s", path, strerror(errno));
    name = absolute.get();
  }
  out = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (out)
    return LLMC_OK;
  const char *reason = dlerror();
  return setError(LLMC_EFORMAT, "%s: the system cannot load its code: %s", path, reason ? reason : "");
}

llmc_status ModuleCode::load(const char *path, int descriptor, uint64_t weightsSize) {
  if (llmc_status status = loadLibrary(path, descriptor, library))
    return status;
  module = static_cast<const llmc_module *>(dlsym(library, LLMC_MODULE_SYMBOL));
  if (!module)
    return setError(LLMC_EFORMAT, "%s: the symbol " LLMC_MODULE_SYMBOL " is missing", path);
  return checkModuleTables(*module, weightsSize, path);
}

} // namespace llmc
