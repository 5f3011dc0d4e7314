//===- Architecture.h - the architectures that can be imported --*- C++ -*-===//
//
// An architecture is one file in frontend/arch that maps the keys and tensor names of model files to a
// ModelSpec. The list in frontend/CMakeLists.txt decides which there are.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_ARCHITECTURE_H
#define LLMC_FRONTEND_ARCHITECTURE_H

#include "frontend/GgufConfig.h"
#include "frontend/HfConfig.h"
#include "frontend/ModelSpec.h"

#include <span>
#include <string_view>
#include <vector>

namespace llmc::frontend {

struct Architecture {
  const char *ggufName; // the value of general.architecture; null if GGUF has no such architecture
  /// Fills `spec`; `config` keeps the first thing that is not said as a model of this architecture says it.
  void (*readGguf)(GgufConfig &config, ModelSpec &spec);
  /// What config.json calls it: the first of `architectures`, and `model_type`, last.
  std::vector<std::string_view> hfNames = {};
  /// The same for a Hugging Face checkpoint.
  void (*readHf)(HfConfig &config, ModelSpec &spec) = nullptr;
};

std::span<const Architecture *const> architectures();

} // namespace llmc::frontend
#endif
