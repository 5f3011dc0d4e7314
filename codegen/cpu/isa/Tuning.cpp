//===- Tuning.cpp - the table of sizes -------------------------------------===//
//
// "generic" was measured on Emerald Rapids, but for coded floats, "zen4" on Zen 4; Rationale.md says what is
// behind the differences.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Tuning.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/TargetParser/Host.h"

namespace llmc::cpu {
namespace {

constexpr int one[] = {1}, two[] = {2, 1}, four[] = {4, 2, 1}, rows4[] = {4, 3, 2, 1}, rows6[] = {6, 3, 2, 1},
              rows8[] = {8, 4, 2, 1};
constexpr int64_t kib = 1 << 10;

constexpr CpuFamily families[] = {{"zen4", "znver4", true}, {"generic", "", false}};

struct Row {
  llvm::StringRef family, variant;
  Tuning tuning;
};
// clang-format off
constexpr Row rows[] = {
    //                          single  several rows  floats   prefetching             activations  attention  tiles  coded
    {"generic", "amx-fast",    {four,  rows6, 2,  rows6, 2,  64 * kib, 2048, 1, true,   1024 * kib,  0, 16,  512,  400 * kib}},
    {"generic", "amx",         {four,  rows6, 2,  rows6, 2,  64 * kib, 2048, 1, true,   1024 * kib,  0, 16,  512,  400 * kib}},
    {"generic", "avx512",      {four,  rows6, 2,  rows6, 2,  64 * kib, 2048, 1, true,   512 * kib,   0, 16,  0,    400 * kib}},
    {"generic", "avx2-vnni",   {four,  rows4, 1,  rows4, 1,  64 * kib, 4096, 1, true,   256 * kib,   0, 6,   0,    128 * kib}},
    {"generic", "avx2",        {four,  two,   1,  rows4, 1,  64 * kib, 4096, 1, true,   256 * kib,   0, 6,   0,    128 * kib}},
    {"zen4",    "avx512",      {one,   rows8, 1,  rows6, 2,  0,        8192, 2, false,  512 * kib,   2, 16,  0,    400 * kib}},
    {"zen4",    "avx2",        {one,   four,  1,  rows4, 1,  0,        8192, 2, true,   256 * kib,   2, 6,   0,    128 * kib}},
};
// clang-format on

const Row *find(llvm::StringRef family, llvm::StringRef variant) {
  const Row *row =
      llvm::find_if(rows, [&](const Row &row) { return row.family == family && row.variant == variant; });
  return row == std::end(rows) ? nullptr : row;
}

} // namespace

llvm::ArrayRef<CpuFamily> allFamilies() { return families; }

const CpuFamily *familyByName(llvm::StringRef name) {
  for (const CpuFamily &family : families)
    if (family.name == name)
      return &family;
  return nullptr;
}

const CpuFamily &otherCpus() { return std::end(families)[-1]; }

const CpuFamily &familyHere() {
  llvm::StringRef cpu = llvm::sys::getHostCPUName();
  for (const CpuFamily &family : families)
    if (family.cpu == cpu)
      return family;
  return otherCpus();
}

const Tuning &tuningOf(const CpuFamily &family, llvm::StringRef variant, llvm::StringRef base) {
  const Row *row = nullptr;
  for (llvm::StringRef name : {variant, base})
    for (llvm::StringRef of : {family.name, otherCpus().name})
      row = row ? row : find(of, name);
  return row->tuning;
}

} // namespace llmc::cpu
