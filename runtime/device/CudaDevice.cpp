// CUDA through its driver: the primary context of a device, one stream, memory as the driver gives it.
#include "runtime/device/CudaDriver.h"
#include "runtime/device/Devices.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <vector>

namespace llmc {
namespace {

using namespace cuda;

class CudaCode final : public DeviceCode {
public:
  struct Launch {
    FunctionHandle *function = nullptr;
    uint32_t threads = 0;
  };
  explicit CudaCode(const Driver &driver) : driver(driver) {}
  ~CudaCode() override {
    for (ModuleHandle *module : modules)
      driver.cuModuleUnload(module);
  }
  const Driver &driver;
  std::vector<ModuleHandle *> modules;
  std::vector<Launch> launches;
};

class CudaGraph final : public DeviceGraph {
public:
  CudaGraph(const Driver &driver, GraphExecHandle *exec) : driver(driver), exec(exec) {}
  ~CudaGraph() override { driver.cuGraphExecDestroy(exec); }
  const Driver &driver;
  GraphExecHandle *exec;
};

class CudaMark final : public DeviceMark {
public:
  CudaMark(const Driver &driver, EventHandle *event) : driver(driver), event(event) {}
  ~CudaMark() override { driver.cuEventDestroy_v2(event); }
  const Driver &driver;
  EventHandle *event;
};

class CudaDevice final : public Device {
public:
  CudaDevice(const Driver &driver, int ordinal)
      : Device(std::string(cudaDevice) + ":" + std::to_string(ordinal)), driver(driver), ordinal(ordinal) {}
  ~CudaDevice() override;
  llmc_status open();

