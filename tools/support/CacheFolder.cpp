//===- CacheFolder.cpp - where results are kept for the next time ---------===//
#include "tools/support/CacheFolder.h"

#include <cstdlib>

std::string llmc::cacheFolder() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache && *cache == '/')
    return std::string(cache) + "/llmc";
  return home && *home == '/' ? std::string(home) + "/.cache/llmc" : "";
}
