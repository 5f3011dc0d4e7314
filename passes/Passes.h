//===- Passes.h - passes over the lm dialect (all from Passes.td) -*- C++ -*-===//
#ifndef LLMC_PASSES_PASSES_H
#define LLMC_PASSES_PASSES_H

#include "ir/LMOps.h"

#include "mlir/Pass/Pass.h"

#include <string>

namespace llmc {
#define GEN_PASS_DECL
#include "passes/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"
} // namespace llmc

#endif
