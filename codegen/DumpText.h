//===- DumpText.h - a module as text that a compile starts from -*- C++ -*-===//
//
// The text of a dump is the module with its locations, and on it the attribute `llmc.dump`: the options of
// the compile, what it has found out so far, and which files it reads, with their hashes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_DUMPTEXT_H
#define LLMC_CODEGEN_DUMPTEXT_H

#include "codegen/PipelineOptions.h"

#include "mlir/IR/OwningOpRef.h"

#include "llvm/Support/JSON.h"

namespace llmc::codegen {

/// The module after a pass, to be written to a file in `folder`.
void printDump(const PassRun &run, const std::string &folder, llvm::raw_ostream &out);

/// The options and files of a compile: "llmc", "model", "options", "weights", "tokenizer".
llvm::json::Object describeCompile(const PassRun &run);

/// Whether `path` is a file that printDump has written; told by its first line that says something.
bool isDump(const std::string &path);

/// Reads a dump and sets all options that decide about the bytes of model.so, with the phase to start from.
/// `asked` is the phase that a person wants to start from, if any. The files that the dump names are looked
/// for beside it, then where they were, and must not have changed. On failure returns null, and `error` is
/// one sentence.
mlir::OwningOpRef<mlir::ModuleOp> readDump(mlir::MLIRContext &context, const std::string &path,
                                           std::optional<Phase> asked, PipelineOptions &options,
                                           std::string &error);

} // namespace llmc::codegen
#endif
