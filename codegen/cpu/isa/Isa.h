//===- Isa.h - the instruction-set variants of CPU kernels ------*- C++ -*-===//
//
// A variant is one value: what the backend may use, how a CPU is recognized, the dot unit of int8 products,
// and the sizes of tiles (Tuning.h). Sizes change speed only; every variant has one arithmetic for all of
// them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_ISA_ISA_H
#define LLMC_CODEGEN_CPU_ISA_ISA_H

#include "codegen/cpu/isa/Tuning.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace llmc::cpu {

/// How 16 rows x 4 columns of int8 weights meet 4 int8 activations. Both are exact for every input.
enum class DotUnit {
  MaddUbs, // 16-bit pairs (vpmaddubsw, with the signs moved to the activation where weights are signed),
           // widened to 32
  AvxVnni, // vpdpbusd on 32 bytes; signed weights are biased by 128
  Vnni     // the same on 64 bytes
};
/// Bytes of the vectors that a unit works on: a panel's quad of 64 bytes is one of them, or two.
constexpr int64_t vectorBytes(DotUnit unit) { return unit == DotUnit::Vnni ? 64 : 32; }

struct Isa {
  llvm::StringRef name, targetCpu, targetFeatures;
  uint64_t features; // LLMC_CPU_* of module_abi.h
  DotUnit dot;
  // AMX: steps of so many rows or more multiply integer weights in tiles of bf16, others in the dot unit. 0:
  // all do in the dot unit, 1: all in tiles; else bits depend on the number of rows.
  int64_t tileRows;
  bool hasBF16Dots;     // vdpbf16ps: weights and activations of bf16, and attention over a cache of 16 bits or
                        // fewer, are multiplied two numbers at once
  llvm::StringRef base; // the variant whose kernels it shares where they would not differ; empty: none
  bool isDefault;       // compiled for where nobody asks for variants
  Tuning tuning = {};   // of otherCpus() in allIsas()

  bool hasTiles() const { return tileRows > 0; }
  bool mixesUnits() const { return tileRows > 1; }
  /// Whether logits are the same bits as those of all other variants of which this holds: nothing that a
  /// variant may choose then changes the order or the rounding of a sum (codegen/cpu/Rationale.md).
  bool isPortable() const { return !hasTiles() && !hasBF16Dots; }
};

/// The variant with the sizes of a family.
Isa tunedFor(const Isa &, const CpuFamily &);

/// Best first.
llvm::ArrayRef<Isa> allIsas();
const Isa *isaByName(llvm::StringRef name);
/// Whether this machine can execute the variant.
bool runsHere(const Isa &);
/// What a model asks for beyond the variants that are always compiled for.
struct Wishes {
  bool isFast = false;   // bits may depend on the number of rows
  bool usesBF16 = false; // activations are no more exact than bf16, and bits may depend on the CPU
};
/// Whether the variant is compiled for where nobody names any.
bool isOffered(const Isa &, Wishes);
/// The best of these that this machine can execute; null if it can none.
const Isa *bestHere(Wishes = {});

} // namespace llmc::cpu
#endif
