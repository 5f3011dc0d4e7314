// The thread's error text. It hangs on a pthread key rather than a thread_local variable, which in a shared
// library would add the dynamic linker to the libraries that libllmc.so needs.
#include "runtime/Error.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>

namespace llmc {

namespace {

const size_t capacity = 2048;

struct ErrorKey {
  ErrorKey() { isMade = pthread_key_create(&key, free) == 0; }
  // At unload threads may still run: their next exit must not call into what is gone.
  ~ErrorKey() {
    if (isMade) {
      free(pthread_getspecific(key));
      pthread_key_delete(key);
    }
  }
  pthread_key_t key;
  bool isMade;
};
ErrorKey errorKey;

} // namespace

llmc_status setError(llmc_status status, const char *format, ...) {
  // Formatted aside, because an argument may be the previous error itself.
  char formatted[capacity];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(formatted, sizeof(formatted), format, arguments);
  va_end(arguments);
  if (!errorKey.isMade)
    return status;
  auto *text = static_cast<char *>(pthread_getspecific(errorKey.key));
  if (!text) {
    text = static_cast<char *>(malloc(capacity));
    if (!text || pthread_setspecific(errorKey.key, text) != 0) {
      free(text);
      return status;
    }
  }
  memcpy(text, formatted, sizeof(formatted));
  return status;
}

const char *lastError() {
  const char *text = errorKey.isMade ? static_cast<const char *>(pthread_getspecific(errorKey.key)) : nullptr;
  return text ? text : "";
}

} // namespace llmc
