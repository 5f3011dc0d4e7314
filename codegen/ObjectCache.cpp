//===- ObjectCache.cpp - compiled units on disk ---------------------------===//
#include "codegen/ObjectCache.h"

#include "codegen/WriteFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/SHA256.h"

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace llmc::codegen;
namespace fs = std::filesystem;

namespace {

/// Before the object in its file.
struct Header {
  char magic[8];
  uint64_t size, hash; // of the object: bytes, XXH3
};
constexpr char magic[8] = {'L', 'L', 'M', 'C', 'O', 'B', 'J', '1'};

/// The code that compiles is part of what an object is made from.
const std::string &ownHash() {
  static const std::string hash = [] {
    auto self = llvm::MemoryBuffer::getFile("/proc/self/exe", /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
    uint64_t number = self ? XXH3_64bits((*self)->getBufferStart(), (*self)->getBufferSize()) : 0;
    return llvm::utohexstr(number) + " " LLVM_VERSION_STRING;
  }();
  return hash;
}

/// KEY.o, and what a compile that was killed left behind: KEY.o.TIME-PROCESS-NUMBER.tmp as
/// formats::createBeside names it. Nothing else in the folder is ours.
bool isOwnName(const std::string &name) {
  static const llvm::Regex own("^[0-9a-f]{64}\\.o(\\.[0-9a-f]+-[0-9]+-[0-9]+\\.tmp)?$");
  return own.match(name);
}

} // namespace

std::string ObjectCache::keyOf(llvm::StringRef text) {
  llvm::SHA256 hash;
  hash.update(ownHash());
  hash.update("\n");
  hash.update(text);
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

bool ObjectCache::find(const std::string &key, llvm::SmallString<0> &object) const {
  if (folder.empty())
    return false;
  auto file = llvm::MemoryBuffer::getFile(pathOf(key), /*IsText=*/false, /*RequiresNullTerminator=*/false,
                                          /*IsVolatile=*/true);
  if (!file)
    return false;
  llvm::StringRef bytes = (*file)->getBuffer();
  Header header;
  if (bytes.size() < sizeof header)
    return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes = bytes.drop_front(sizeof header);
  if (std::memcmp(header.magic, magic, sizeof magic) != 0 || header.size != bytes.size() ||
      header.hash != XXH3_64bits(bytes.data(), bytes.size()))
    return false;
  object = bytes;
  utimensat(AT_FDCWD, pathOf(key).c_str(), nullptr, 0); // used now
  return true;
}

void ObjectCache::store(const std::string &key, llvm::StringRef object) {
  if (folder.empty() || llvm::sys::fs::create_directories(folder))
    return;
  Header header = {{}, object.size(), XXH3_64bits(object.data(), object.size())};
  std::memcpy(header.magic, magic, sizeof magic);
  std::string error = writeFile(pathOf(key), [&](llvm::raw_ostream &out) {
    out.write(reinterpret_cast<const char *>(&header), sizeof header);
    out << object;
  });
  if (error.empty())
    hasStored = true;
}

ObjectCache::~ObjectCache() {
  if (!hasStored)
    return;
  struct Entry {
    fs::file_time_type used;
    uint64_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code code; // another process may remove what is listed: then it is gone, which is what we want
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (!isOwnName(it->path().filename().string()))
      continue;
    std::error_code gone;
    Entry entry = {it->last_write_time(gone), 0, it->path()};
    if (!gone)
      entry.size = it->file_size(gone);
    if (gone)
      continue;
    total += entry.size;
    entries.push_back(std::move(entry));
  }
  llvm::sort(entries, [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= limit)
      return;
    if (fs::remove(entry.path, code))
      total -= entry.size;
  }
}
