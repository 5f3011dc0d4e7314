// The tables of code for other devices than the CPU, checked as those of the module are (ModuleTables.cpp).
#include "runtime/Error.h"
#include "runtime/Module.h"
#include "runtime/Workspace.h"

#include <algorithm>
#include <cstring>

namespace llmc {

namespace {

constexpr uint32_t mostDevices = 16, mostThreads = 1024, warp = 32, mostBlocks = 1u << 16,
                   mostLaunches = 1u << 20, mostLaunchesOfKernel = 64, mostCandidates = 1024,
                   mostSamplingBytes = 1u << 24;

llmc_status fail(const char *name, const llmc_device &device, const char *table, uint64_t index,
                 const char *field, uint64_t value, const char *expected) {
  return setError(LLMC_EFORMAT, "%s: module table: device '%s': %s %llu: '%s' is %llu, expected %s", name,
                  device.name, table, (unsigned long long)index, field, (unsigned long long)value, expected);
}

llmc_status checkLaunch(const llmc_device &device, uint32_t number, const char *name) {
  const llmc_device_launch &launch = device.launches[number];
  auto wrong = [&](const char *field, uint64_t value, const char *expected) {
    return fail(name, device, "launch", number, field, value, expected);
  };
  if (!launch.entry || !*launch.entry)
    return wrong("entry", 0, "the name of a symbol");
  if (launch.threads == 0 || launch.threads > mostThreads || launch.threads % warp)
    return wrong("threads", launch.threads, "a multiple of 32, at most 1024");
  if (launch.blocks == 0 || launch.blocks > INT32_MAX)
    return wrong("blocks", launch.blocks, "1 to 2147483647");
  if (launch.min_rows > launch.max_rows)
    return wrong("min_rows", launch.min_rows, "at most max_rows");
  if (launch.rows_per_block && (launch.max_row_blocks == 0 || launch.max_row_blocks >= mostBlocks))
    return wrong("max_row_blocks", launch.max_row_blocks, "1 to 65535");
  if (launch.keys_per_block && (launch.max_key_blocks == 0 || launch.max_key_blocks >= mostBlocks))
    return wrong("max_key_blocks", launch.max_key_blocks, "1 to 65535");
  return LLMC_OK;
}

llmc_status checkKernel(const llmc_device &device, uint32_t number, const char *name) {
  const llmc_device_kernel &kernel = device.kernels[number];
  auto wrong = [&](const char *field, uint64_t value, const char *expected) {
    return fail(name, device, "kernel", number, field, value, expected);
  };
  if (kernel.n_launches == 0 || kernel.n_launches > mostLaunchesOfKernel ||
      kernel.first_launch > device.n_launches || kernel.n_launches > device.n_launches - kernel.first_launch)
    return wrong("n_launches", kernel.n_launches, "1 to 64, and all of them among those of the device");
  for (uint64_t rows = 1; rows <= UINT32_MAX;) { // no step may leave the kernel out
    uint64_t next = rows;
    for (uint32_t i = 0; i < kernel.n_launches; ++i)
      if (const llmc_device_launch &launch = device.launches[kernel.first_launch + i];
          launch.min_rows <= rows)
        next = std::max(next, uint64_t(launch.max_rows) + 1);
    if (next == rows)
      return wrong("n_launches", kernel.n_launches, "one for every number of rows");
    rows = next;
  }
  if (!hasScratch(device.program->kernels[number]))
    return LLMC_OK;
  if (kernel.common_per_row || kernel.common_per_row_key)
    return wrong("common_per_row", kernel.common_per_row, "no common memory in a kernel with scratch");
  for (uint32_t i = 0; i < kernel.n_launches; ++i)
    if (const llmc_device_launch &launch = device.launches[kernel.first_launch + i];
        launch.blocks != 1 || launch.keys_per_block)
      return fail(name, device, "launch", kernel.first_launch + i, "blocks", launch.blocks,
                  "1, and no blocks of keys, in a kernel with scratch");
  return LLMC_OK;
}

llmc_status checkImages(const llmc_device &device, const char *name) {
  uint32_t last = 0;
  for (uint64_t i = 0; i < device.n_images; ++i) {
    const llmc_device_image &image = device.images[i];
    auto wrong = [&](const char *field, uint64_t value, const char *expected) {
      return fail(name, device, "image", i, field, value, expected);
    };
    if (image.kernel >= device.program->n_kernels || image.kernel < last)
      return wrong("kernel", image.kernel, "the number of a kernel, in ascending order");
    if (image.kind < LLMC_IMAGE_PTX || image.kind > LLMC_IMAGE_BITCODE)
      return wrong("kind", image.kind, "PTX, cubin or bitcode (1 to 3)");
    if (!image.data || !image.size)
      return wrong("size", image.size, "bytes with an address");
    if (image.kind == LLMC_IMAGE_PTX && static_cast<const char *>(image.data)[image.size])
      return wrong("size", image.size, "a text that ends in a NUL");
    last = image.kernel;
  }
  return LLMC_OK;
}

llmc_status checkSampling(const llmc_device &device, const char *name) {
  const llmc_device_sampling &sampling = device.sampling;
  auto wrong = [&](const char *field, uint64_t value, const char *expected) {
    return fail(name, device, "sampling", 0, field, value, expected);
  };
  if (!sampling.most)
    return LLMC_OK;
  constexpr uint64_t lanes = LLMC_SAMPLING_SUM_LANES, columns = LLMC_SAMPLING_SUM_COLUMNS;
  if (sampling.most > mostCandidates)
    return wrong("most", sampling.most, "at most 1024");
  if (sampling.kernel >= device.program->n_kernels)
    return wrong("kernel", sampling.kernel, "the number of a kernel");
  if (sampling.n_sums != (device.program->vocab + columns - 1) / columns * lanes)
    return wrong("n_sums", sampling.n_sums, "16 for each 1024 logits");
  const uint64_t used = sampling.most * sizeof(llmc_candidate) + sampling.n_sums * sizeof(float);
  if (sampling.row_bytes < used || sampling.row_bytes % 8 || sampling.row_bytes > mostSamplingBytes)
    return wrong("row_bytes", sampling.row_bytes, "room for candidates and sums, a multiple of 8");
  if (sampling.work_bytes % 8 || sampling.work_bytes > mostSamplingBytes)
    return wrong("work_bytes", sampling.work_bytes, "a multiple of 8, at most 16777216");
  return LLMC_OK;
}

} // namespace

llmc_status checkDeviceTables(const llmc_module &module, uint64_t weightsSize, const char *name) {
  if (module.n_devices > mostDevices)
    return setError(LLMC_EFORMAT, "%s: module table: 'n_devices' is %u, expected at most %u", name,
                    module.n_devices, mostDevices);
  for (uint32_t i = 0; i < module.n_devices; ++i) {
    const llmc_device &device = module.devices[i];
    if (!device.name || !device.program || (device.program->n_kernels && !device.kernels) ||
        (device.n_launches && !device.launches) || (device.n_images && !device.images))
      return setError(LLMC_EFORMAT, "%s: module table: device %u has no name, no program or no kernels", name,
                      i);
    if (device.program != &module) {
      if (device.program->n_devices || device.program->n_variants)
        return setError(LLMC_EFORMAT,
                        "%s: module table: device '%s': its program has devices or CPU variants of its own",
                        name, device.name);
      if (llmc_status status = checkModuleTables(*device.program, weightsSize, name))
        return status;
    }
    if (device.n_launches > mostLaunches)
      return setError(LLMC_EFORMAT,
                      "%s: module table: device '%s': 'n_launches' is %llu, expected at most %u", name,
                      device.name, (unsigned long long)device.n_launches, mostLaunches);
    for (uint32_t k = 0; k < device.n_launches; ++k)
      if (llmc_status status = checkLaunch(device, k, name))
        return status;
    for (uint32_t k = 0; k < device.program->n_kernels; ++k)
      if (llmc_status status = checkKernel(device, k, name))
        return status;
    if (llmc_status status = checkImages(device, name))
      return status;
    if (llmc_status status = checkSampling(device, name))
      return status;
  }
  return LLMC_OK;
}

} // namespace llmc
