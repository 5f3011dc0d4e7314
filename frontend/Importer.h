//===- Importer.h - model files to the lm dialect ---------------*- C++ -*-===//
#ifndef LLMC_FRONTEND_IMPORTER_H
#define LLMC_FRONTEND_IMPORTER_H

#include "frontend/formats/OpenFiles.h"
#include "ir/LMOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace llmc::frontend {

struct ImportOptions {
  /// The folder that paths in the model are relative to; empty: the folder of the source.
  std::string relativeTo;
  /// The longest sequence, in tokens, for rope scalings that depend on it (dynamic, longrope); 0: what the
  /// model was trained for, at most 4096, as a session has it by default.
  int64_t context = 0;
  /// Where the files that were read stay open, for whoever comes next; null: they are closed.
  formats::OpenFiles *files = nullptr;
};

/// Reads lm text, a GGUF file or a Hugging Face directory (or a file in one), told apart by content, into a
/// module that holds one verified lm.model. The tensors of a checkpoint are checked against the model: each
/// is there, of the shape and of a type that can be compiled. On failure returns null, and `error` is one
/// sentence that names file and place.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const std::string &path,
                                              const ImportOptions &options, std::string &error);

/// The one lm.model of an imported module.
lm::ModelOp modelOf(mlir::ModuleOp module);

/// The files that a model names, found from `folder` (where the text of the model stands).
struct ModelFiles {
  std::vector<std::string> weights;
  std::string tokenizer; // empty: the model names none
};
ModelFiles findModelFiles(lm::ModelOp model, const std::string &folder);

/// The folder that paths in a model read from `path`, a file or a folder, are relative to.
std::string folderOf(const std::string &path);

/// Writes the model as a person would: readable names, no locations, nothing around the lm.model.
void printModel(lm::ModelOp model, llvm::raw_ostream &out);

} // namespace llmc::frontend
#endif
