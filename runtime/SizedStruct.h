// Structs of the C API start with struct_size, so that a caller built against an older or newer header works:
// fields that the caller does not know keep their defaults, fields that we do not know must be zero.
#pragma once

#include "runtime/Error.h"

#include <algorithm>
#include <cstring>

namespace llmc {

/// For the _init functions: zeroes the caller's struct and sets the defaults that fit in it.
template <typename T> void initSized(T *out, size_t structSize, T defaults) {
  if (!out || structSize < sizeof(size_t))
    return;
  memset(static_cast<void *>(out), 0, structSize);
  memcpy(static_cast<void *>(out), &defaults, std::min(structSize, sizeof(T)));
  memcpy(static_cast<void *>(out), &structSize, sizeof(structSize));
}

/// Reads a caller's struct over `out`, which holds the defaults; null leaves the defaults.
template <typename T> llmc_status readSized(const char *function, const T *in, T &out) {
  if (!in)
    return LLMC_OK;
  size_t size = 0;
  memcpy(&size, in, sizeof(size));
  if (size < sizeof(size_t) || size > 65536)
    return setError(LLMC_EARG, "%s: struct_size is %zu: fill the struct with its _init function first",
                    function, size);
  const auto *bytes = reinterpret_cast<const unsigned char *>(in);
  for (size_t i = sizeof(T); i < size; ++i)
    if (bytes[i])
      return setError(LLMC_EARG,
                      "%s: the struct has %zu bytes and uses fields beyond the %zu that this version knows",
                      function, size, sizeof(T));
  memcpy(static_cast<void *>(&out), in, std::min(size, sizeof(T)));
  out.struct_size = sizeof(T);
  return LLMC_OK;
}

/// Writes a result struct whose struct_size the caller has set; the size itself stays.
template <typename T> llmc_status writeSized(const char *function, const T &value, T *out) {
  size_t size = 0;
  memcpy(&size, out, sizeof(size));
  if (size < sizeof(size_t) || size > 65536)
    return setError(LLMC_EARG, "%s: struct_size is %zu: set it to the size of the struct first", function,
                    size);
  auto *to = reinterpret_cast<unsigned char *>(out);
  const auto *from = reinterpret_cast<const unsigned char *>(&value);
  memset(to + sizeof(size_t), 0, size - sizeof(size_t));
  memcpy(to + sizeof(size_t), from + sizeof(size_t), std::min(size, sizeof(T)) - sizeof(size_t));
  return LLMC_OK;
}

} // namespace llmc
