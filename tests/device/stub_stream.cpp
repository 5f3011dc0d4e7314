// The stub's streams and graphs: work is put off until somebody waits for it.
#include "tests/device/StubDriver.h"

#include "tests/device/stub_cuda.h"

#include <atomic>
#include <cstring>
#include <utility>

using namespace llmc;
using namespace llmc::cuda;
using namespace llmc::stub;

static std::atomic<void (*)()> whenWaiting = nullptr;
EXPORT void llmc_stub_when_waiting(void (*told)()) { whenWaiting = told; }

bool stub::isCapturing() {
  StreamHandle *stream = state().stream;
  if (!stream || !stream->captured)
    return false;
  stream->captured->isInvalid = true;
  return true;
}

Result stub::drain(StreamHandle *stream, const EventHandle *event) {
  Result result = 0;
  while (!stream->waiting.empty() && !(event && event->isReached)) {
    const auto work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    if (result = work(); result)
      stream->waiting.clear();
  }
  return result;
}

static bool isMemory(Address address, size_t bytes) {
  const simt::Memory::Region *region = state().emulator.memory.find(address);
  return region && region->holds(address, bytes);
}

static bool isHostMemory(const void *memory, size_t bytes) {
  const auto &all = state().hostMemory;
  auto after = all.upper_bound(const_cast<void *>(memory));
  if (after == all.begin())
    return false;
  const auto &[start, its] = *std::prev(after);
  const size_t offset = size_t(static_cast<const uint8_t *>(memory) - static_cast<uint8_t *>(start));
  return offset <= its.bytes && bytes <= its.bytes - offset;
}

static void enqueue(StreamHandle *stream, std::function<Result()> work) {
  if (stream->captured)
    stream->captured->work.push_back(std::move(work));
  else
    stream->waiting.push_back(std::move(work));
}

