// A libcuda.so.1 that is none: the driver's functions that the runtime calls, over the emulator. Work on a
// stream is put off until somebody waits for it, and any call can be told to fail.
#include "tests/device/stub_cuda.h"

#include "tests/device/StubDriver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace llmc;
using namespace llmc::cuda;
using namespace llmc::stub;

State &stub::state() {
  static State &one = *new State;
  return one;
}

void stub::noteMemory() {
  State &s = state();
  uint64_t pinned = 0;
  for (const auto &[start, memory] : s.hostMemory)
    pinned += memory.bytes;
  s.mostDevice = std::max(s.mostDevice, s.emulator.memory.inUse());
  s.mostPinned = std::max(s.mostPinned, pinned);
}

bool stub::fails(const char *call) {
  State &s = state();
  s.calls.push_back(call);
  const char *always = std::getenv("LLMC_STUB_FAILS"); // also of a stub that no test is linked with
  if (s.calls.size() != s.failAt && !(always && std::strcmp(always, call) == 0))
    return false;
  s.hasFailed = true;
  s.failedCall = call;
  return true;
}

/// A thread's contexts, the current one at the end. Of the device's its generation counts: when it goes with
/// its last user, it is not current any more, even if there is another one later.
struct Current {
  ContextHandle *context;
  uint64_t generation;
};
static thread_local std::vector<Current> contexts;

bool stub::hasContext() {
  return state().contexts > 0 && !contexts.empty() && contexts.back().context == &state().context &&
         contexts.back().generation == state().generation;
}

EXPORT Result cuInit(unsigned) {
  CALL(cuInit);
  return 0;
}
EXPORT Result cuDriverGetVersion(int *version) {
  CALL(cuDriverGetVersion);
  const char *wanted = std::getenv("LLMC_STUB_VERSION"); // the same
  *version = wanted ? std::atoi(wanted) : 12040;
  return 0;
}
EXPORT Result cuDeviceGetCount(int *count) {
  CALL(cuDeviceGetCount);
  *count = 1;
  return 0;
}
EXPORT Result cuDeviceGet(DeviceNumber *out, int ordinal) {
  CALL(cuDeviceGet);
  *out = ordinal;
  return 0;
}
EXPORT Result cuDeviceGetAttribute(int *out, int attribute, DeviceNumber) {
  CALL(cuDeviceGetAttribute);
  *out = int(attribute == computeMajor ? state().arch / 10 : state().arch % 10);
  return 0;
}
EXPORT Result cuDevicePrimaryCtxRetain(ContextHandle **out, DeviceNumber) {
  CALL(cuDevicePrimaryCtxRetain);
  if (Result result = loadCode())
    return result;
  *out = &state().context;
  state().generation += state().contexts++ == 0;
  return 0;
}
EXPORT Result cuDevicePrimaryCtxRelease_v2(DeviceNumber) {
  LOCK;
  --state().contexts;
  FAIL_IF_TOLD(cuDevicePrimaryCtxRelease_v2);
  return 0;
}
EXPORT Result cuCtxPushCurrent_v2(ContextHandle *context) {
  CALL(cuCtxPushCurrent_v2);
  if (context == &state().context && state().contexts == 0)
    return invalidContext;
  contexts.push_back({context, state().generation});
  return 0;
}
EXPORT Result cuCtxPopCurrent_v2(ContextHandle **out) {
  LOCK;
  if (contexts.empty())
    return invalidContext;
  *out = contexts.back().context;
  contexts.pop_back();
  FAIL_IF_TOLD(cuCtxPopCurrent_v2);
  return 0;
}
EXPORT Result cuCtxGetCurrent(ContextHandle **out) {
  *out = contexts.empty() ? nullptr : contexts.back().context;
  return 0;
}
EXPORT Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  CALL_IN_CONTEXT(cuMemGetInfo_v2);
  *total = size_t(1) << 34;
  *free = *total - state().emulator.memory.inUse();
  return 0;
}

