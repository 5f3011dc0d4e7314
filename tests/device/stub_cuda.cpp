// A libcuda.so.1 that is none: the driver's functions that the runtime calls, over the emulator. Work on a
// stream is put off until somebody waits for it, and any call can be told to fail.
//
// PTX is not read: a kernel is known by its name among those of the emulator's code.
#include "tests/device/stub_cuda.h"

#include "runtime/device/CudaDriver.h"
#include "runtime/device/simt/Emulator.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <utility>
#include <vector>

using namespace llmc;
using namespace llmc::cuda;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace llmc::cuda {
struct ModuleHandle {};
struct ContextHandle {};
struct FunctionHandle {
  const llmc_simt_code *code;
  const llmc_simt_kernel *kernel;
};
struct GraphHandle {
  std::vector<std::function<Result()>> work;
};
struct GraphExecHandle {
  std::vector<std::function<Result()>> work;
};
struct StreamHandle {
  std::vector<std::function<Result()>> waiting;
  GraphHandle *captured = nullptr;
};
} // namespace llmc::cuda

namespace {

constexpr Result invalidValue = 1, injected = 999, illegalAddress = 700, captureUnsupported = 900,
                 notFound = 500;

struct Stub {
  simt::Emulator emulator;
  simt::Library library;
  ContextHandle context;
  uint64_t calls = 0, failAt = 0;
  bool hasFailed = false;
  const char *failedCall = "";
  std::string lastError;
  std::set<void *> hostMemory;
  std::vector<FunctionHandle *> functions;
  long contexts = 0, streams = 0, modules = 0, graphs = 0;
};

Stub &stub() {
  static Stub &one = *new Stub;
  return one;
}

/// Counts a call; true: this is the one that fails.
bool fails(const char *call) {
  Stub &s = stub();
  if (++s.calls != s.failAt)
    return false;
  s.hasFailed = true;
  s.failedCall = call;
  return true;
}

Result drain(StreamHandle *stream) {
  Result result = 0;
  for (const auto &work : stream->waiting)
    if (!result)
      result = work();
  stream->waiting.clear();
  return result;
}

bool isMemory(Address address, size_t bytes) {
  const simt::Memory::Region *region = stub().emulator.memory.find(address);
  return region && region->holds(address, bytes);
}

StreamHandle *theStream = nullptr;

} // namespace

