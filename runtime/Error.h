// The thread's last error: every failing call of the C API passes through setError, and no exception passes
// the C border because every entry point that may allocate runs inside guarded().
#pragma once

#include "llmc/llmc.h"

#include <new>
#include <stdexcept>

namespace llmc {

/// Stores the sentence for llmc_last_error() and returns `status`, so that a failure is one return statement.
llmc_status setError(llmc_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *lastError();

/// Runs `body` and turns exceptions into a status.
template <typename Body> llmc_status guarded(Body &&body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return setError(LLMC_ENOMEM, "out of memory");
  } catch (const std::length_error &) {
    return setError(LLMC_ENOMEM, "out of memory");
  } catch (const std::exception &error) {
    return setError(LLMC_EINTERNAL, "internal error: %s", error.what());
  } catch (...) {
    return setError(LLMC_EINTERNAL, "internal error");
  }
}

} // namespace llmc

/// First lines of an entry point: a null argument is a status, never a crash.
#define LLMC_CHECK_ARG(pointer)                                                                              \
  do {                                                                                                       \
    if (!(pointer))                                                                                          \
      return llmc::setError(LLMC_EARG, "%s: '%s' is null", __func__, #pointer);                              \
  } while (false)
