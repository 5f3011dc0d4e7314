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

#include <algorithm>
#include <immintrin.h>
#include <iterator>
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

__attribute__((target("avx2,avxvnni"))) double int8AvxVnni(uint64_t rounds) {
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

__attribute__((target("avx512f,avx512bf16"))) double bf16Avx512(uint64_t rounds) {
  __m512 sum[sums] = {};
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f00), b = (__m512bh)_mm512_set1_epi16(0x3e80);
  for (uint64_t round = 0; round < rounds; ++round)
    for (auto &s : sum) {
      s = _mm512_dpbf16_ps(s, a, b);
      LLMC_KEEP512(s);
    }
  return double(rounds) * sums * 32 * 2;
}

/// Eight tiles of 16 rows and 64 bytes: four sums, two of each factor. All are zero: the speed is that of any
/// numbers.
struct Tiles {
  __attribute__((target("amx-tile"))) Tiles() {
    alignas(64) uint8_t shape[64] = {1}; // palette 1; bytes a row from 16 on, rows from 48 on
    for (int tile = 0; tile < 8; ++tile)
      shape[16 + 2 * tile] = 64, shape[48 + tile] = 16;
    asm volatile("ldtilecfg %0" : : "m"(shape));
    _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
    _tile_zero(4), _tile_zero(5), _tile_zero(6), _tile_zero(7);
  }
  __attribute__((target("amx-tile"))) ~Tiles() { _tile_release(); }
};

__attribute__((target("amx-tile,amx-int8"))) double int8Amx(uint64_t rounds) {
  Tiles tiles;
  for (uint64_t round = 0; round < rounds; ++round)
    _tile_dpbssd(0, 4, 6), _tile_dpbssd(1, 4, 7), _tile_dpbssd(2, 5, 6), _tile_dpbssd(3, 5, 7);
  return double(rounds) * 4 * 16 * 16 * 64 * 2;
}

__attribute__((target("amx-tile,amx-bf16"))) double bf16Amx(uint64_t rounds) {
  Tiles tiles;
  for (uint64_t round = 0; round < rounds; ++round)
    _tile_dpbf16ps(0, 4, 6), _tile_dpbf16ps(1, 4, 7), _tile_dpbf16ps(2, 5, 6), _tile_dpbf16ps(3, 5, 7);
  return double(rounds) * 4 * 16 * 16 * 32 * 2;
}

/// Best first. A variant may use the units of those below it.
constexpr std::string_view variants[] = {"amx-fast", "amx", "avx512-bf16", "avx512", "avx2-vnni", "avx2"};
constexpr struct {
  Arithmetic arithmetic;
  std::string_view variant;
  uint64_t features;
  PeakLoop loop;
} loops[] = {
    {Arithmetic::Int8, "amx", LLMC_CPU_AMX_INT8, {"amxint8", int8Amx}},
    {Arithmetic::BF16, "amx", LLMC_CPU_AMX_BF16, {"amxbf16", bf16Amx}},
    {Arithmetic::Int8, "avx512", LLMC_CPU_AVX512 | LLMC_CPU_AVX512VNNI, {"avx512vnni", int8Avx512}},
    {Arithmetic::BF16, "avx512-bf16", LLMC_CPU_AVX512BF16, {"avx512bf16", bf16Avx512}},
    {Arithmetic::F32, "avx512", LLMC_CPU_AVX512 | LLMC_CPU_AVX512VNNI, {"avx512", f32Avx512}},
    {Arithmetic::Int8, "avx2-vnni", LLMC_CPU_AVX2 | LLMC_CPU_AVXVNNI, {"avxvnni", int8AvxVnni}},
    {Arithmetic::Int8, "avx2", LLMC_CPU_AVX2, {"avx2", int8Avx2}},
    {Arithmetic::F32, "avx2", LLMC_CPU_AVX2, {"avx2", f32Avx2}},
};

} // namespace

PeakLoop peakLoop(Arithmetic arithmetic, std::string_view variant) {
  static const uint64_t features = requestAmx(cpuFeatures());
  const auto *first = std::find(std::begin(variants), std::end(variants), variant);
  for (const auto &row : loops)
    if (row.arithmetic == arithmetic && (features & row.features) == row.features &&
        std::find(first, std::end(variants), row.variant) != std::end(variants))
      return row.loop;
  return {"", nullptr};
}

#else

PeakLoop peakLoop(Arithmetic, std::string_view) { return {"", nullptr}; }

#endif

PeakLoop kernelLoop(Arithmetic arithmetic, std::string_view variant) {
  const bool inTiles = arithmetic == Arithmetic::Int8 && variant.starts_with("amx");
  return peakLoop(inTiles ? Arithmetic::BF16 : arithmetic, variant);
}

} // namespace llmc::cli
