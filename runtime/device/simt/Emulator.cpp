// Loading code and launching it.
#include "runtime/device/simt/Emulator.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace llmc::simt {

constexpr uint64_t mostShared = 48 << 10;          // without asking the driver for more
constexpr uint64_t mostBlocks = uint64_t(1) << 26; // their order is kept; and nobody waits for so many

Library::~Library() {
  if (handle)
    dlclose(handle);
}

std::string Library::load(const std::string &path) {
  // dlopen searches library folders for names without a slash.
  const std::string name = path.find('/') == std::string::npos ? "./" + path : path;
  if (void *opened = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))
    return take(opened, path);
  const char *reason = dlerror();
  return path + ": the system cannot load its code: " + (reason ? reason : "");
}

std::string Library::take(void *opened, const std::string &path) {
  handle = opened;
  library = static_cast<const llmc_simt_library *>(dlsym(handle, LLMC_SIMT_SYMBOL));
  if (!library || memcmp(library->magic, LLMC_SIMT_MAGIC, sizeof library->magic) != 0)
    return path + ": these are no kernels for the emulator";
  if (library->abi != LLMC_SIMT_ABI || library->struct_size != sizeof(llmc_simt_library))
    return path + ": kernels for version " + std::to_string(library->abi) +
           " of the emulator, this is version " + std::to_string(LLMC_SIMT_ABI);
  return "";
}

const llmc_simt_code *Library::find(uint64_t sourceHash) const {
  for (uint32_t i = 0; i < library->n_codes; ++i)
    if (library->codes[i]->source_hash == sourceHash)
      return library->codes[i];
  return nullptr;
}

const llmc_simt_kernel *findKernel(const llmc_simt_code &code, const char *name) {
  for (uint32_t i = 0; i < code.n_kernels; ++i)
    if (strcmp(code.kernels[i].name, name) == 0)
      return &code.kernels[i];
  return nullptr;
}

template <typename Each> static void forEachGlobal(const Library &library, Each each) {
  const llmc_simt_library &table = library.table();
  for (uint32_t i = 0; i < table.n_codes; ++i)
    for (uint32_t j = 0; j < table.codes[i]->n_globals; ++j)
      each(table.codes[i]->globals[j]);
}

void Emulator::add(const Library &library) {
  forEachGlobal(library, [&](const llmc_simt_global &global) {
    memory.add(global.address, global.bytes, global.name);
  });
}

void Emulator::remove(const Library &library) {
  forEachGlobal(library, [&](const llmc_simt_global &global) { memory.remove(global.address); });
}

/// Empty, or what a GPU would not take of it.
static std::string refusal(const Launch &launch) {
  const Extent &grid = launch.grid, &block = launch.block;
  const uint64_t threads = block.count(), most = launch.kernel->max_threads;
  const uint64_t shared = launch.kernel->shared_bytes + launch.dynamicShared;
  auto text = [](uint64_t number) { return std::to_string(number); };
  auto extent = [&](const Extent &e) { return text(e.x) + " x " + text(e.y) + " x " + text(e.z); };
  if (threads == 0 || threads > 1024 || block.z > 64)
    return "cannot be launched with blocks of " + extent(block) + " threads";
  if (most && threads > most)
    return "has blocks of " + text(threads) + " threads, but was compiled for no more than " + text(most);
  if (grid.count() == 0 || grid.x > INT32_MAX || grid.y > UINT16_MAX || grid.z > UINT16_MAX)
    return "cannot be launched with " + extent(grid) + " blocks";
  if (shared > mostShared)
    return "has " + text(shared) + " bytes of shared memory, a block has no more than " + text(mostShared);
  if (grid.count() > mostBlocks)
    return "has " + text(grid.count()) + " blocks, the emulator runs no more than " + text(mostBlocks);
  return "";
}

std::string Emulator::launch(const Launch &launch, bool isInstrumented) {
  if (const std::string why = refusal(launch); !why.empty())
    return "kernel '" + std::string(launch.kernel->name) + "': " + why;
  return block.run(launch, isInstrumented, options) ? "" : block.error();
}

} // namespace llmc::simt
