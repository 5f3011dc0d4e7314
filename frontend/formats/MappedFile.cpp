//===- MappedFile.cpp - a whole file, read-only, in memory ----------------===//
#include "frontend/formats/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llmc::formats;
namespace fs = std::filesystem;

std::unique_ptr<MappedFile> MappedFile::open(const std::string &path, std::string &error) {
  auto fail = [&](const std::string &what) {
    error = path + ": " + what;
    return nullptr;
  };
  if (path.find('\0') != std::string::npos)
    return fail("the path contains a NUL byte");
  // O_NONBLOCK: a FIFO in place of a file must not hang the open; it has no effect on regular files.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int reason = errno;
    std::error_code code;
    const std::string target = reason == ENOENT ? fs::read_symlink(path, code).string() : "";
    return fail(target.empty() ? std::string("cannot open: ") + std::strerror(reason)
                               : "is a link to " + target + ", which is not there");
  }
  struct stat info;
  if (::fstat(fd, &info) != 0) {
    int code = errno;
    ::close(fd);
    return fail(std::string("cannot read its size: ") + std::strerror(code));
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    return fail(S_ISDIR(info.st_mode) ? "is a directory, expected a file" : "is not a regular file");
  }
  std::unique_ptr<MappedFile> file(new MappedFile);
  file->name = path;
  file->size = static_cast<size_t>(info.st_size);
  if (file->size != 0) {
    void *p = ::mmap(nullptr, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
      int code = errno;
      ::close(fd);
      return fail(std::string("cannot map: ") + std::strerror(code));
    }
    file->data = static_cast<const uint8_t *>(p);
  }
  ::close(fd);
  return file;
}

void MappedFile::release(std::span<const uint8_t> part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE)),
             first = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) & ~(page - 1),
             last = reinterpret_cast<uintptr_t>(part.data() + part.size()) & ~(page - 1);
  if (first < last)
    ::madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<uint8_t *>(data), size);
}
