//===- CacheFolder.h - where results are kept for the next time -*- C++ -*-===//
#ifndef LLMC_TOOLS_SUPPORT_CACHEFOLDER_H
#define LLMC_TOOLS_SUPPORT_CACHEFOLDER_H

#include <string>

namespace llmc {

/// The folder llmc in XDG_CACHE_HOME, else in ~/.cache; empty if neither is known. Relative paths do not
/// count, as the XDG base directory specification says.
std::string cacheFolder();

} // namespace llmc
#endif
