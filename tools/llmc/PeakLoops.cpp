//===- PeakLoops.cpp - loops that do nothing but multiply and add ---------===//
//
// Each keeps as many sums running as the latency of the unit asks for, all in registers. The functions are
// compiled for their unit and called only where cpuid has it.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Roofline.h"

#if defined(__x86_64__)
#include "runtime/CpuFeatures.h"

#include "llmc/module_abi.h"

#include <cstdlib>
#include <immintrin.h>
#include <string_view>
#endif

namespace llmc::cli {

#if defined(__x86_64__)
namespace {

constexpr int sums = 12;

/// Makes the compiler believe that a value is used and may have changed.
#define LLMC_KEEP(value) asm volatile("" : "+x"(value))
#define LLMC_KEEP512(value) asm volatile("" : "+v"(value))

__attribute__((target("avx2,fma"))) double f32Avx2(uint64_t rounds) {
  __m256 sum[sums] = {}, factor = _mm256_set1_ps(0.5f);
  for (uint64_t round = 0; round < rounds; ++round)
    for (auto &s : sum) {
      s = _mm256_fmadd_ps(s, factor, factor);
      LLMC_KEEP(s);
    }
  return double(rounds) * sums * 8 * 2;
}

__attribute__((target("avx512f"))) double f32Avx512(uint64_t rounds) {
  __m512 sum[sums] = {}, factor = _mm512_set1_ps(0.5f);
  for (uint64_t round = 0; round < rounds; ++round)
    for (auto &s : sum) {
      s = _mm512_fmadd_ps(s, factor, factor);
      LLMC_KEEP512(s);
    }
  return double(rounds) * sums * 16 * 2;
}

/// Without a dot product of its own: multiply and add pairs of bytes, then pairs of the sums, then add.
__attribute__((target("avx2"))) double int8Avx2(uint64_t rounds) {
  __m256i sum[sums] = {}, a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
  for (uint64_t round = 0; round < rounds; ++round) {
    LLMC_KEEP(a);
    for (auto &s : sum) {
      s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
      LLMC_KEEP(s);
    }
  }
  return double(rounds) * sums * 32 * 2;
}

__attribute__((target("avx512f,avx512vnni"))) double int8Avx512(uint64_t rounds) {
  __m512i sum[sums] = {}, a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (uint64_t round = 0; round < rounds; ++round)
    for (auto &s : sum) {
      s = _mm512_dpbusd_epi32(s, a, b);
      LLMC_KEEP512(s);
    }
  return double(rounds) * sums * 64 * 2;
}

bool has(uint64_t features) { return (cpuFeatures() & features) == features; }

/// Whether a model.so would run its AVX-512 kernels: what they could do is the yardstick, not what a unit
/// could that no kernel uses.
bool takesAvx512() {
  const char *forced = getenv("LLMC_CPU");
  return has(LLMC_CPU_AVX512 | LLMC_CPU_AVX512VNNI) &&
         (!forced || !*forced || std::string_view(forced) == "avx512");
}

} // namespace

PeakLoop f32Loop() {
  if (takesAvx512())
    return {"avx512", f32Avx512};
  if (has(LLMC_CPU_AVX2))
    return {"avx2", f32Avx2};
  return {"", nullptr};
}

PeakLoop int8Loop() {
  if (takesAvx512())
    return {"avx512vnni", int8Avx512};
  if (has(LLMC_CPU_AVX2))
    return {"avx2", int8Avx2};
  return {"", nullptr};
}

#else

PeakLoop f32Loop() { return {"", nullptr}; }
PeakLoop int8Loop() { return {"", nullptr}; }

#endif

} // namespace llmc::cli
