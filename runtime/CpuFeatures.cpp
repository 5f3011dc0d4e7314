// cpuid, XCR0 and the AMX permission.
#include "runtime/CpuFeatures.h"

#include "llmc/module_abi.h"

#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace llmc {

#if defined(__x86_64__)
static uint64_t readXcr0() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

uint64_t cpuFeatures() {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  auto has = [](uint32_t reg, int bit) { return (reg >> bit & 1) != 0; };
  bool hasXsave = has(c, 27), hasAvx = has(c, 28), hasFma = has(c, 12), hasF16c = has(c, 29);
  bool hasMovbe = has(c, 22);
  if (!hasXsave || !hasAvx)
    return 0;
  uint64_t xcr0 = readXcr0();
  bool savesYmm = (xcr0 & 0x6) == 0x6, savesZmm = (xcr0 & 0xe6) == 0xe6;
  bool savesTiles = (xcr0 & 0x60000) == 0x60000;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return 0;
  uint32_t a1 = 0, b1, c1, d1;
  if (a < 1 || !__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1))
    a1 = 0;
  uint32_t ax = 0, bx, cx = 0, dx;
  bool hasLzcnt = __get_cpuid(0x80000001u, &ax, &bx, &cx, &dx) && has(cx, 5);

  uint64_t features = 0;
  bool hasV3 = savesYmm && has(b, 5) && has(b, 3) && has(b, 8) && hasFma && hasF16c && hasMovbe && hasLzcnt;
  if (!hasV3)
    return 0;
  features |= LLMC_CPU_AVX2;
  if (has(a1, 4))
    features |= LLMC_CPU_AVXVNNI;
  bool hasV4 = savesZmm && has(b, 16) && has(b, 30) && has(b, 17) && has(b, 31) && has(b, 28);
  if (hasV4) {
    features |= LLMC_CPU_AVX512;
    if (has(c, 11))
      features |= LLMC_CPU_AVX512VNNI;
    if (has(a1, 5))
      features |= LLMC_CPU_AVX512BF16;
    if (has(d, 23))
      features |= LLMC_CPU_AVX512FP16;
  }
  if (savesTiles && has(d, 24)) {
    if (has(d, 25))
      features |= LLMC_CPU_AMX_INT8;
    if (has(d, 22))
      features |= LLMC_CPU_AMX_BF16;
  }
  return features;
}

uint64_t requestAmx(uint64_t features) {
  const uint64_t amx = LLMC_CPU_AMX_INT8 | LLMC_CPU_AMX_BF16;
  const long archReqXcompPerm = 0x1023, tileData = 18;
  if ((features & amx) && syscall(SYS_arch_prctl, archReqXcompPerm, tileData) != 0)
    return features & ~amx;
  return features;
}
#else
uint64_t cpuFeatures() { return 0; }
uint64_t requestAmx(uint64_t features) { return features; }
#endif

std::string cpuFeatureNames(uint64_t features) {
  static const char *const names[] = {"avx2",        "avx512",   "avx512-vnni", "avx-vnni",
                                      "avx512-bf16", "amx-int8", "amx-bf16",    "avx512-fp16"};
  std::string text;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if (!(features >> bit & 1))
      continue;
    if (!text.empty())
      text += ", ";
    text += bit < std::size(names) ? std::string(names[bit]) : "feature " + std::to_string(bit);
  }
  return text;
}

} // namespace llmc
