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

#include <immintrin.h>
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

__attribute__((target("avxvnni"))) double int8AvxVnni(uint64_t rounds) {
  __m256i sum[sums] = {}, a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  for (uint64_t round = 0; round < rounds; ++round)
    for (auto &s : sum) {
      s = _mm256_dpbusd_avx_epi32(s, a, b);
      LLMC_KEEP(s);
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

struct alignas(64) TileShapes {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {};
  uint8_t rows[16] = {};
};

__attribute__((target("amx-tile,amx-int8"))) double int8Amx(uint64_t rounds) {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) {
    shapes.rowBytes[tile] = 64;
    shapes.rows[tile] = 16;
  }
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (uint64_t round = 0; round < rounds; ++round) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
  return double(rounds) * 4 * 16 * 16 * 64 * 2;
}

bool has(uint64_t features) { return (cpuFeatures() & features) == features; }

} // namespace

PeakLoop f32Loop() {
  if (has(LLMC_CPU_AVX512))
    return {"avx512", f32Avx512};
  if (has(LLMC_CPU_AVX2))
    return {"avx2", f32Avx2};
  return {"", nullptr};
}

PeakLoop int8Loop() {
  if (requestAmx(cpuFeatures()) & LLMC_CPU_AMX_INT8)
    return {"amx", int8Amx};
  if (has(LLMC_CPU_AVX512VNNI))
    return {"avx512vnni", int8Avx512};
  if (has(LLMC_CPU_AVXVNNI))
    return {"avxvnni", int8AvxVnni};
  if (has(LLMC_CPU_AVX2))
    return {"avx2", int8Avx2};
  return {"", nullptr};
}

#else

PeakLoop f32Loop() { return {"", nullptr}; }
PeakLoop int8Loop() { return {"", nullptr}; }

#endif

} // namespace llmc::cli
