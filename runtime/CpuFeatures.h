// What this CPU and its operating system can run, in the bits of module_abi.h.
#pragma once

#include <cstdint>
#include <string>

namespace llmc {

/// LLMC_CPU_* bits of features that cpuid reports and whose registers the system saves (XCR0).
uint64_t cpuFeatures();

/// AMX tiles need the system's permission, once a process. Returns `features`, without the AMX bits if
/// refused.
uint64_t requestAmx(uint64_t features);

/// "avx2, avx512-vnni"; bits without a name as "feature 17".
std::string cpuFeatureNames(uint64_t features);

} // namespace llmc
