// The stub's modules. Of images only the heads are read: a kernel is known by its name among those of the
// emulator's code.
#include "tests/device/StubDriver.h"

#include <cstdlib>
#include <cstring>
#include <elf.h>

using namespace llmc;
using namespace llmc::cuda;
using namespace llmc::stub;

Result stub::loadCode() {
  State &s = state();
  const char *code = std::getenv("LLMC_STUB_CODE");
  if (!code || s.contexts || s.code == code)
    return 0;
  auto library = std::make_unique<simt::Library>();
  if (!library->load(code).empty())
    return notFound;
  if (s.library)
    s.emulator.remove(*s.library);
  s.library = std::move(library);
  s.code = code;
  s.emulator.options.checksBounds = s.emulator.options.checksRaces = true;
  s.emulator.add(*s.library);
  return 0;
}

namespace {
/// What an image says that it is for: PTX in its text, machine code in the flags of its ELF header.
struct Image {
  bool isCubin = false, isExact = false; ///< exact: for this architecture and no later one
  uint32_t arch = 0;                     ///< 0: it is no image
  std::string name() const {
    return (isCubin ? "cubin sm_" : "PTX sm_") + std::to_string(arch) + (isExact ? "a" : "");
  }
  bool runsOn(uint32_t device) const {
    return isExact   ? arch == device
           : isCubin ? arch / 10 == device / 10 && arch % 10 <= device % 10
                     : arch <= device;
  }
};
} // namespace

static Image readImage(const char *image) {
  constexpr uint32_t archMask = 0xff, exactFlag = 0x800; // EF_CUDA_SM, EF_CUDA_ACCELERATORS
  if (std::memcmp(image, ELFMAG, SELFMAG) == 0) {
    Elf64_Ehdr header;
    std::memcpy(&header, image, sizeof header);
    return {true, (header.e_flags & exactFlag) != 0, header.e_flags & archMask};
  }
  const char *target = std::strstr(image, ".target sm_");
  if (!target || !std::strstr(image, ".visible .entry"))
    return {};
  char *end;
  const auto arch = uint32_t(std::strtoul(target + std::strlen(".target sm_"), &end, 10));
  return {false, *end == 'a', arch};
}

EXPORT Result cuModuleLoadDataEx(ModuleHandle **out, const void *image, unsigned, int *, void **) {
  CALL_OUTSIDE_CAPTURE(cuModuleLoadDataEx);
  State &s = state();
  const Image read = readImage(static_cast<const char *>(image));
  if (!read.arch)
    return invalidValue;
  s.images += (s.images.empty() ? "" : ", ") + read.name();
  if (!s.refused.empty() && read.name().find(s.refused) != std::string::npos)
    return unsupportedPtx;
  if (!read.runsOn(s.arch))
    return noBinaryForGpu;
  s.handles.push_back(*out = new ModuleHandle);
  ++s.modules;
  return 0;
}
EXPORT Result cuModuleUnload(ModuleHandle *module) {
  LOCK;
  if (!hasContext())
    return invalidContext;
  delete module;
  --state().modules;
  FAIL_IF_TOLD(cuModuleUnload);
  return 0;
}
EXPORT Result cuModuleGetFunction(FunctionHandle **out, ModuleHandle *, const char *name) {
  CALL_IN_CONTEXT(cuModuleGetFunction);
  if (!state().library) {
    *out = state().functions.emplace_back(new FunctionHandle{});
    return 0;
  }
  const llmc_simt_library &table = state().library->table();
  for (uint32_t i = 0; i < table.n_codes; ++i)
    if (const llmc_simt_kernel *kernel = simt::findKernel(*table.codes[i], name)) {
      *out = state().functions.emplace_back(new FunctionHandle{table.codes[i], kernel});
      return 0;
    }
  return notFound;
}
