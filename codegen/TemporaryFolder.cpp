//===- TemporaryFolder.cpp - a folder for what nobody keeps ---------------===//
//
// Folders are made and removed by one thread. A handler of signals walks over their list and removes them
// with system calls alone.
//
//===----------------------------------------------------------------------===//
#include "codegen/TemporaryFolder.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <atomic>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

using namespace llmc::codegen;

static std::atomic<TemporaryFolder *> folders = nullptr;
static_assert(std::atomic<TemporaryFolder *>::is_always_lock_free);

TemporaryFolder::TemporaryFolder(llvm::StringRef wanted) {
  llvm::SmallString<128> made;
  if (std::error_code code = llvm::sys::fs::createUniqueDirectory(wanted, made)) {
    llvm::SmallString<128> place;
    llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, place);
    failure = (place + ": cannot make a folder for temporary files: " + code.message()).str();
    return;
  }
  name = made.str().str();
  next = folders;
  folders = this;
}

TemporaryFolder::~TemporaryFolder() {
  if (name.empty())
    return;
  llvm::sys::fs::remove_directories(name);
  if (folders == this) {
    folders = next;
    return;
  }
  for (TemporaryFolder *at = folders; at; at = at->next)
    if (at->next == this)
      at->next = next;
}

/// A file, or a folder with all in it. Links are not followed.
static void removeTree(int parent, const char *name, int depth) {
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    unlinkat(parent, name, 0);
    return;
  }
  // What is removed may make others be passed over: until there is nothing, or nothing that can go.
  bool isEmpty = depth == 0;
  for (int rounds = 0; rounds < 8 && !isEmpty; ++rounds) {
    isEmpty = true;
    lseek(fd, 0, SEEK_SET);
    alignas(dirent64) char entries[4096];
    for (ssize_t n; (n = getdents64(fd, entries, sizeof entries)) > 0;)
      for (ssize_t at = 0; at < n;) {
        const auto *entry = reinterpret_cast<const dirent64 *>(entries + at);
        at += entry->d_reclen;
        const std::string_view found = entry->d_name;
        if (found == "." || found == "..")
          continue;
        isEmpty = false;
        removeTree(fd, entry->d_name, depth - 1);
      }
  }
  close(fd);
  unlinkat(parent, name, AT_REMOVEDIR);
}

void llmc::codegen::removeTemporaryFolders() {
  constexpr int deepest = 8;
  for (const TemporaryFolder *folder = folders; folder; folder = folder->next)
    removeTree(AT_FDCWD, folder->name.c_str(), deepest);
}
