// Messages to the one callback that llmc_set_log installs; without one, nothing is formatted or written.
#pragma once

#include <cstdint>

namespace llmc {

enum LogLevel : int32_t { LogDebug = 0, LogInfo = 1, LogWarning = 2, LogError = 3 };

void log(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));

} // namespace llmc
