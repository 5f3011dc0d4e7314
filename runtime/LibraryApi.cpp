// The library functions of the C API: versions, names, devices.
#include "runtime/Error.h"
#include "runtime/device/Devices.h"

#include <cstdlib>
#include <cstring>

using namespace llmc;

uint32_t llmc_abi_version(void) { return LLMC_ABI_VERSION; }

const char *llmc_version_string(void) { return LLMC_VERSION; }

const char *llmc_status_name(llmc_status status) {
  static const char *const names[] = {"LLMC_OK",        "LLMC_ECANCELLED",   "LLMC_ENOSPC_KV", "LLMC_EARG",
                                      "LLMC_ENOTFOUND", "LLMC_EFORMAT",      "LLMC_EIO",       "LLMC_ENOMEM",
                                      "LLMC_EABI",      "LLMC_EUNSUPPORTED", "LLMC_ESTATE",    "LLMC_EBUSY",
                                      "LLMC_EINTERNAL"};
  return status >= 0 && size_t(status) < std::size(names) ? names[status] : "LLMC_E?";
}

const char *llmc_last_error(void) { return lastError(); }

void llmc_free(void *pointer) { free(pointer); }

llmc_status llmc_device_count(size_t *out) {
  LLMC_CHECK_ARG(out);
  return guarded([&]() -> llmc_status {
    *out = deviceNames().size();
    return LLMC_OK;
  });
}

static llmc_status copyDeviceName(size_t i, char *buf, size_t cap, size_t *n_needed) {
  const std::vector<std::string> names = deviceNames();
  if (i >= names.size())
    return setError(LLMC_ENOTFOUND, "llmc_device_name: there is no device %zu, only %zu", i, names.size());
  size_t needed = names[i].size() + 1;
  if (n_needed)
    *n_needed = needed;
  if (!buf && cap == 0)
    return LLMC_OK;
  if (!buf)
    return setError(LLMC_EARG, "llmc_device_name: 'buf' is null");
  if (cap < needed)
    return setError(LLMC_EARG, "llmc_device_name: 'cap' is %zu, %zu needed", cap, needed);
  memcpy(buf, names[i].c_str(), needed);
  return LLMC_OK;
}

llmc_status llmc_device_name(size_t i, char *buf, size_t cap, size_t *n_needed) {
  return guarded([&] { return copyDeviceName(i, buf, cap, n_needed); });
}

llmc_status llmc_device_check(const char *name) {
  return guarded([&]() -> llmc_status {
    if (!name || strcmp(name, anyDevice) == 0)
      return LLMC_OK;
    const DeviceKind *kind;
    DeviceOptions options;
    if (llmc_status status = findDeviceKind("llmc_device_check", name, kind, options))
      return status;
    return kind->check ? kind->check(options) : llmc_status(LLMC_OK);
  });
}
