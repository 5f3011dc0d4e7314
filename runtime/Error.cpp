// The thread-local error text. A fixed buffer: reporting that memory ran out must not allocate.
#include "runtime/Error.h"

#include <cstdarg>
#include <cstdio>

namespace llmc {

static thread_local char errorText[2048];

llmc_status setError(llmc_status status, const char *format, ...) {
  // Formatted aside, because an argument may be the previous error itself.
  char text[sizeof(errorText)];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  __builtin_memcpy(errorText, text, sizeof(text));
  return status;
}

const char *lastError() { return errorText; }

} // namespace llmc