  llmc_status allocate(uint64_t bytes, const char *what, DeviceAddress &out) override;
  void free(DeviceAddress address) override { driver.cuMemFree_v2(address); }
  llmc_status allocateHost(uint64_t bytes, void *&out) override {
    return done(driver.cuMemHostAlloc(&out, bytes, hostPortable | hostMapped), "cuMemHostAlloc");
  }
  llmc_status map(void *memory, uint64_t, const char *, DeviceAddress &out) override {
    return done(driver.cuMemHostGetDevicePointer_v2(&out, memory, 0), "cuMemHostGetDevicePointer");
  }
  void freeHost(void *memory) override { driver.cuMemFreeHost(memory); }
  llmc_status copyIn(DeviceAddress to, const void *from, uint64_t bytes) override {
    return done(driver.cuMemcpyHtoDAsync_v2(to, from, bytes, stream), "cuMemcpyHtoDAsync");
  }
  llmc_status copyOut(void *to, DeviceAddress from, uint64_t bytes) override {
    return done(driver.cuMemcpyDtoHAsync_v2(to, from, bytes, stream), "cuMemcpyDtoHAsync");
  }
  llmc_status clear(DeviceAddress address, uint64_t bytes) override {
    return done(driver.cuMemsetD8Async(address, 0, bytes, stream), "cuMemsetD8Async");
  }
  llmc_status load(const llmc_device &program, const char *path, const KernelProgress &progress,
                   std::unique_ptr<DeviceCode> &out) override;
  llmc_status launch(const DeviceCode &code, uint32_t number, Grid grid, DeviceAddress step,
                     DeviceAddress args) override;
  llmc_status synchronize() override {
    return done(driver.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }
  llmc_status newMark(std::unique_ptr<DeviceMark> &out) override;
  llmc_status set(DeviceMark &mark) override {
    return done(driver.cuEventRecord(static_cast<CudaMark &>(mark).event, stream), "cuEventRecord");
  }
  llmc_status wait(DeviceMark &mark) override {
    return done(driver.cuEventSynchronize(static_cast<CudaMark &>(mark).event), "cuEventSynchronize");
  }
  llmc_status beginCapture() override {
    return done(driver.cuStreamBeginCapture_v2(stream, captureOfThread), "cuStreamBeginCapture");
  }
  llmc_status endCapture(std::unique_ptr<DeviceGraph> &out) override;
  llmc_status replay(DeviceGraph &graph) override {
    return done(driver.cuGraphLaunch(static_cast<CudaGraph &>(graph).exec, stream), "cuGraphLaunch");
  }

private:
  llmc_status enter() override { return done(driver.cuCtxPushCurrent_v2(context), "cuCtxPushCurrent"); }
  void leave() override {
    ContextHandle *own;
    driver.cuCtxPopCurrent_v2(&own);
  }
  llmc_status done(Result result, const char *call) {
    if (!result)
      return LLMC_OK;
    return setError(result == outOfMemory ? LLMC_ENOMEM : LLMC_EIO, "%s: %s: %s", name(), call,
                    resultText(driver, result).c_str());
  }
  std::vector<const llmc_device_image *> imagesFor(const llmc_device &program, uint32_t kernel) const;
  llmc_status loadImage(const llmc_device_image &image, const char *entry, ModuleHandle *&out);

  const Driver &driver;
  int ordinal;
  DeviceNumber device = 0;
  uint32_t arch = 0; ///< 80 for sm_80
  ContextHandle *context = nullptr;
  StreamHandle *stream = nullptr;
};

CudaDevice::~CudaDevice() {
  if (stream) {
    DeviceUse use(*this);
    driver.cuStreamDestroy_v2(stream);
  }
  if (context)
    driver.cuDevicePrimaryCtxRelease_v2(device);
}

llmc_status CudaDevice::open() {
  if (llmc_status status = done(driver.cuDeviceGet(&device, ordinal), "cuDeviceGet"))
    return status;
  int major = 0, minor = 0;
  if (llmc_status status =
          done(driver.cuDeviceGetAttribute(&major, computeMajor, device), "cuDeviceGetAttribute"))
    return status;
  if (llmc_status status =
          done(driver.cuDeviceGetAttribute(&minor, computeMinor, device), "cuDeviceGetAttribute"))
    return status;
  arch = uint32_t(major * 10 + minor);
  if (llmc_status status =
          done(driver.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain"))
    return status;
  DeviceUse use(*this);
  if (llmc_status status = use.status())
    return status;
  return done(driver.cuStreamCreate(&stream, 1 /* not behind the default stream */), "cuStreamCreate");
}

llmc_status CudaDevice::allocate(uint64_t bytes, const char *what, DeviceAddress &out) {
  const Result result = driver.cuMemAlloc_v2(&out, bytes);
  if (result != outOfMemory)
    return done(result, "cuMemAlloc");
  size_t free = 0, total = 0;
  driver.cuMemGetInfo_v2(&free, &total);
  return setError(LLMC_ENOMEM, "%s: no memory for %s (%llu MB, %zu of %zu MB are free)", name(), what,
                  (unsigned long long)bytes >> 20, free >> 20, total >> 20);
}

/// What may run here, best first: machine code made for this very device, then PTX, each from the one made
/// for just this architecture to the oldest. A driver may be older than what an image was made with, but not
/// than all of them.
std::vector<const llmc_device_image *> CudaDevice::imagesFor(const llmc_device &program,
                                                             uint32_t kernel) const {
  std::vector<const llmc_device_image *> found;
  auto rank = [](const llmc_device_image *image) {
    return std::tuple(image->kind == LLMC_IMAGE_CUBIN, image->arch, image->is_exact);
  };
  for (uint64_t i = 0; i < program.n_images; ++i) {
    const llmc_device_image &image = program.images[i];
    const bool runs = image.kind == LLMC_IMAGE_CUBIN ? image.arch / 10 == arch / 10 && image.arch <= arch
                                                     : image.kind == LLMC_IMAGE_PTX && image.arch <= arch;
    if (image.kernel == kernel && runs && (!image.is_exact || image.arch == arch))
      found.push_back(&image);
  }
  std::ranges::sort(found, std::greater(), rank);
  return found;
}

/// PTX is compiled by the driver, which keeps what it has made.
llmc_status CudaDevice::loadImage(const llmc_device_image &image, const char *entry, ModuleHandle *&out) {
  constexpr int errorLog = 5, errorLogBytes = 6; // CU_JIT_ERROR_LOG_BUFFER, ..._SIZE_BYTES
  char words[512] = "";
  int options[] = {errorLog, errorLogBytes};
  void *values[] = {words, reinterpret_cast<void *>(uintptr_t(sizeof words - 1))};
  const Result result = driver.cuModuleLoadDataEx(&out, image.data, 2, options, values);
  if (!result)
    return LLMC_OK;
  const std::string_view line = std::string_view(words).substr(0, std::string_view(words).find('\n'));
  return setError(result == outOfMemory ? LLMC_ENOMEM : LLMC_EIO, "%s: cuModuleLoadDataEx: %s: %s%s%.*s",
                  name(), entry, resultText(driver, result).c_str(), line.empty() ? "" : ": ",
                  int(line.size()), line.data());
}

llmc_status CudaDevice::load(const llmc_device &program, const char *path, const KernelProgress &progress,
                             std::unique_ptr<DeviceCode> &out) {
  auto code = std::make_unique<CudaCode>(driver);
  code->launches.resize(program.n_launches);
  const uint32_t n = program.program->n_kernels;
  for (uint32_t i = 0; i < n; ++i) {
    if (!progress(i, n))
      return setError(LLMC_ECANCELLED, "%s: cancelled while its kernels were compiled", path);
    const llmc_device_kernel &kernel = program.kernels[i];
    const char *entry = program.launches[kernel.first_launch].entry;
    const std::vector<const llmc_device_image *> images = imagesFor(program, i);
    if (images.empty())
      return setError(LLMC_EABI, "%s: its kernel '%s' cannot run on %s, which is sm_%u", path, entry, name(),
                      arch);
    ModuleHandle *module = nullptr;
    llmc_status status = LLMC_OK;
    for (const llmc_device_image *image : images)
      if (status = loadImage(*image, entry, module); status == LLMC_OK || status == LLMC_ENOMEM)
        break;
    if (status != LLMC_OK)
      return status;
    code->modules.push_back(module);
    for (uint32_t j = kernel.first_launch; j < kernel.first_launch + kernel.n_launches; ++j) {
      const llmc_device_launch &launch = program.launches[j];
      if (llmc_status status =
              done(driver.cuModuleGetFunction(&code->launches[j].function, module, launch.entry),
                   "cuModuleGetFunction"))
        return status;
      code->launches[j].threads = launch.threads;
    }
  }
  out = std::move(code);
  return LLMC_OK;
}

llmc_status CudaDevice::launch(const DeviceCode &code, uint32_t number, Grid grid, DeviceAddress step,
                               DeviceAddress args) {
  const CudaCode::Launch &launch = static_cast<const CudaCode &>(code).launches[number];
  void *params[] = {&step, &args};
  return done(driver.cuLaunchKernel(launch.function, grid.x, grid.y, grid.z, launch.threads, 1, 1, 0, stream,
                                    params, nullptr),
              "cuLaunchKernel");
}

llmc_status CudaDevice::newMark(std::unique_ptr<DeviceMark> &out) {
  EventHandle *event = nullptr;
  if (llmc_status status = done(driver.cuEventCreate(&event, eventWithoutTime), "cuEventCreate"))
    return status;
  out = std::make_unique<CudaMark>(driver, event);
  return LLMC_OK;
}

llmc_status CudaDevice::endCapture(std::unique_ptr<DeviceGraph> &out) {
  GraphHandle *graph = nullptr;
  if (llmc_status status = done(driver.cuStreamEndCapture(stream, &graph), "cuStreamEndCapture"))
    return status;
  GraphExecHandle *exec = nullptr;
  const Result result = driver.cuGraphInstantiateWithFlags(&exec, graph, 0);
  driver.cuGraphDestroy(graph);
  if (llmc_status status = done(result, "cuGraphInstantiateWithFlags"))
    return status;
  out = std::make_unique<CudaGraph>(driver, exec);
  return LLMC_OK;
}

} // namespace

uint32_t countCuda() {
  std::string why;
  int count = 0;
  const cuda::Driver *driver = cuda::driver(why);
  return driver && driver->cuDeviceGetCount(&count) == 0 && count > 0 ? uint32_t(count) : 0;
}

static llmc_status findCuda(int ordinal, const cuda::Driver *&driver) {
  std::string why;
  driver = cuda::driver(why);
  if (!driver)
    return setError(LLMC_EABI, "cuda:%d: %s", ordinal, why.c_str());
  int count = 0;
  if (Result result = driver->cuDeviceGetCount(&count))
    return setError(LLMC_EABI, "cuda:%d: cuDeviceGetCount: %s", ordinal,
                    cuda::resultText(*driver, result).c_str());
  if (ordinal >= count)
    return setError(LLMC_EABI, "cuda:%d: there is no such device, only %d", ordinal, count);
  return LLMC_OK;
}

llmc_status checkCuda(const DeviceOptions &options) {
  const cuda::Driver *driver;
  return findCuda(options.ordinal, driver);
}

llmc_status openCuda(const DeviceOptions &options, const char *, std::unique_ptr<Device> &out) {
  const cuda::Driver *driver;
  if (llmc_status status = findCuda(options.ordinal, driver))
    return status;
  auto device = std::make_unique<CudaDevice>(*driver, options.ordinal);
  if (llmc_status status = device->open())
    return status;
  out = std::move(device);
  return LLMC_OK;
}

} // namespace llmc
