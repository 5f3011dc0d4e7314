//===- Npy.cpp - arrays of float32 in NumPy's file format -----------------===//
#include "tools/llmc/Npy.h"
#include "tools/llmc/Common.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <regex>
#include <sys/stat.h>

namespace llmc::cli {

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t prefix = 10; // magic, version, length of the header

using File = std::unique_ptr<FILE, Deleter<std::fclose>>;

uint64_t writeNpy(const std::string &path, const float *values, uint64_t rows, uint64_t columns) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  header.append(63 - (prefix + header.size()) % 64, ' '); // the values begin at a multiple of 64
  header += '\n';
  std::string start(magic);
  start += {1, 0, char(header.size() & 255), char(header.size() >> 8)};
  start += header;
  File file(std::fopen(path.c_str(), "wbx"));
  bool isGood = file && std::fwrite(start.data(), 1, start.size(), file.get()) == start.size() &&
                std::fwrite(values, sizeof(float), rows * columns, file.get()) == rows * columns;
  if (!isGood || std::fclose(file.release()) != 0)
    throw Failure(fmt::format("{}: cannot write: {}", path, std::strerror(errno)));
  return start.size() + rows * columns * sizeof(float);
}

Matrix readNpy(const std::string &path, uint64_t rows, uint64_t columns) {
  File file(std::fopen(path.c_str(), "rb"));
  struct stat status;
  if (!file || fstat(fileno(file.get()), &status) != 0)
    throw Failure(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  unsigned char start[prefix];
  if (!S_ISREG(status.st_mode) || std::fread(start, 1, prefix, file.get()) != prefix ||
      std::memcmp(start, magic.data(), magic.size()) != 0 || start[6] != 1)
    throw Failure(path + ": not a NumPy file of version 1");
  std::string header(start[8] + size_t(start[9]) * 256, '\0');
  if (std::fread(header.data(), 1, header.size(), file.get()) != header.size())
    throw Failure(path + ": its header is cut");
  static const std::regex known("\\{'descr': '<f4', 'fortran_order': False, 'shape': "
                                "\\(([0-9]{1,18}), ([0-9]{1,18})\\), \\}[ ]*\n");
  std::smatch shape;
  if (!std::regex_match(header, shape, known))
    throw Failure(path + ": expected a matrix of float32 in rows ('<f4')");
  if (std::stoull(shape[1]) != rows || std::stoull(shape[2]) != columns)
    throw Failure(fmt::format("{}: shape {} x {}, but trace.json says {} x {}", path, shape[1].str(),
                              shape[2].str(), rows, columns));
  // Against what is there: no product can overflow behind these.
  const uint64_t available = uint64_t(status.st_size) - prefix - header.size();
  if (columns == 0 || rows > available / sizeof(float) / columns ||
      rows * columns * sizeof(float) != available)
    throw Failure(
        fmt::format("{}: {} bytes of values, expected {} x {} float32", path, available, rows, columns));
  Matrix matrix{rows, columns, std::vector<float>(rows * columns)};
  if (std::fread(matrix.values.data(), sizeof(float), matrix.values.size(), file.get()) !=
      matrix.values.size())
    throw Failure(fmt::format("{}: cannot read: {}", path, std::strerror(errno)));
  return matrix;
}

} // namespace llmc::cli