EXPORT Result cuMemAlloc_v2(Address *out, size_t bytes) {
  CALL_OUTSIDE_CAPTURE(cuMemAlloc_v2);
  *out = Address(state().emulator.memory.allocate(bytes, "memory"));
  noteMemory();
  if (!*out)
    return outOfMemory;
  state().deviceMemory.insert(*out);
  return 0;
}
EXPORT Result cuMemFree_v2(Address address) {
  LOCK;
  if (!hasContext())
    return invalidContext;
  if (isCapturing())
    return captureUnsupported;
  if (state().stream)
    drain(state().stream); // it waits for the device
  const bool isThere = state().emulator.memory.free(reinterpret_cast<void *>(address));
  state().deviceMemory.erase(address);
  FAIL_IF_TOLD(cuMemFree_v2);
  return isThere ? 0 : invalidValue;
}
EXPORT Result cuMemHostAlloc(void **out, size_t bytes, unsigned flags) {
  CALL_OUTSIDE_CAPTURE(cuMemHostAlloc);
  *out = std::malloc(bytes);
  std::memset(*out, 0xff, bytes);
  state().hostMemory[*out] = {bytes, flags};
  noteMemory();
  return 0;
}
/// From now on kernels may write there.
EXPORT Result cuMemHostGetDevicePointer_v2(Address *out, void *memory, unsigned) {
  CALL_IN_CONTEXT(cuMemHostGetDevicePointer_v2);
  auto found = state().hostMemory.find(memory);
  if (found == state().hostMemory.end() || !(found->second.flags & hostMapped))
    return invalidValue;
  state().emulator.memory.add(memory, found->second.bytes, "host memory");
  *out = Address(memory);
  return 0;
}
EXPORT Result cuMemFreeHost(void *memory) {
  LOCK;
  if (!hasContext())
    return invalidContext;
  if (isCapturing())
    return captureUnsupported;
  if (state().stream)
    drain(state().stream);
  if (state().hostMemory.erase(memory)) {
    state().emulator.memory.remove(memory);
    std::free(memory);
  }
  FAIL_IF_TOLD(cuMemFreeHost);
  return 0;
}
EXPORT Result cuGetErrorName(Result result, const char **out) {
  *out = result == injected         ? "CUDA_ERROR_INJECTED"
         : result == invalidContext ? "CUDA_ERROR_INVALID_CONTEXT"
         : result == invalidValue   ? "CUDA_ERROR_INVALID_VALUE"
         : result == outOfMemory    ? "CUDA_ERROR_OUT_OF_MEMORY"
         : result == noBinaryForGpu ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
         : result == unsupportedPtx ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
                                    : "CUDA_ERROR";
  return 0;
}
EXPORT Result cuGetErrorString(Result, const char **out) {
  *out = "from the stub";
  return 0;
}

EXPORT void llmc_stub_fail_at(uint64_t call) {
  LOCK;
  State &s = state();
  s.calls.clear();
  s.images.clear();
  s.bytesIn = s.mostDevice = s.mostPinned = 0;
  noteMemory();
  s.failAt = call;
  s.hasFailed = false;
}
EXPORT const char *llmc_stub_failed_call() { return state().hasFailed ? state().failedCall : nullptr; }
EXPORT uint64_t llmc_stub_calls() { return state().calls.size(); }
EXPORT const char *llmc_stub_call(uint64_t n) {
  const State &s = state();
  return n - 1 < s.calls.size() ? s.calls[n - 1] : nullptr;
}
EXPORT uint64_t llmc_stub_waits_ahead() { return state().waitsAhead; }
EXPORT uint64_t llmc_stub_bytes_in() { return state().bytesIn; }
EXPORT uint64_t llmc_stub_most_device() { return state().mostDevice; }
EXPORT uint64_t llmc_stub_most_pinned() { return state().mostPinned; }
EXPORT uint64_t llmc_stub_in_use() { return state().emulator.memory.inUse(); }
EXPORT uint64_t llmc_stub_spoil(uint64_t bytes) {
  LOCK;
  uint64_t n = 0;
  for (Address address : state().deviceMemory) {
    const simt::Memory::Region *region = state().emulator.memory.find(address);
    if (region && region->bytes == bytes) {
      memset(reinterpret_cast<void *>(address), 0xff, bytes);
      ++n;
    }
  }
  return n;
}
EXPORT void llmc_stub_limit(uint64_t bytes) { state().emulator.memory.limit = bytes; }
EXPORT void llmc_stub_arch(uint32_t arch) { state().arch = arch; }
EXPORT const char *llmc_stub_images() { return state().images.c_str(); }
EXPORT bool llmc_stub_is_checked() { return state().library && state().library->table().is_instrumented; }
EXPORT void llmc_stub_refuse(const char *words) { state().refused = words; }
EXPORT const char *llmc_stub_last_error() { return state().lastError.c_str(); }
EXPORT uint64_t llmc_stub_left() {
  LOCK;
  State &s = state();
  return s.emulator.memory.allocations() + s.hostMemory.size() +
         uint64_t(s.contexts + s.streams + s.modules + s.graphs + s.events);
}
EXPORT void llmc_stub_give_back() {
  LOCK;
  State &s = state();
  for (Address address : s.deviceMemory)
    s.emulator.memory.free(reinterpret_cast<void *>(address));
  for (const auto &[start, memory] : s.hostMemory) {
    s.emulator.memory.remove(start);
    std::free(start);
  }
  s.deviceMemory.clear();
  s.hostMemory.clear();
  s.stream = nullptr;
  s.streams = s.modules = s.graphs = s.events = 0;
}
