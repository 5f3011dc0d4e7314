// The code of a model.so, loaded by the system, and the checked tables in it.
#pragma once

#include "runtime/Error.h"

#include "llmc/module_abi.h"

namespace llmc {

/// Loads a shared object from the file behind `descriptor`, which was checked; `path` is what it is called.
llmc_status loadLibrary(const char *path, int descriptor, void *&out);

class ModuleCode {
public:
  ModuleCode() = default;
  ~ModuleCode();
  ModuleCode(const ModuleCode &) = delete;
  ModuleCode &operator=(const ModuleCode &) = delete;

  /// As loadLibrary. `weightsSize`: bytes in the file.
  llmc_status load(const char *path, int descriptor, uint64_t weightsSize);
  const llmc_module &tables() const { return *module; }

private:
  void *library = nullptr;
  const llmc_module *module = nullptr;
};

} // namespace llmc
