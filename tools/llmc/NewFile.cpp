//===- NewFile.cpp - a file that appears when it is whole -----------------===//
#include "tools/llmc/NewFile.h"
#include "frontend/formats/NewFile.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llmc::cli {

NewFile::NewFile(std::string path) : place(std::move(path)) {
  struct stat status;
  if (stat(place.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw Failure(fmt::format("{}: is there and not a regular file", place));
  std::string name;
  int descriptor = formats::createBeside(place, "", name);
  if (descriptor < 0)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  unfinished.emplace(name);
  file.reset(fdopen(descriptor, "wb"));
}

void NewFile::write(const void *bytes, size_t n) {
  if (std::fwrite(bytes, 1, n, file.get()) != n)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
}

void NewFile::finish() {
  if (std::fclose(file.release()) != 0)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  unfinished->moveTo(place);
}

} // namespace llmc::cli
