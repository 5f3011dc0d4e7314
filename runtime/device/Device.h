// A device that runs steps in place of the CPU's workers: its memory, its code, its one stream of work.
#pragma once

#include "runtime/Error.h"

#include "llmc/module_abi.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace llmc {

using DeviceAddress = uint64_t; ///< 0: none

/// The loaded kernels of a program; what is launched is a number among the device's launches.
class DeviceCode {
public:
  virtual ~DeviceCode() = default;
};

/// Work that was recorded and can be repeated at once.
class DeviceGraph {
public:
  virtual ~DeviceGraph() = default;
};

/// A place in the order of work, to wait for.
class DeviceMark {
public:
  virtual ~DeviceMark() = default;
};

/// What is asked for runs in order, and later: host memory named in a copy stays as it is until
/// synchronize(), or a mark behind it is reached. Every failure has its sentence, with the device's name in
/// front.
///
/// All sessions of a model ask for work here, each from whatever thread it is used by. Who calls has a
/// DeviceUse, so only one thread asks at a time, and what one records has no work of others in it. What
/// sessions share is code and weights, which nobody changes; all other memory, graphs and marks are used by
/// the session that made them. So a thread waits for its own mark, and then reads its own host memory, while
/// others ask: what they ask for comes later. synchronize() waits for their work, too.
class Device {
public:
  struct Grid {
    uint32_t x, y, z;
  };

  explicit Device(std::string name) : ownName(std::move(name)) {}
  virtual ~Device() = default;
  const char *name() const { return ownName.c_str(); }

  /// `bytes`: at least one. `what` it is for, in the sentence if there is none.
  virtual llmc_status allocate(uint64_t bytes, const char *what, DeviceAddress &out) = 0;
  virtual void free(DeviceAddress address) = 0;
  /// Host memory that copies are quick to and from.
  virtual llmc_status allocateHost(uint64_t bytes, void *&out) = 0;
  virtual void freeHost(void *memory) = 0;
  /// Where kernels find such memory, which they may write from now on; `what` it is for.
  virtual llmc_status map(void *memory, uint64_t bytes, const char *what, DeviceAddress &out) = 0;
  virtual llmc_status copyIn(DeviceAddress to, const void *from, uint64_t bytes) = 0;
  virtual llmc_status copyOut(void *to, DeviceAddress from, uint64_t bytes) = 0;
  virtual llmc_status clear(DeviceAddress address, uint64_t bytes) = 0;
  // For devices that check and tell what they do:
  /// Kernels only read this allocation. Where in it things of their own begin.
  virtual void setConstant(DeviceAddress, std::vector<uint64_t> /*parts*/) {}
  /// Nothing that stands there outlives a kernel, however many launches that is.
  virtual void setScratch(DeviceAddress) {}
  /// What stands there counts no more.
  virtual void forget(DeviceAddress, uint64_t /*bytes*/) {}
  /// Hears of kernels that are compiled; false cancels.
  using KernelProgress = std::function<bool(uint64_t done, uint64_t total)>;
  /// `path`: of the model, for messages.
  virtual llmc_status load(const llmc_device &program, const char *path, const KernelProgress &progress,
                           std::unique_ptr<DeviceCode> &out) = 0;
  virtual llmc_status launch(const DeviceCode &code, uint32_t number, Grid grid, DeviceAddress step,
                             DeviceAddress args) = 0;
  virtual llmc_status synchronize() = 0;
  virtual llmc_status newMark(std::unique_ptr<DeviceMark> &out) = 0;
  /// Behind all that was asked for so far.
  virtual llmc_status set(DeviceMark &mark) = 0;
  /// Others may use the device meanwhile (DeviceUse::unlock). A failure may be one of any work so far.
  virtual llmc_status wait(DeviceMark &mark) = 0;
  /// Between both launches, and copies to memory of allocateHost(), are recorded instead of run; endCapture
  /// also ends a recording that failed.
  virtual llmc_status beginCapture() = 0;
  virtual llmc_status endCapture(std::unique_ptr<DeviceGraph> &out) = 0;
  virtual llmc_status replay(DeviceGraph &graph) = 0;

  /// `work` in a use of the device, with nothing of it under way.
  llmc_status atRest(const std::function<llmc_status()> &work);

private:
  friend class DeviceUse;
  /// Makes the calling thread one that may use the device, until it leaves.
  virtual llmc_status enter() = 0;
  virtual void leave() = 0;

  std::string ownName;
  std::recursive_mutex mutex;
};

/// A thread's use of a device for as long as this lives. Afterwards the thread is again where it was before,
/// which may be in a context of the application's. Uses may nest.
class DeviceUse {
public:
  explicit DeviceUse(Device &device) : device(device), lock(device.mutex), entered(device.enter()) {}
  ~DeviceUse() {
    if (entered == LLMC_OK)
      device.leave();
  }
  DeviceUse(const DeviceUse &) = delete;
  DeviceUse &operator=(const DeviceUse &) = delete;
  /// If it is not LLMC_OK the device cannot be used; who only gives things back need not ask.
  llmc_status status() const { return entered; }
  /// Others may use the device from now on; this thread may only wait for its marks.
  void unlock() { lock.unlock(); }

private:
  Device &device;
  std::unique_lock<std::recursive_mutex> lock;
  const llmc_status entered;
};

/// Memory of a device, freed with this object.
class DeviceMemory {
public:
  DeviceMemory() = default;
  ~DeviceMemory() { reset(); }
  DeviceMemory(DeviceMemory &&other) noexcept { *this = std::move(other); }
  DeviceMemory &operator=(DeviceMemory &&other) noexcept;
  llmc_status allocate(Device &device, uint64_t bytes, const char *what);
  void reset();
  DeviceAddress address() const { return start; }
  uint64_t size() const { return bytes; }

private:
  Device *owner = nullptr;
  DeviceAddress start = 0;
  uint64_t bytes = 0;
};

/// The same of host memory that copies are quick to and from.
class StagingMemory {
public:
  StagingMemory() = default;
  ~StagingMemory() { reset(); }
  StagingMemory(const StagingMemory &) = delete;
  StagingMemory &operator=(const StagingMemory &) = delete;
  llmc_status allocate(Device &device, uint64_t bytes);
  /// Of which kernels write address().
  llmc_status allocateMapped(Device &device, uint64_t bytes, const char *what);
  void reset();
  uint8_t *data() const { return static_cast<uint8_t *>(start); }
  DeviceAddress address() const { return mapped; }
  uint64_t size() const { return bytes; }

private:
  Device *owner = nullptr;
  void *start = nullptr;
  DeviceAddress mapped = 0; ///< 0: kernels do not know of it
  uint64_t bytes = 0;
};

} // namespace llmc
