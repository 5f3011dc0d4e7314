//===- EvaluationBytes.h - an evaluation on its way between processes -*- C++ -*-===//
#ifndef LLMC_TOOLS_GATE_EVALUATIONBYTES_H
#define LLMC_TOOLS_GATE_EVALUATIONBYTES_H

#include "tools/gate/Evaluation.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace llmc::tools {

/// For a process of the same program on the same machine to read.
void writeEvaluation(const Evaluation &evaluation, llvm::raw_ostream &out);
/// Nothing if the bytes are not the whole of one.
std::optional<Evaluation> readEvaluation(llvm::StringRef bytes);

} // namespace llmc::tools
#endif
