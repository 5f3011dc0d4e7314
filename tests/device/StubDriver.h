// What the parts of the stub of libcuda.so.1 share: its state, and what every call begins with.
#pragma once

#include "runtime/device/CudaDriver.h"
#include "runtime/device/simt/Emulator.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

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
  bool isInvalid = false; ///< a call was made that no graph can hold
};
struct GraphExecHandle {
  std::vector<std::function<Result()>> work;
  std::shared_ptr<char> launches = std::make_shared<char>(); ///< each that is not done holds it, too
};
struct EventHandle {
  bool isReached = false;
};
struct StreamHandle {
  std::deque<std::function<Result()>> waiting;
  GraphHandle *captured = nullptr;
  std::thread::id capturer;
};
} // namespace llmc::cuda

namespace llmc::stub {

using cuda::Address, cuda::Result;

constexpr Result invalidValue = 1, invalidContext = 201, noBinaryForGpu = 209, unsupportedPtx = 222,
                 illegalState = 401, notFound = 500, illegalAddress = 700, captureUnsupported = 900,
                 captureInvalidated = 901, injected = 999;

struct State {
  std::recursive_mutex mutex; ///< held in every call
  simt::Emulator emulator;
  std::string code;                       ///< the file of `library`
  std::unique_ptr<simt::Library> library; ///< null: kernels are named, and none can run
  cuda::ContextHandle context;
  std::vector<const char *> calls; ///< what was called since failAt was set
  uint64_t failAt = 0;
  bool hasFailed = false;
  const char *failedCall = "";
  std::string lastError, refused;
  uint32_t arch = 90;
  std::string images; ///< that were tried since failAt was set
  struct HostMemory {
    size_t bytes;
    unsigned flags;
  };
  std::map<void *, HostMemory> hostMemory;
  uint64_t bytesIn = 0; ///< copied to the device
  uint64_t mostDevice = 0, mostPinned = 0;
  uint64_t waitsAhead = 0;
  std::vector<cuda::FunctionHandle *> functions;
  std::vector<const void *> handles; ///< all there were: what nobody gives back is no leak of the stub's
  std::set<cuda::Address> deviceMemory;
  cuda::StreamHandle *stream = nullptr;
  long contexts = 0, streams = 0, modules = 0, graphs = 0, events = 0;
  uint64_t generation = 0; ///< of the context: it goes with its last user, and the next one is another
};

State &state();

/// Notes how much memory is in use.
void noteMemory();

/// Takes the code that LLMC_STUB_CODE names. While somebody uses the device it stays the same.
cuda::Result loadCode();

/// Counts a call; true: this is the one that fails.
bool fails(const char *call);

/// This thread's current context is the device's, and it is still there.
bool hasContext();

/// Done by a thread that records a graph, such a call makes the graph invalid.
bool isCapturing();

/// Does what waits on the stream, up to an event if there is one.
Result drain(cuda::StreamHandle *stream, const cuda::EventHandle *event = nullptr);

} // namespace llmc::stub

#define LOCK const std::lock_guard stubLock(llmc::stub::state().mutex)
/// One call of many fails when it is told to: here those that have done their work nevertheless.
#define FAIL_IF_TOLD(name)                                                                                   \
  if (llmc::stub::fails(#name))                                                                              \
  return llmc::stub::injected
#define CALL(name)                                                                                           \
  LOCK;                                                                                                      \
  FAIL_IF_TOLD(name)
/// Those of a context fail where there is none.
#define CALL_IN_CONTEXT(name)                                                                                \
  CALL(name);                                                                                                \
  if (!llmc::stub::hasContext())                                                                             \
  return llmc::stub::invalidContext
/// Those that no graph can hold fail while one is recorded.
#define CALL_OUTSIDE_CAPTURE(name)                                                                           \
  CALL_IN_CONTEXT(name);                                                                                     \
  if (llmc::stub::isCapturing())                                                                             \
  return llmc::stub::captureUnsupported
