//===- Budgets.h - how far a pass may move the numbers ----------*- C++ -*-===//
//
// One table for everything that is compared, with reasons. A budget is what rounding can do, a little above
// the worst that is seen; a mistake is far larger.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_BUDGETS_H
#define LLMC_TOOLS_GATE_BUDGETS_H

#include "tools/gate/Compare.h"

namespace llmc::tools {

/// Of what only adds in another order: fusions, and quantize, whose reference has the rounded weights.
/// `tolerance` is --verify-passes=TOL; 0: what the table says.
Budget reassociationBudget(double tolerance);

/// Of a cache that stores its numbers in `type` ("f32", "f16", "bf16", "q8"), seen from one that stores f32,
/// in a model of so many layers.
Budget cacheBudget(const std::string &type, int64_t layers, double tolerance);

/// Of the lowering over a cache of that type.
Budget loweringBudget(const std::string &cacheType, int64_t layers, double tolerance);

/// Of kernels that multiply in `activations` ("f32", "f16", "bf16", "int8") over a cache of `cacheType`, seen
/// from exact ones over the same cache.
Budget kernelBudget(const std::string &activations, const std::string &cacheType, int64_t layers,
                    double tolerance);

/// Of the same kernels with tokens cut into other chunks: none.
Budget equalBits(const char *why);

} // namespace llmc::tools
#endif
