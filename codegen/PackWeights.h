//===- PackWeights.h - the weights of a program as they lie in model.so -*- C++ -*-===//
//
// Streams the step.weight and step.constant ops of a program in the order of their offsets: a matrix panel by
// panel in its scheme's layout, a vector and a constant as f32 padded to a multiple of 16. Gaps are zeros. No
// more than one weight that had to be computed is in memory at a time; weights of the files are never copied
// whole.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_PACKWEIGHTS_H
#define LLMC_CODEGEN_PACKWEIGHTS_H

#include "codegen/WeightSource.h"
#include "ir/StepOps.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdint>

namespace llmc::codegen {

struct PackedWeights {
  uint64_t bytes; // the program's weight_bytes
  uint64_t hash;  // XXH3 of all of them
};

/// `progress` is called with the bytes done and the bytes in all. A stream that fails to write is left for
/// the caller to see (raw_fd_ostream::has_error).
llvm::FailureOr<PackedWeights>
packWeights(step::ProgramOp program, const WeightSource &source, llvm::raw_ostream &out,
            llvm::function_ref<void(uint64_t done, uint64_t total)> progress = {});

/// Bytes that a weight of the shape takes when packed: a matrix in the scheme, a vector (rank 1, or scheme
/// null) as f32.
int64_t packedBytes(const quant::QuantScheme *scheme, llvm::ArrayRef<int64_t> shape);

} // namespace llmc::codegen
#endif
