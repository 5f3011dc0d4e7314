//===- ObjectCache.h - compiled units on disk -------------------*- C++ -*-===//
//
// A folder of objects by the hash of what they were made from. Several processes may use one folder: an
// object appears by a rename and is checked when it is read, so a file that is torn, foreign or just being
// removed by another process counts as absent.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_OBJECTCACHE_H
#define LLMC_CODEGEN_OBJECTCACHE_H

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringRef.h"

#include <atomic>
#include <string>

namespace llmc::codegen {

class ObjectCache {
public:
  /// `folder` is made when the first object is stored; empty: nothing is found and nothing kept.
  explicit ObjectCache(std::string folder, uint64_t limitBytes = defaultLimit)
      : folder(std::move(folder)), limit(limitBytes) {}
  ~ObjectCache(); // removes the objects that were not used for longest, down to the limit

  static constexpr uint64_t defaultLimit = 256 << 20;

  /// The name of an object made from `text` by this very compiler: a hash of the text, the compiler's own
  /// file and LLVM's version.
  static std::string keyOf(llvm::StringRef text);

  /// False if there is no such object. Both may be called from several threads.
  bool find(const std::string &key, llvm::SmallString<0> &object) const;
  /// A failure to write is not an error: the object is then made again next time.
  void store(const std::string &key, llvm::StringRef object);

private:
  std::string pathOf(const std::string &key) const { return folder + "/" + key + ".o"; }
  std::string folder;
  uint64_t limit;
  std::atomic<bool> hasStored = false;
};

} // namespace llmc::codegen
#endif
