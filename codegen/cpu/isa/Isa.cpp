//===- Isa.cpp - the table of instruction-set variants --------------------===//
#include "codegen/cpu/isa/Isa.h"

#include "runtime/include/llmc/module_abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

#include <vector>

namespace llmc::cpu {
namespace {

constexpr uint64_t avx512Features = LLMC_CPU_AVX2 | LLMC_CPU_AVX512 | LLMC_CPU_AVX512VNNI,
                   amxFeatures = avx512Features | LLMC_CPU_AVX512FP16 | LLMC_CPU_AMX_BF16;
constexpr char amxTargetFeatures[] = "+avx512vnni,+avx512fp16,+amx-tile,+amx-bf16";
/// From here on decoding weights to bf16 is quicker than multiplying them row by row.
constexpr int64_t fastTileRows = 8;

/// By default for what users may have: those with AVX-512, CPUs with AVX-VNNI alone, and the rest
/// (Rationale.md).
std::vector<Isa> makeIsas() {
  std::vector<Isa> isas = {
      {"amx-fast", "x86-64-v4", amxTargetFeatures, amxFeatures, DotUnit::Vnni, fastTileRows, false, "avx512",
       false},
      {"amx", "x86-64-v4", amxTargetFeatures, amxFeatures, DotUnit::Vnni, 1, false, "avx512", false},
      {"avx512-bf16", "x86-64-v4", "+avx512vnni,+avx512bf16", avx512Features | LLMC_CPU_AVX512BF16,
       DotUnit::Vnni, 0, true, "avx512", false},
      {"avx512", "x86-64-v4", "+avx512vnni", avx512Features, DotUnit::Vnni, 0, false, "", true},
      {"avx2-vnni", "x86-64-v3", "+avxvnni", LLMC_CPU_AVX2 | LLMC_CPU_AVXVNNI, DotUnit::AvxVnni, 0, false,
       "avx2", true},
      {"avx2", "x86-64-v3", "", LLMC_CPU_AVX2, DotUnit::MaddUbs, 0, false, "", true},
  };
  for (Isa &isa : isas)
    isa = tunedFor(isa, otherCpus());
  return isas;
}

} // namespace

Isa tunedFor(const Isa &isa, const CpuFamily &family) {
  Isa tuned = isa;
  tuned.tuning = tuningOf(family, isa.name, isa.base);
  return tuned;
}

llvm::ArrayRef<Isa> allIsas() {
  static const std::vector<Isa> isas = makeIsas();
  return isas;
}

const Isa *isaByName(llvm::StringRef name) {
  for (const Isa &isa : allIsas())
    if (isa.name == name)
      return &isa;
  return nullptr;
}

bool isOffered(const Isa &isa, Wishes wishes) {
  return isa.isDefault || (wishes.isFast && isa.mixesUnits()) || (wishes.usesBF16 && isa.hasBF16Dots);
}

const Isa *bestHere(Wishes wishes) {
  for (const Isa &isa : allIsas())
    if (isOffered(isa, wishes) && runsHere(isa))
      return &isa;
  return nullptr;
}

bool runsHere(const Isa &isa) {
  static const std::pair<uint64_t, const char *> hostNames[] = {{LLMC_CPU_AVX2, "avx2"},
                                                                {LLMC_CPU_AVXVNNI, "avxvnni"},
                                                                {LLMC_CPU_AVX512, "avx512bw"},
                                                                {LLMC_CPU_AVX512VNNI, "avx512vnni"},
                                                                {LLMC_CPU_AVX512BF16, "avx512bf16"},
                                                                {LLMC_CPU_AVX512FP16, "avx512fp16"},
                                                                {LLMC_CPU_AMX_BF16, "amx-bf16"}};
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  return llvm::all_of(
      hostNames, [&](auto &entry) { return !(isa.features & entry.first) || host.lookup(entry.second); });
}

} // namespace llmc::cpu
