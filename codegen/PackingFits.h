//===- PackingFits.h - which bf16 weights fit 12 bits -----------*- C++ -*-===//
#ifndef LLMC_CODEGEN_PACKINGFITS_H
#define LLMC_CODEGEN_PACKINGFITS_H

#include "codegen/PipelineOptions.h"
#include "codegen/WeightSource.h"
#include "passes/PackBF16.h"

namespace llmc::codegen {

/// What lm-pack-bf16 asks: looks at all numbers of a matrix, on all cores, before they are packed, since it
/// must be known first how many bytes they take. Null where something reads the weights that has no quick way
/// to decode them: devices, kernels by decomposition, products of bf16.
PackingFits packingOf(const WeightSource &, const PipelineOptions &);

} // namespace llmc::codegen
#endif
