//===- Roofline.h - what this machine can do at most ------------*- C++ -*-===//
//
// Read bandwidth of memory and the peak rate of float32 and int8 arithmetic, measured by small loops in about
// a second, with the units of the CPU that kernels of a variant use.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_ROOFLINE_H
#define LLMC_TOOLS_LLMC_ROOFLINE_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace llmc::cli {

struct Roofline {
  double readGBs = 0;               // 1e9 bytes a second; 0: there was no memory to measure with
  double f32Gops = 0, int8Gops = 0; // 1e9 additions and multiplications a second; 0: no such unit is known
  const char *f32Unit = "", *int8Unit = "";
  uint64_t cacheBytes = 0; // of the last level; 0: not known
  /// Of what runs the model something is known; not of devices.
  bool isKnown() const { return readGBs || f32Gops || int8Gops; }
};

/// With the units that a variant's kernels use.
Roofline measureRoofline(uint32_t threads, std::string_view variant);

/// One loop of arithmetic: runs `rounds` times and returns how many operations that were.
struct PeakLoop {
  const char *unit; // "avx512vnni", …
  double (*run)(uint64_t rounds);
};
enum class Arithmetic { F32, BF16, Int8 };
/// The quickest loop of the units that kernels of a variant ("avx2", "avx512", …) may use on this CPU;
/// `run` is null if there is none.
PeakLoop peakLoop(Arithmetic, std::string_view variant);
/// The one of kernels with int8 activations: what they could do is the yardstick, not what a unit could that
/// none of them uses. Those for tiles multiply bf16.
PeakLoop int8KernelLoop(std::string_view variant);

/// 1e9 operations a second on all threads; 0 if there is no loop.
double measurePeak(const PeakLoop &, uint32_t threads);
/// 1e9 bytes a second on all threads; 0 if there was no memory to measure with.
double measureRead(uint32_t threads);
/// Loops that read words as fast as they can and return their sum (but for the last n % 32 words); which is
/// the quicker depends on the CPU.
using ReadLoop = uint64_t (*)(const uint64_t *words, size_t n);
extern const ReadLoop readLoops[2];

} // namespace llmc::cli
#endif
