//===- Files.cpp - what kind of model a path is ---------------------------===//
#include "tools/llmc/Files.h"
#include "tools/llmc/Common.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace llmc::cli {

FileKind fileKind(const std::string &path) {
  // One descriptor for both the look at the file and its first bytes. O_NONBLOCK: a FIFO must not hang the
  // open; it has no effect on regular files.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  std::unique_ptr<FILE, Deleter<std::fclose>> file(descriptor < 0 ? nullptr : fdopen(descriptor, "rb"));
  struct stat status;
  if (!file || fstat(descriptor, &status) != 0)
    throw Failure(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  if (S_ISDIR(status.st_mode))
    return FileKind::Directory;
  if (!S_ISREG(status.st_mode))
    throw Failure(fmt::format("{}: not a regular file", path));
  if (status.st_size == 0)
    return FileKind::Empty;
  char start[4] = {};
  size_t n = std::fread(start, 1, sizeof start, file.get());
  std::string_view magic(start, n);
  if (magic == "\177ELF")
    return FileKind::Module;
  if (magic == "GGUF")
    return FileKind::Gguf;
  return path.ends_with(".mlir") ? FileKind::Mlir : FileKind::Unknown;
}

const char *describe(FileKind kind) {
  switch (kind) {
  case FileKind::Module:
    return "a compiled model";
  case FileKind::Gguf:
    return "a GGUF file";
  case FileKind::Mlir:
    return "MLIR text";
  case FileKind::Directory:
    return "a directory";
  case FileKind::Empty:
    return "an empty file";
  case FileKind::Unknown:
    return "something else";
  }
  return "";
}

void openModule(const std::string &path, MappedFile &file, ModuleContents &contents) {
  if (file.open(path.c_str()) != LLMC_OK || readModule(file.bytes(), path.c_str(), contents) != LLMC_OK)
    throw Failure(llmc::lastError());
}

RopeContexts ropeContexts(const ModuleContents &module) {
  return ropeContexts([&](const char *key) -> uint64_t {
    for (const auto &[name, value] : module.meta)
      if (name == key)
        return std::strtoull(value.c_str(), nullptr, 10);
    return 0;
  });
}

} // namespace llmc::cli
