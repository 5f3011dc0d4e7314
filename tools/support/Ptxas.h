//===- Ptxas.h - NVIDIA's assembler, where there is one ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_SUPPORT_PTXAS_H
#define LLMC_TOOLS_SUPPORT_PTXAS_H

#include "tools/support/LimitedCommand.h"

namespace llmc {

/// The path of ptxas: `wish` itself, which must be a program; "none": no path. Without a wish it is looked
/// for in PATH, then in the folder `bin` of CUDA_HOME and CUDA_PATH; where there is none, `path` stays empty
/// and all is well. Else one sentence.
std::string findPtxas(const std::string &wish, std::string &path);

/// A program that was found, started and held to its limits. Every failure is one sentence with its path.
class Ptxas {
public:
  explicit Ptxas(std::string path, CommandLimits limits = {}) : path(std::move(path)), limits(limits) {}

  /// All that it says of its version: part of what its results are made from.
  std::string readVersion(std::string &text) const;
  /// "13.0.88" of that text; the text's first line where no number follows a V.
  static std::string versionNumber(const std::string &text);
  /// Machine code for an architecture ("sm_90") from the file `ptx`, through a file beside it.
  std::string assemble(const std::string &ptx, const std::string &architecture, std::string &cubin) const;

private:
  std::string run(const std::vector<std::string> &arguments, const std::string &aim,
                  std::string &output) const;

  std::string path;
  CommandLimits limits;
};

} // namespace llmc
#endif
