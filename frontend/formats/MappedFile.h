//===- MappedFile.h - a whole file, read-only, in memory --------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_MAPPEDFILE_H
#define LLMC_FRONTEND_FORMATS_MAPPEDFILE_H

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace llmc::formats {

/// A read-only memory map of a regular file. The size is taken once, at open; a file that is cut while mapped
/// raises SIGBUS on access, as with every mmap reader.
class MappedFile {
public:
  /// Null on failure, with one sentence in `error` that names the path.
  static std::unique_ptr<MappedFile> open(const std::string &path, std::string &error);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  std::span<const uint8_t> bytes() const { return {data, size}; }
  const std::string &path() const { return name; }
  /// Gives back the memory that a part of bytes() takes; it is read from the file again when it is used
  /// again.
  void release(std::span<const uint8_t> part) const;

private:
  MappedFile() = default;
  std::string name;
  const uint8_t *data = nullptr;
  size_t size = 0;
};

} // namespace llmc::formats
#endif
