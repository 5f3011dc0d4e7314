//===- Link.cpp - object files => shared object ---------------------------===//
//
// lld as a library. It reads and writes files by name. What it reads are files in memory, named by their
// descriptors. What it writes must be on a disk, through a mapping: a full disk would end the program by a
// signal, so that there is space enough is looked at before.
//
//===----------------------------------------------------------------------===//
#include "codegen/Link.h"

#include "codegen/WriteFile.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

LLD_HAS_DRIVER(elf)

using namespace llmc;

namespace {

class MemoryFile {
public:
  explicit MemoryFile(llvm::StringRef bytes) : descriptor(memfd_create("llmc", MFD_CLOEXEC)) {
    name = "/proc/self/fd/" + std::to_string(descriptor);
    if (descriptor < 0 || !write(bytes))
      failure = "cannot make a file in memory: " + llvm::sys::StrError();
  }
  MemoryFile(const MemoryFile &) = delete;
  ~MemoryFile() {
    if (descriptor >= 0)
      close(descriptor);
  }
  const std::string &path() const { return name; }
  /// Empty unless it could not be made.
  const std::string &error() const { return failure; }

private:
  bool write(llvm::StringRef bytes) {
    while (!bytes.empty()) {
      ssize_t n = llvm::sys::RetryAfterSignal(-1, ::write, descriptor, bytes.data(), bytes.size());
      if (n < 0)
        return false;
      bytes = bytes.drop_front(static_cast<size_t>(n));
    }
    return true;
  }

  int descriptor;
  std::string name, failure;
};

} // namespace

std::string codegen::linkSharedObject(llvm::ArrayRef<llvm::StringRef> objects, const std::string &place,
                                      std::string &shared) {
  // The linker puts another file in the place of the one that it is given: the lock that says whose it is
  // belongs to this one.
  TemporaryFile owner(place, ".tmp");
  if (!owner.error().empty())
    return owner.error();
  TemporaryFile result(owner.path(), ".elf");
  if (!result.error().empty())
    return result.error();
  std::vector<std::unique_ptr<MemoryFile>> files;
  size_t bytes = 1 << 20; // more than headers and padding take
  for (llvm::StringRef object : objects) {
    files.push_back(std::make_unique<MemoryFile>(object));
    bytes += object.size();
  }
  if (auto space = llvm::sys::fs::disk_space(result.path()); space && space->available < bytes)
    return place + ": cannot write: " + llvm::sys::StrError(ENOSPC);
  // -z defs: a kernel that calls anything outside the module (libc, libm) is a bug that must show here.
  // --threads=1: those of a pool would stay, and this process could not be forked any more; a model.so has
  // little to link.
  std::vector<const char *> args = {"ld.lld",
                                    "-shared",
                                    "--threads=1",
                                    "--hash-style=gnu",
                                    "--build-id=none",
                                    "-z",
                                    "defs",
                                    "-z",
                                    "now",
                                    "-z",
                                    "relro",
                                    "--gc-sections",
                                    "-o",
                                    result.path().c_str()};
  for (const auto &file : files) {
    if (!file->error().empty())
      return file->error();
    args.push_back(file->path().c_str());
  }
  std::string words;
  llvm::raw_string_ostream out(words);
  lld::Result linked = lld::lldMain(args, out, out, {{lld::Gnu, &lld::elf::link}});
  if (linked.retCode != 0)
    return "the linker failed: " + llvm::StringRef(words).rtrim().str();
  auto read = llvm::MemoryBuffer::getFile(result.path(), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!read)
    return place + ": cannot read back the linked kernels: " + read.getError().message();
  shared = (*read)->getBuffer().str();
  return "";
}
