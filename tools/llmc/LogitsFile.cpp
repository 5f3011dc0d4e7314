//===- LogitsFile.cpp - logits of a text, for comparison ------------------===//
#include "tools/llmc/LogitsFile.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>

namespace llmc::cli {

LogitsWriter::LogitsWriter(std::string path, const LogitsHeader &header) : file(std::move(path)) {
  file.write(&header, sizeof header);
}

LogitsReader::LogitsReader(std::string path, const LogitsHeader &expected)
    : place(std::move(path)), file(std::fopen(place.c_str(), "rb")) {
  struct stat status;
  if (!file || fstat(fileno(file.get()), &status) != 0)
    throw Failure(fmt::format("{}: cannot open: {}", place, std::strerror(errno)));
  if (!S_ISREG(status.st_mode))
    throw Failure(fmt::format("{}: not a regular file", place));
  noteInput(place);
  LogitsHeader found;
  if (std::fread(&found, sizeof found, 1, file.get()) != 1 ||
      std::memcmp(found.magic, expected.magic, sizeof found.magic) != 0)
    throw Failure(fmt::format("{}: not a file of --save-logits", place));
  if (found.vocab != expected.vocab)
    throw Failure(
        fmt::format("{}: vocabulary of {} tokens, the model has {}", place, found.vocab, expected.vocab));
  if (found.textHash != expected.textHash)
    throw Failure(fmt::format("{}: of another text", place));
  if (found.windowHash != expected.windowHash || found.rows != expected.rows)
    throw Failure(fmt::format("{}: of other windows; give the same --ctx, --stride and --skip", place));
  uint64_t size = sizeof found + found.rows * found.vocab * sizeof(float); // both equal to what is known
  if (uint64_t(status.st_size) != size)
    throw Failure(fmt::format("{}: {} bytes, expected {}", place, status.st_size, size));
  buffer.resize(found.vocab);
}

std::span<const float> LogitsReader::next() {
  if (std::fread(buffer.data(), sizeof(float), buffer.size(), file.get()) != buffer.size())
    throw Failure(fmt::format("{}: cannot read: {}", place, std::strerror(errno)));
  return buffer;
}

} // namespace llmc::cli
