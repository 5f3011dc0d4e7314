//===- FusedRows.h - projections that share one tensor ----------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FUSEDROWS_H
#define LLMC_FRONTEND_FUSEDROWS_H

#include "frontend/ModelSpec.h"

namespace llmc::frontend {

/// q, k and v are the rows q | k | v of one tensor.
void takeQkvRows(AttentionSpec &attention, const std::string &weight, const std::string &bias = "");

/// q, k and v are the rows of one tensor, in a group for each key head: its query heads, then k, then v.
void takeGroupedQkvRows(AttentionSpec &attention, const std::string &weight, const std::string &bias = "");

/// Gate and up are the rows gate | up of one tensor.
void takeGateUpRows(MlpSpec &mlp, const std::string &weight, const std::string &bias = "");

} // namespace llmc::frontend
#endif
