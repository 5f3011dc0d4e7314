//===- TraceFile.h - a trace, read back -------------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_TRACEFILE_H
#define LLMC_TOOLS_LLMC_TRACEFILE_H

#include "tools/llmc/Npy.h"

#include <compare>
#include <memory>
#include <optional>

namespace llmc::cli {

/// The token that a row is of.
struct TokenPlace {
  int32_t seq = 0, pos = 0;
  auto operator<=>(const TokenPlace &) const = default;
};

/// What aligns one trace with another: the layer and the value's name; without a name where it comes from.
struct ValuePlace {
  int64_t layer = -1; // -1: outside the layers
  std::string name;
  auto operator<=>(const ValuePlace &) const = default;
  std::string text() const;
};

struct TraceRecord {
  ValuePlace place;
  std::string file, checksum; // may be empty
  uint64_t rows = 0, columns = 0;
  const std::vector<TokenPlace> *tokens = nullptr; // [rows]
  double min = 0, max = 0, mean = 0, std = 0, rms = 0;
  uint64_t nan = 0, inf = 0;
  std::vector<std::optional<double>> first; // without a number where the value is not finite
};

/// A Failure with one sentence unless it is a trace, whole and sound.
class TraceFile {
public:
  explicit TraceFile(std::string folder);
  TraceFile(const TraceFile &) = delete;
  TraceFile &operator=(const TraceFile &) = delete;
  const std::string &path() const { return folder; }
  const std::vector<TraceRecord> &records() const { return list; }
  Matrix valuesOf(const TraceRecord &) const;

private:
  std::string folder;
  std::vector<std::unique_ptr<std::vector<TokenPlace>>> rowLists;
  std::vector<TraceRecord> list;
};

} // namespace llmc::cli
#endif
