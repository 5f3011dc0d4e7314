// The emulator as a device.
#include "runtime/device/Devices.h"
#include "runtime/device/SimtFile.h"
#include "runtime/device/simt/Emulator.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

namespace llmc {
namespace {

class SimtCode final : public DeviceCode {
public:
  struct Entry {
    const llmc_simt_code *code;
    const llmc_simt_kernel *kernel;
    uint32_t threads;
    uint32_t owner; ///< the kernel that it is a launch of
  };
  SimtCode(simt::Emulator &emulator, std::unique_ptr<simt::Library> loaded)
      : emulator(emulator), library(std::move(loaded)) {
    emulator.add(*library);
  }
  ~SimtCode() override { emulator.remove(*library); }
  simt::Emulator &emulator;
  std::unique_ptr<simt::Library> library;
  std::vector<Entry> entries; ///< by number of launch
};

struct SimtLaunch {
  const SimtCode *code;
  uint32_t number;
  Device::Grid grid;
  DeviceAddress step, args;
};

class SimtGraph final : public DeviceGraph {
public:
  std::vector<std::function<llmc_status()>> work;
};

/// Everything is done at once.
class SimtDevice final : public Device {
public:
  /// `countsFile` is written to in the end; it is not open if nobody wants counts.
  SimtDevice(std::string codePath, std::unique_ptr<simt::Library> library, std::ofstream countsFile,
             const simt::RunOptions &options)
      : Device(simtDevice), codePath(std::move(codePath)), library(std::move(library)),
        countsFile(std::move(countsFile)) {
    emulator.options = options;
  }
  ~SimtDevice() override { writeCounts(); }

  llmc_status allocate(uint64_t bytes, const char *what, DeviceAddress &out) override {
    out = DeviceAddress(emulator.memory.allocate(bytes, what));
    return out ? LLMC_OK
               : setError(LLMC_ENOMEM, "simt: no memory for %s (%llu MB)", what,
                          (unsigned long long)bytes >> 20);
  }
  void free(DeviceAddress address) override { emulator.memory.free(reinterpret_cast<void *>(address)); }
  llmc_status allocateHost(uint64_t bytes, void *&out) override {
    out = malloc(bytes);
    return out ? LLMC_OK : setError(LLMC_ENOMEM, "simt: no memory for copies");
  }
  void freeHost(void *memory) override {
    emulator.memory.remove(memory);
    ::free(memory);
  }
  llmc_status map(void *memory, uint64_t bytes, const char *what, DeviceAddress &out) override {
    emulator.memory.add(memory, bytes, what);
    out = DeviceAddress(memory);
    return LLMC_OK;
  }
  llmc_status copyIn(DeviceAddress to, const void *from, uint64_t bytes) override {
    return copy(reinterpret_cast<void *>(to), from, bytes, to);
  }
  llmc_status copyOut(void *to, DeviceAddress from, uint64_t bytes) override {
    return now([=, this] { return copy(to, reinterpret_cast<const void *>(from), bytes, from); });
  }
  llmc_status clear(DeviceAddress address, uint64_t bytes) override {
    if (llmc_status status = checkRange(address, bytes))
      return status;
    memset(reinterpret_cast<void *>(address), 0, bytes);
    return LLMC_OK;
  }
  void setConstant(DeviceAddress address, std::vector<uint64_t> parts) override {
    emulator.memory.protect(reinterpret_cast<void *>(address));
    emulator.memory.cut(reinterpret_cast<void *>(address), std::move(parts));
  }
  void setScratch(DeviceAddress address) override {
    emulator.memory.setScratch(reinterpret_cast<void *>(address));
  }
  void forget(DeviceAddress address, uint64_t bytes) override {
    if (bytes)
      emulator.memory.forget(reinterpret_cast<void *>(address), bytes);
  }
  llmc_status load(const llmc_device &program, const char *path, const KernelProgress &progress,
                   std::unique_ptr<DeviceCode> &out) override;
  llmc_status launch(const DeviceCode &code, uint32_t number, Grid grid, DeviceAddress step,
                     DeviceAddress args) override {
    const SimtLaunch launch{static_cast<const SimtCode *>(&code), number, grid, step, args};
    return now([=, this] { return run(launch); });
  }
  llmc_status synchronize() override { return LLMC_OK; }
  llmc_status newMark(std::unique_ptr<DeviceMark> &out) override {
    out = std::make_unique<DeviceMark>();
    return LLMC_OK;
  }
  llmc_status set(DeviceMark &) override { return LLMC_OK; }
  llmc_status wait(DeviceMark &) override { return LLMC_OK; }
  llmc_status beginCapture() override {
    recording = std::make_unique<SimtGraph>();
    return LLMC_OK;
  }
  llmc_status endCapture(std::unique_ptr<DeviceGraph> &out) override {
    out = std::move(recording);
    return LLMC_OK;
  }
  llmc_status replay(DeviceGraph &graph) override {
    for (const auto &work : static_cast<SimtGraph &>(graph).work)
      if (llmc_status status = work())
        return status;
    return LLMC_OK;
  }

private:
  llmc_status enter() override { return LLMC_OK; }
  void leave() override {}
  /// Or not now, where it is recorded.
  llmc_status now(std::function<llmc_status()> work) {
    if (!recording)
      return work();
    recording->work.push_back(std::move(work));
    return LLMC_OK;
  }
  llmc_status run(const SimtLaunch &launch);
  bool beginsKernel(const SimtLaunch &launch) const;
  llmc_status checkRange(DeviceAddress address, uint64_t bytes) const {
    const simt::Memory::Region *region = emulator.memory.find(address);
    return region && region->holds(address, bytes)
               ? LLMC_OK
               : setError(LLMC_EINTERNAL, "simt: %llu bytes at 0x%llx are no memory of the device",
                          (unsigned long long)bytes, (unsigned long long)address);
  }
  llmc_status copy(void *to, const void *from, uint64_t bytes, DeviceAddress onDevice) const {
    if (llmc_status status = checkRange(onDevice, bytes))
      return status;
    memcpy(to, from, bytes);
    return LLMC_OK;
  }