#define CALL(name)                                                                                           \
  if (fails(#name))                                                                                          \
  return injected

EXPORT Result cuInit(unsigned) {
  CALL(cuInit);
  Stub &s = stub();
  if (const char *code = std::getenv("LLMC_STUB_CODE"); code && !s.library.isLoaded()) {
    if (!s.library.load(code).empty())
      return notFound;
    s.emulator.options.checksBounds = s.emulator.options.checksRaces = true;
    s.emulator.add(s.library);
  }
  return 0;
}
EXPORT Result cuDriverGetVersion(int *version) {
  CALL(cuDriverGetVersion);
  *version = 12040;
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
EXPORT Result cuDeviceGetName(char *name, int bytes, DeviceNumber) {
  CALL(cuDeviceGetName);
  std::strncpy(name, "stub", size_t(bytes));
  return 0;
}
EXPORT Result cuDeviceGetAttribute(int *out, int attribute, DeviceNumber) {
  CALL(cuDeviceGetAttribute);
  *out = attribute == computeMajor ? 9 : 0;
  return 0;
}
EXPORT Result cuDevicePrimaryCtxRetain(ContextHandle **out, DeviceNumber) {
  CALL(cuDevicePrimaryCtxRetain);
  *out = &stub().context;
  ++stub().contexts;
  return 0;
}
EXPORT Result cuDevicePrimaryCtxRelease_v2(DeviceNumber) {
  --stub().contexts;
  CALL(cuDevicePrimaryCtxRelease_v2);
  return 0;
}
EXPORT Result cuCtxSetCurrent(ContextHandle *) {
  CALL(cuCtxSetCurrent);
  return 0;
}
EXPORT Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  CALL(cuMemGetInfo_v2);
  *total = size_t(1) << 34;
  *free = *total - stub().emulator.memory.inUse();
  return 0;
}
EXPORT Result cuModuleLoadDataEx(ModuleHandle **out, const void *image, unsigned, int *, void **) {
  CALL(cuModuleLoadDataEx);
  if (!std::strstr(static_cast<const char *>(image), ".visible .entry"))
    return invalidValue;
  *out = new ModuleHandle;
  ++stub().modules;
  return 0;
}
EXPORT Result cuModuleUnload(ModuleHandle *module) {
  delete module;
  --stub().modules;
  CALL(cuModuleUnload);
  return 0;
}
EXPORT Result cuModuleGetFunction(FunctionHandle **out, ModuleHandle *, const char *name) {
  CALL(cuModuleGetFunction);
  const llmc_simt_library &table = stub().library.table();
  for (uint32_t i = 0; i < table.n_codes; ++i)
    if (const llmc_simt_kernel *kernel = simt::findKernel(*table.codes[i], name)) {
      *out = stub().functions.emplace_back(new FunctionHandle{table.codes[i], kernel});
      return 0;
    }
  return notFound;
}
EXPORT Result cuMemAlloc_v2(Address *out, size_t bytes) {
  CALL(cuMemAlloc_v2);
  *out = Address(stub().emulator.memory.allocate(bytes, "memory"));
  return *out ? 0 : outOfMemory;
}
EXPORT Result cuMemFree_v2(Address address) {
  if (theStream)
    drain(theStream); // it waits for the device
  const bool isThere = stub().emulator.memory.free(reinterpret_cast<void *>(address));
  CALL(cuMemFree_v2);
  return isThere ? 0 : invalidValue;
}
EXPORT Result cuMemHostAlloc(void **out, size_t bytes, unsigned) {
  CALL(cuMemHostAlloc);
  *out = std::malloc(bytes);
  stub().hostMemory.insert(*out);
  return 0;
}
EXPORT Result cuMemFreeHost(void *memory) {
  if (theStream)
    drain(theStream);
  if (stub().hostMemory.erase(memory))
    std::free(memory);
  CALL(cuMemFreeHost);
  return 0;
}
/// Queues work on device memory. Nothing that the stub serves does so while a graph is recorded.
static Result onMemory(StreamHandle *stream, Address memory, size_t bytes, std::function<Result()> work) {
  if (stream->captured || !isMemory(memory, bytes))
    return stream->captured ? captureUnsupported : invalidValue;
  stream->waiting.push_back(std::move(work));
  return 0;
}
EXPORT Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, StreamHandle *stream) {
  CALL(cuMemcpyHtoDAsync_v2);
  return onMemory(stream, to, bytes, [=] {
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    return 0;
  });
}
EXPORT Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, StreamHandle *stream) {
  CALL(cuMemcpyDtoHAsync_v2);
  return onMemory(stream, from, bytes, [=] {
    std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
    return 0;
  });
}
EXPORT Result cuMemsetD8Async(Address to, unsigned char value, size_t bytes, StreamHandle *stream) {
  CALL(cuMemsetD8Async);
  return onMemory(stream, to, bytes, [=] {
    std::memset(reinterpret_cast<void *>(to), value, bytes);
    return 0;
  });
}
EXPORT Result cuStreamCreate(StreamHandle **out, unsigned) {
  CALL(cuStreamCreate);
  *out = theStream = new StreamHandle;
  ++stub().streams;
  return 0;
}
EXPORT Result cuStreamDestroy_v2(StreamHandle *stream) {
  drain(stream);
  delete stream;
  theStream = nullptr;
  --stub().streams;
  CALL(cuStreamDestroy_v2);
  return 0;
}
EXPORT Result cuStreamSynchronize(StreamHandle *stream) {
  CALL(cuStreamSynchronize);
  return stream->captured ? captureUnsupported : drain(stream);
}
EXPORT Result cuLaunchKernel(FunctionHandle *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                             unsigned by, unsigned bz, unsigned sharedBytes, StreamHandle *stream,
                             void **params, void **) {
  CALL(cuLaunchKernel);
  // All parameters of our kernels are addresses; they are read now, as the driver does.
  std::vector<Address> values;
  for (uint32_t i = 0; i < function->kernel->n_params; ++i)
    values.push_back(*static_cast<Address *>(params[i]));
  auto work = [=]() mutable -> Result {
    std::vector<void *> places;
    for (Address &value : values)
      places.push_back(&value);
    Stub &s = stub();
    s.lastError = s.emulator.launch(
        {function->code, function->kernel, {gx, gy, gz}, {bx, by, bz}, sharedBytes, places.data()},
        s.library.table().is_instrumented);
    return s.lastError.empty() ? 0 : illegalAddress;
  };
  (stream->captured ? stream->captured->work : stream->waiting).push_back(work);
  return 0;
}
EXPORT Result cuStreamBeginCapture_v2(StreamHandle *stream, unsigned) {
  CALL(cuStreamBeginCapture_v2);
  stream->captured = new GraphHandle;
  ++stub().graphs;
  return 0;
}
EXPORT Result cuStreamEndCapture(StreamHandle *stream, GraphHandle **out) {
  GraphHandle *graph = std::exchange(stream->captured, nullptr);
  if (fails("cuStreamEndCapture")) {
    delete graph;
    --stub().graphs;
    return injected;
  }
  *out = graph;
  return graph ? 0 : invalidValue;
}
EXPORT Result cuGraphInstantiateWithFlags(GraphExecHandle **out, GraphHandle *graph, unsigned long long) {
  CALL(cuGraphInstantiateWithFlags);
  *out = new GraphExecHandle{graph->work};
  ++stub().graphs;
  return 0;
}
EXPORT Result cuGraphLaunch(GraphExecHandle *graph, StreamHandle *stream) {
  CALL(cuGraphLaunch);
  stream->waiting.insert(stream->waiting.end(), graph->work.begin(), graph->work.end());
  return 0;
}
EXPORT Result cuGraphExecDestroy(GraphExecHandle *graph) {
  delete graph;
  --stub().graphs;
  CALL(cuGraphExecDestroy);
  return 0;
}
EXPORT Result cuGraphDestroy(GraphHandle *graph) {
  delete graph;
  --stub().graphs;
  CALL(cuGraphDestroy);
  return 0;
}
EXPORT Result cuGetErrorName(Result result, const char **out) {
  *out = result == injected      ? "CUDA_ERROR_INJECTED"
         : result == outOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY"
                                 : "CUDA_ERROR";
  return 0;
}
EXPORT Result cuGetErrorString(Result, const char **out) {
  *out = "from the stub";
  return 0;
}

EXPORT void llmc_stub_fail_at(uint64_t call) {
  Stub &s = stub();
  s.calls = 0;
  s.failAt = call;
  s.hasFailed = false;
}
EXPORT const char *llmc_stub_failed_call() { return stub().hasFailed ? stub().failedCall : nullptr; }
EXPORT void llmc_stub_limit(uint64_t bytes) { stub().emulator.memory.limit = bytes; }
EXPORT const char *llmc_stub_last_error() { return stub().lastError.c_str(); }
EXPORT uint64_t llmc_stub_left() {
  Stub &s = stub();
  return s.emulator.memory.allocations() + s.hostMemory.size() +
         uint64_t(s.contexts + s.streams + s.modules + s.graphs);
}
