//===- TensorCheck.h - a model against the tensors of a file ----*- C++ -*-===//
#ifndef LLMC_FRONTEND_TENSORCHECK_H
#define LLMC_FRONTEND_TENSORCHECK_H

#include "frontend/formats/WeightFile.h"
#include "ir/LMOps.h"

#include <string>

namespace llmc::frontend {

/// Whether the file has every tensor that the model names, for every layer, with the model's shape and of a
/// type that has a scheme, and holds none that the model leaves out (it would then compute something else
/// than the file means), but for those in `leftOut`, where a `*` stands for anything.
bool checkTensors(lm::ModelOp model, const formats::WeightFile &file, llvm::ArrayRef<std::string> leftOut,
                  std::string &error);

} // namespace llmc::frontend
#endif
