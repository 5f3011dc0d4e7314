//===- Files.h - what kind of model a path is -------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_FILES_H
#define LLMC_TOOLS_LLMC_FILES_H

#include "runtime/ModuleFile.h"
#include "tools/llmc/Common.h"

#include <string>

namespace llmc::cli {

enum class FileKind { Module, Gguf, Mlir, Directory, Empty, Unknown };

/// Told by the first bytes, for .mlir text by the name. A Failure if there is no such file or it cannot be
/// read.
FileKind fileKind(const std::string &path);
/// "a GGUF file", "a directory", ...
const char *describe(FileKind);

/// Opens a compiled model and checks everything but its weights; nothing in it is executed.
void openModule(const std::string &path, MappedFile &, ModuleContents &);

/// The lengths of context that the model's rotary frequencies are for.
RopeContexts ropeContexts(const ModuleContents &);

} // namespace llmc::cli
#endif
