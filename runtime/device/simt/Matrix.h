// Products of small matrices, as mma.sync lays them over the lanes of a warp.
#pragma once

#include "llmc/simt_abi.h"

namespace llmc::simt {

/// Where lanes have the words of A (4), B (2), C, and get those of D: each so many words behind a lane's
/// address.
struct MatrixWords {
  const uint32_t *const *rows, *const *columns, *const *sums;
  uint32_t *const *out;
  uint32_t rowsAt, columnsAt, sumsAt, outAt;
};

/// D = A B + C, for LLMC_SIMT_MMA_*.
void multiplyMatrices(uint32_t operation, const MatrixWords &words);

} // namespace llmc::simt
