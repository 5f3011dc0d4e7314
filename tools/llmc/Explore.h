//===- Explore.h - llmc explore ---------------------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_EXPLORE_H
#define LLMC_TOOLS_LLMC_EXPLORE_H

#include <string>

namespace llmc::cli {

struct ExploreOptions {
  std::string source, output, profile; // source: a folder of --dump-ir or a model.so
};
int explore(const ExploreOptions &);

} // namespace llmc::cli
#endif
