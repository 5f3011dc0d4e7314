//===- Roofline.h - what this machine can do at most ------------*- C++ -*-===//
//
// Read bandwidth of memory and the peak rate of float32 and int8 arithmetic, measured by small loops in about
// a second, with the units of the CPU that kernels of a variant use.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_ROOFLINE_H
#define LLMC_TOOLS_LLMC_ROOFLINE_H

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace llmc::cli {

enum class Arithmetic { F32, BF16, Int8 };
inline constexpr Arithmetic allArithmetic[] = {Arithmetic::F32, Arithmetic::BF16, Arithmetic::Int8};
/// "f32", "bf16", "int8".
constexpr const char *nameOf(Arithmetic arithmetic) {
  return std::array{"f32", "bf16", "int8"}[size_t(arithmetic)];
}

/// The peak rate of a unit of the CPU.
struct Peak {
  const char *unit = ""; // "avx512vnni", …
  double gops = 0;       // 1e9 additions and multiplications a second; 0: no such unit is known
};

struct Roofline {
  double readGBs = 0; // 1e9 bytes a second; 0: there was no memory to measure with
  std::array<Peak, 3> peaks;
  uint64_t cacheBytes = 0; // of the last level; 0: not known
  Peak &of(Arithmetic arithmetic) { return peaks[size_t(arithmetic)]; }
  const Peak &of(Arithmetic arithmetic) const { return peaks[size_t(arithmetic)]; }
  /// What kernels of an arithmetic multiply in: f32 where bf16 has no unit of its own.
  Arithmetic unitFor(Arithmetic arithmetic) const {
    return arithmetic == Arithmetic::BF16 && !of(arithmetic).gops ? Arithmetic::F32 : arithmetic;
  }
  const Peak &limit(Arithmetic arithmetic) const { return of(unitFor(arithmetic)); }
  /// Of what runs the model something is known; not of devices.
  bool isKnown() const {
    return readGBs || std::ranges::any_of(peaks, [](const Peak &peak) { return peak.gops > 0; });
  }
};

/// With the units that a variant's kernels use.
Roofline measureRoofline(uint32_t threads, std::string_view variant);

/// One loop of arithmetic: runs `rounds` times and returns how many operations that were.
struct PeakLoop {
  const char *unit; // "avx512vnni", …
  double (*run)(uint64_t rounds);
};
/// The quickest loop of the units that kernels of a variant ("avx2", "avx512", …) may use on this CPU;
/// `run` is null if there is none.
PeakLoop peakLoop(Arithmetic, std::string_view variant);
/// The one of kernels with activations of that arithmetic: what they could do is the yardstick, not what a
/// unit could that none of them uses. Those for tiles multiply int8 as bf16.
PeakLoop kernelLoop(Arithmetic, std::string_view variant);

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
