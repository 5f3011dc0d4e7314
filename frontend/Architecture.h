//===- Architecture.h - the architectures that can be imported --*- C++ -*-===//
//
// An architecture is one file in frontend/arch that maps the keys and tensor names of model files to a
// ModelSpec. The list in frontend/CMakeLists.txt decides which there are.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_ARCHITECTURE_H
#define LLMC_FRONTEND_ARCHITECTURE_H

#include "frontend/ModelSpec.h"
#include "frontend/formats/Gguf.h"

#include <span>
#include <string>

namespace llmc::frontend {

struct Architecture {
  const char *ggufName; // the value of general.architecture
  /// Fills `spec`; false with one sentence in `error` if the file does not say a model of this architecture.
  bool (*readGguf)(const formats::GgufFile &file, ModelSpec &spec, std::string &error);
};

std::span<const Architecture *const> architectures();

} // namespace llmc::frontend
#endif
