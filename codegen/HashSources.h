//===- HashSources.h - which files a model was made from --------*- C++ -*-===//
#ifndef LLMC_CODEGEN_HASHSOURCES_H
#define LLMC_CODEGEN_HASHSOURCES_H

#include "codegen/PipelineOptions.h"
#include "frontend/formats/OpenFiles.h"

namespace llmc::codegen {

/// Reads all bytes of the file's tensors.
SourceHash hashOf(const formats::WeightFile &file, const ProgressFn &progress);

/// The same of files that may be missing or broken: they then have no hash.
std::vector<SourceHash> hashSources(llvm::ArrayRef<std::string> paths, formats::OpenFiles &files,
                                    const ProgressFn &progress);

/// A hash of any bytes, in the same form.
std::string hashText(llvm::StringRef bytes);

} // namespace llmc::codegen
#endif