/// Queues or records work on device memory.
static Result onMemory(StreamHandle *stream, Address memory, size_t bytes, std::function<Result()> work) {
  if (!isMemory(memory, bytes))
    return invalidValue;
  enqueue(stream, std::move(work));
  return 0;
}
EXPORT Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, StreamHandle *stream) {
  CALL_OUTSIDE_CAPTURE(cuMemcpyHtoDAsync_v2);
  state().bytesIn += bytes;
  return onMemory(stream, to, bytes, [=] {
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    return 0;
  });
}
EXPORT Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, StreamHandle *stream) {
  LOCK;
  if (fails("cuMemcpyDtoHAsync_v2")) {
    isCapturing();
    return injected;
  }
  if (!hasContext())
    return invalidContext;
  if (stream->captured && !isHostMemory(to, bytes))
    return invalidValue;
  return onMemory(stream, from, bytes, [=] {
    std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
    return 0;
  });
}
EXPORT Result cuMemsetD8Async(Address to, unsigned char value, size_t bytes, StreamHandle *stream) {
  CALL_OUTSIDE_CAPTURE(cuMemsetD8Async);
  return onMemory(stream, to, bytes, [=] {
    std::memset(reinterpret_cast<void *>(to), value, bytes);
    return 0;
  });
}
EXPORT Result cuStreamCreate(StreamHandle **out, unsigned) {
  CALL_OUTSIDE_CAPTURE(cuStreamCreate);
  state().handles.push_back(*out = state().stream = new StreamHandle);
  ++state().streams;
  return 0;
}
EXPORT Result cuStreamDestroy_v2(StreamHandle *stream) {
  LOCK;
  if (!hasContext())
    return invalidContext;
  drain(stream);
  delete stream;
  state().stream = nullptr;
  --state().streams;
  FAIL_IF_TOLD(cuStreamDestroy_v2);
  return 0;
}
EXPORT Result cuStreamSynchronize(StreamHandle *stream) {
  CALL_OUTSIDE_CAPTURE(cuStreamSynchronize);
  return drain(stream);
}
EXPORT Result cuEventCreate(EventHandle **out, unsigned) {
  CALL_IN_CONTEXT(cuEventCreate);
  state().handles.push_back(*out = new EventHandle);
  ++state().events;
  return 0;
}
EXPORT Result cuEventRecord(EventHandle *event, StreamHandle *stream) {
  CALL_OUTSIDE_CAPTURE(cuEventRecord);
  event->isReached = false;
  stream->waiting.push_back([event] {
    event->isReached = true;
    return 0;
  });
  return 0;
}
/// Threads do so while others use the device, and one of them may be recording.
EXPORT Result cuEventSynchronize(EventHandle *event) {
  if (void (*told)() = whenWaiting)
    told();
  CALL_IN_CONTEXT(cuEventSynchronize);
  if (state().stream->capturer == std::this_thread::get_id() && isCapturing())
    return captureUnsupported;
  const Result result = drain(state().stream, event);
  state().waitsAhead += !state().stream->waiting.empty();
  return result || event->isReached ? result : illegalState;
}
EXPORT Result cuEventDestroy_v2(EventHandle *event) {
  LOCK;
  if (!hasContext())
    return invalidContext;
  if (state().stream)
    drain(state().stream); // a driver waits until nobody needs it
  delete event;
  --state().events;
  FAIL_IF_TOLD(cuEventDestroy_v2);
  return 0;
}
EXPORT Result cuLaunchKernel(FunctionHandle *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                             unsigned by, unsigned bz, unsigned sharedBytes, StreamHandle *stream,
                             void **params, void **) {
  LOCK;
  if (fails("cuLaunchKernel")) {
    isCapturing(); // what was being recorded cannot be used
    return injected;
  }
  if (!hasContext())
    return invalidContext;
  if (!gx || !gy || !gz || gx > INT32_MAX || gy > UINT16_MAX || gz > UINT16_MAX || !bx || !by || !bz ||
      bz > 64 || uint64_t(bx) * by * bz > 1024 || sharedBytes > 48u << 10)
    return invalidValue;
  // All parameters of our kernels are addresses; they are read now, as the driver does.
  std::vector<Address> values;
  for (uint32_t i = 0; i < function->kernel->n_params; ++i)
    values.push_back(*static_cast<Address *>(params[i]));
  auto work = [=]() mutable -> Result {
    std::vector<void *> places;
    for (Address &value : values)
      places.push_back(&value);
    State &s = state();
    s.lastError = s.emulator.launch(
        {function->code, function->kernel, {gx, gy, gz}, {bx, by, bz}, sharedBytes, places.data()},
        s.library->table().is_instrumented);
    return s.lastError.empty() ? 0 : illegalAddress;
  };
  enqueue(stream, std::move(work));
  return 0;
}
EXPORT Result cuStreamBeginCapture_v2(StreamHandle *stream, unsigned) {
  CALL_IN_CONTEXT(cuStreamBeginCapture_v2);
  if (stream->captured)
    return illegalState;
  stream->captured = new GraphHandle;
  stream->capturer = std::this_thread::get_id();
  ++state().graphs;
  return 0;
}
EXPORT Result cuStreamEndCapture(StreamHandle *stream, GraphHandle **out) {
  LOCK;
  GraphHandle *graph = std::exchange(stream->captured, nullptr);
  const Result result = fails("cuStreamEndCapture") ? injected
                        : !hasContext()             ? invalidContext
                        : !graph                    ? illegalState
                        : graph->isInvalid          ? captureInvalidated
                                                    : 0;
  *out = result ? nullptr : graph;
  if (result && graph) {
    delete graph;
    --state().graphs;
  }
  return result;
}
EXPORT Result cuGraphInstantiateWithFlags(GraphExecHandle **out, GraphHandle *graph, unsigned long long) {
  CALL_IN_CONTEXT(cuGraphInstantiateWithFlags);
  *out = new GraphExecHandle{graph->work};
  ++state().graphs;
  return 0;
}
EXPORT Result cuGraphLaunch(GraphExecHandle *graph, StreamHandle *stream) {
  CALL_OUTSIDE_CAPTURE(cuGraphLaunch);
  stream->waiting.insert(stream->waiting.end(), graph->work.begin(), graph->work.end());
  stream->waiting.push_back([held = graph->launches] { return 0; });
  return 0;
}
/// Not every driver says what becomes of one that is under way: it stays, and shows in what is left.
EXPORT Result cuGraphExecDestroy(GraphExecHandle *graph) {
  LOCK;
  if (graph->launches.use_count() > 1)
    return illegalState;
  delete graph;
  --state().graphs;
  FAIL_IF_TOLD(cuGraphExecDestroy);
  return 0;
}
EXPORT Result cuGraphDestroy(GraphHandle *graph) {
  LOCK;
  delete graph;
  --state().graphs;
  FAIL_IF_TOLD(cuGraphDestroy);
  return 0;
}
