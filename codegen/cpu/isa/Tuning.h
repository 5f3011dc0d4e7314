//===- Tuning.h - sizes that fit a family of CPUs ---------------*- C++ -*-===//
//
// CPUs of one instruction set want different tiles and different prefetching. What was measured stands in one
// table, a row for each family and variant. It changes speed only: a variant's bits are the same with any
// row.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_ISA_TUNING_H
#define LLMC_CODEGEN_CPU_ISA_TUNING_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace llmc::cpu {

/// Sizes of the tiles, for one instruction set. A panel is 16 output rows.
struct Tuning {
  llvm::ArrayRef<int> decodePanels;  // panels at once for a single row, largest first, ending in 1
  llvm::ArrayRef<int> int8TileRows;  // rows at once for several rows, largest first, ending in 1
  int int8TilePanels;                // panels at once for several rows
  llvm::ArrayRef<int> floatTileRows; // the same with f32 activations
  int floatTilePanels;
  // Prefetching of weights: the panels of the next tile, at the same place, if a tile's panels are no larger
  // than prefetchPanels bytes; else so many bytes ahead in each panel. 0: none.
  int64_t prefetchPanels;
  int64_t prefetchBytes;
  int prefetchLevel;         // of the cache that prefetched weights go to: 1 or 2
  bool prefetchesStreams;    // of a single row also where weights are read in the order of memory
  int64_t activationBytes;   // packed activations that should stay in the second-level cache
  int pagePrefetchLevel;     // that the next page of keys and values goes to; 0: none
  int attentionAccumulators; // vectors of 16 that a loop may keep in registers
  int64_t tileColumns;       // columns of two panels whose decoded weights stay in the first-level cache
  // Panels of coded floats of the next tile are prefetched whole into the second-level cache if they are no
  // larger; else, for a single row, as others are.
  int64_t codedTile;
};

/// CPUs that were found to want the same.
struct CpuFamily {
  llvm::StringRef name;
  llvm::StringRef cpu;   // LLVM's name of them; empty: every other one
  bool hasQuickBF16Dots; // vdpbf16ps does more in the same time than fused multiply-adds of f32
};

llvm::ArrayRef<CpuFamily> allFamilies();
const CpuFamily *familyByName(llvm::StringRef name);
/// That of this machine.
const CpuFamily &familyHere();
/// What CPUs that nobody has measured get.
const CpuFamily &otherCpus();

/// The row of the table: the family's for the variant, else that of other CPUs; where there is none at all,
/// the row of the variant whose kernels it shares.
const Tuning &tuningOf(const CpuFamily &, llvm::StringRef variant, llvm::StringRef base);

} // namespace llmc::cpu
#endif