  void writeCounts();

  std::string codePath;
  std::unique_ptr<simt::Library> library; ///< until a program takes it
  std::ofstream countsFile;
  simt::Emulator emulator;
  std::unique_ptr<SimtGraph> recording;
  SimtLaunch last = {}; ///< code null: there was none
};

/// Of the launches of one kernel each has a higher number than the one before, and the same arguments.
bool SimtDevice::beginsKernel(const SimtLaunch &launch) const {
  return launch.code != last.code || launch.number <= last.number || launch.args != last.args ||
         launch.code->entries[launch.number].owner != last.code->entries[last.number].owner;
}

llmc_status SimtDevice::run(const SimtLaunch &launch) {
  const SimtCode::Entry &entry = launch.code->entries[launch.number];
  const void *params[] = {&launch.step, &launch.args};
  if (beginsKernel(launch))
    emulator.memory.forgetScratch();
  last = launch;
  const std::string error = emulator.launch({entry.code,
                                             entry.kernel,
                                             {launch.grid.x, launch.grid.y, launch.grid.z},
                                             {entry.threads},
                                             0,
                                             const_cast<void *const *>(params)},
                                            launch.code->library->table().is_instrumented);
  return error.empty() ? LLMC_OK : setError(LLMC_EINTERNAL, "simt: %s", error.c_str());
}

/// A line for each kernel and allocation, of the weights for each of them: lane by lane what was loaded and
/// stored, what of it warps moved, in how many transactions, what of it launches moved for the first time,
/// and the size of that memory.
void SimtDevice::writeCounts() {
  if (!countsFile.is_open())
    return;
  for (const auto &[key, counts] : emulator.counters().counts())
    countsFile << key.first << '\t' << key.second << '\t' << counts.loads << '\t' << counts.stores << '\t'
               << counts.warpLoads << '\t' << counts.warpStores << '\t' << counts.loadTransactions << '\t'
               << counts.storeTransactions << '\t' << counts.distinctLoads << '\t' << counts.distinctStores
               << '\t' << counts.memory << '\n';
}

llmc_status SimtDevice::load(const llmc_device &program, const char *path, const KernelProgress &,
                             std::unique_ptr<DeviceCode> &out) {
  auto code = std::make_unique<SimtCode>(emulator, std::move(library));
  code->entries.resize(program.n_launches);
  for (uint64_t i = 0; i < program.n_images; ++i) {
    const llmc_device_image &image = program.images[i];
    if (image.kind != LLMC_IMAGE_BITCODE)
      continue;
    const llmc_simt_code *found = code->library->find(image.hash);
    const llmc_device_kernel &kernel = program.kernels[image.kernel];
    for (uint32_t j = kernel.first_launch; j < kernel.first_launch + kernel.n_launches; ++j) {
      const llmc_device_launch &launch = program.launches[j];
      const llmc_simt_kernel *entry = found ? simt::findKernel(*found, launch.entry) : nullptr;
      if (!entry || entry->n_params != 2)
        return setError(LLMC_EFORMAT,
                        "%s: it has no code for the kernel '%s' of %s: it was made of another model",
                        codePath.c_str(), launch.entry, path);
      code->entries[j] = {found, entry, launch.threads, image.kernel};
    }
  }
  for (uint32_t i = 0; i < code->entries.size(); ++i)
    if (!code->entries[i].kernel)
      return setError(LLMC_EFORMAT, "%s: module table: the kernel '%s' has no bitcode", path,
                      program.launches[i].entry);
  out = std::move(code);
  return LLMC_OK;
}

} // namespace

/// Writes the titles at once: a full disk shows before anything is computed.
static llmc_status openCounts(const std::string &path, std::initializer_list<std::string> inputs,
                              std::ofstream &out) {
  std::error_code none;
  for (const std::string &input : inputs)
    if (std::filesystem::equivalent(path, input, none))
      return setError(LLMC_EARG, "%s: counts cannot be written to it, it is also read as %s", path.c_str(),
                      input.c_str());
  out.open(path);
  out << "kernel\tmemory\tloaded\tstored\twarps_loaded\twarps_stored\tload_transactions\tstore_"
         "transactions\tdistinct_loaded\tdistinct_stored\tmemory_bytes\n"
      << std::flush;
  return out ? LLMC_OK : setError(LLMC_EIO, "%s: cannot be written: %s", path.c_str(), strerror(errno));
}

llmc_status openSimt(const DeviceOptions &options, const char *modelPath, std::unique_ptr<Device> &out) {
  const std::string code = options.code.empty() ? std::string(modelPath) + ".simt" : options.code;
  auto library = std::make_unique<simt::Library>();
  if (llmc_status status = loadSimtFile(code, modelPath, *library))
    return status;
  if (options.needsChecks && !library->table().is_instrumented)
    return setError(LLMC_EUNSUPPORTED,
                    "%s: it was made without --checks: neither checks=bounds|races nor counts=FILE can be "
                    "had of it",
                    code.c_str());
  std::ofstream countsFile;
  if (!options.counts.empty())
    if (llmc_status status = openCounts(options.counts, {modelPath, code}, countsFile))
      return status;
  const simt::RunOptions run{options.seed, options.checksBounds, options.checksRaces, countsFile.is_open()};
  out = std::make_unique<SimtDevice>(code, std::move(library), std::move(countsFile), run);
  return LLMC_OK;
}

} // namespace llmc
