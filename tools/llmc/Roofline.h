//===- Roofline.h - what this machine can do at most ------------*- C++ -*-===//
//
// Read bandwidth of memory and the peak rate of float32 and int8 arithmetic, measured by small loops in about
// a second, with the units of the CPU that kernels use (LLMC_CPU as for a model.so).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_ROOFLINE_H
#define LLMC_TOOLS_LLMC_ROOFLINE_H

#include <cstdint>

namespace llmc::cli {

struct Roofline {
  double readGBs = 0;               // 1e9 bytes a second; 0: there was no memory to measure with
  double f32Gops = 0, int8Gops = 0; // 1e9 additions and multiplications a second; 0: no such unit is known
  const char *f32Unit = "", *int8Unit = "";
  uint64_t cacheBytes = 0; // of the last level; 0: not known
};

Roofline measureRoofline(uint32_t threads);

/// One loop of arithmetic: runs `rounds` times and returns how many operations that were.
struct PeakLoop {
  const char *unit; // "avx512vnni", …
  double (*run)(uint64_t rounds);
};
/// The quickest loop that this CPU can run; `run` is null if there is none.
PeakLoop f32Loop();
PeakLoop int8Loop();

} // namespace llmc::cli
#endif
