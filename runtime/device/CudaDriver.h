// libcuda.so.1, loaded where it is there: the functions of the driver's API that we call, with prototypes of
// our own, so that no toolkit is needed to build and no driver to run on the CPU.
#pragma once

#include "runtime/Error.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace llmc::cuda {

using Result = int; // 0: well
using DeviceNumber = int;
using Address = uint64_t;
struct ContextHandle;
struct ModuleHandle;
struct FunctionHandle;
struct StreamHandle;
struct GraphHandle;
struct GraphExecHandle;
struct EventHandle;

constexpr Result outOfMemory = 2;
constexpr int computeMajor = 75, computeMinor = 76;  ///< attributes of a device
constexpr unsigned captureOfThread = 1;              ///< calls of other threads do not end a capture
constexpr unsigned hostPortable = 1, hostMapped = 2; ///< memory of the host for all contexts, and for kernels
constexpr unsigned eventWithoutTime = 2;

/// Name in the library, then result and parameters. cuda.h calls some of them by shorter names.
#define LLMC_CUDA_FUNCTIONS(X)                                                                               \
  X(cuInit, (unsigned flags))                                                                                \
  X(cuDriverGetVersion, (int *version))                                                                      \
  X(cuDeviceGetCount, (int *count))                                                                          \
  X(cuDeviceGet, (DeviceNumber * out, int ordinal))                                                          \
  X(cuDeviceGetAttribute, (int *out, int attribute, DeviceNumber device))                                    \
  X(cuDevicePrimaryCtxRetain, (ContextHandle * *out, DeviceNumber device))                                   \
  X(cuDevicePrimaryCtxRelease_v2, (DeviceNumber device))                                                     \
  X(cuCtxPushCurrent_v2, (ContextHandle * context))                                                          \
  X(cuCtxPopCurrent_v2, (ContextHandle * *out))                                                              \
  X(cuMemGetInfo_v2, (size_t *free, size_t *total))                                                          \
  X(cuModuleLoadDataEx, (ModuleHandle * *out, const void *image, unsigned n, int *options, void **values))   \
  X(cuModuleUnload, (ModuleHandle * module))                                                                 \
  X(cuModuleGetFunction, (FunctionHandle * *out, ModuleHandle * module, const char *name))                   \
  X(cuMemAlloc_v2, (Address * out, size_t bytes))                                                            \
  X(cuMemFree_v2, (Address address))                                                                         \
  X(cuMemHostAlloc, (void **out, size_t bytes, unsigned flags))                                              \
  X(cuMemFreeHost, (void *memory))                                                                           \
  X(cuMemHostGetDevicePointer_v2, (Address * out, void *memory, unsigned flags))                             \
  X(cuMemcpyHtoDAsync_v2, (Address to, const void *from, size_t bytes, StreamHandle *stream))                \
  X(cuMemcpyDtoHAsync_v2, (void *to, Address from, size_t bytes, StreamHandle *stream))                      \
  X(cuMemsetD8Async, (Address to, unsigned char value, size_t bytes, StreamHandle *stream))                  \
  X(cuStreamCreate, (StreamHandle * *out, unsigned flags))                                                   \
  X(cuStreamDestroy_v2, (StreamHandle * stream))                                                             \
  X(cuStreamSynchronize, (StreamHandle * stream))                                                            \
  X(cuEventCreate, (EventHandle * *out, unsigned flags))                                                     \
  X(cuEventRecord, (EventHandle * event, StreamHandle * stream))                                             \
  X(cuEventSynchronize, (EventHandle * event))                                                               \
  X(cuEventDestroy_v2, (EventHandle * event))                                                                \
  X(cuLaunchKernel, (FunctionHandle * function, unsigned gridX, unsigned gridY, unsigned gridZ,              \
                     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,                \
                     StreamHandle *stream, void **params, void **extra))                                     \
  X(cuStreamBeginCapture_v2, (StreamHandle * stream, unsigned mode))                                         \
  X(cuStreamEndCapture, (StreamHandle * stream, GraphHandle * *out))                                         \
  X(cuGraphInstantiateWithFlags, (GraphExecHandle * *out, GraphHandle * graph, unsigned long long flags))    \
  X(cuGraphLaunch, (GraphExecHandle * graph, StreamHandle * stream))                                         \
  X(cuGraphExecDestroy, (GraphExecHandle * graph))                                                           \
  X(cuGraphDestroy, (GraphHandle * graph))                                                                   \
  X(cuGetErrorName, (Result result, const char **out))                                                       \
  X(cuGetErrorString, (Result result, const char **out))

struct Driver {
#define LLMC_CUDA_DECLARE(name, parameters) Result(*name) parameters = nullptr;
  LLMC_CUDA_FUNCTIONS(LLMC_CUDA_DECLARE)
#undef LLMC_CUDA_DECLARE
  int version = 0; ///< 12040 is 12.4
};

/// The driver, loaded and started once a process. Null: out says why not; a later call tries again.
const Driver *driver(std::string &why);

/// "CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)".
std::string resultText(const Driver &driver, Result result);

} // namespace llmc::cuda
