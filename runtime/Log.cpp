// The process-wide log callback. Calls are serialized, so a callback needs no lock of its own.
#include "runtime/Log.h"

#include "llmc/llmc.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

namespace {
std::mutex logMutex;
llmc_log_fn logCallback = nullptr;
void *logUserData = nullptr;
/// The thread that is in the callback, if any. What it calls is not logged: that would call the callback
/// again, or wait for itself. (Not a thread_local flag: see Error.cpp.)
std::atomic<std::thread::id> caller;
/// Read before the lock is taken: without a callback a message costs one load.
std::atomic<int32_t> logMinLevel{INT32_MAX};
} // namespace

void llmc::log(LogLevel level, const char *format, ...) {
  if (level < logMinLevel.load(std::memory_order_relaxed) ||
      caller.load(std::memory_order_relaxed) == std::this_thread::get_id())
    return;
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  std::lock_guard lock(logMutex);
  if (!logCallback)
    return;
  caller = std::this_thread::get_id();
  logCallback(level, text, strlen(text), logUserData);
  caller = std::thread::id();
}

void llmc_set_log(llmc_log_fn callback, void *ud, int32_t min_level) {
  std::lock_guard lock(logMutex);
  logCallback = callback;
  logUserData = ud;
  logMinLevel.store(callback ? min_level : INT32_MAX, std::memory_order_relaxed);
}
