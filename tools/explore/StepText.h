//===- StepText.h - the tables of a step program ----------------*- C++ -*-===//
//
// What runs, as plain data: weights, buffers, caches and the rows of the dispatch table. Read from the text
// of a step.program, or from the tables of a model.so.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_STEPTEXT_H
#define LLMC_TOOLS_EXPLORE_STEPTEXT_H

#include "tools/explore/IrText.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::explore {

struct WeightRow {
  std::string id, name, scheme; // name: of the tensors it is made from
  std::vector<int64_t> shape;
  int64_t bytes = 0, offset = 0;
};
struct BufferRow {
  std::string id, rows, value; // rows: a row space; value: what stands in it, if known
  int64_t rowBytes = 0;
};
struct CacheRow {
  std::string name, type;
  int64_t layers = 0, heads = 0, dimK = 0, dimV = 0, pageTokens = 1, pageBytes = 0;
};
struct DispatchRow {
  std::string kernel, rows;
  std::vector<std::string> from;      // places of sources
  std::vector<int64_t> reads, writes; // buffers
  std::vector<int64_t> weights;
  int64_t layer = -1; // outside of the layers
  int64_t cache = -1; // the dispatch runs only where a session uses this cache; -1: always
  bool hasBarrier = false;
  int64_t weightBytes = 0, rowBytes = 0, keyBytes = 0, flopsPerRow = 0, flopsPerKey = 0;
};
struct Program {
  nlohmann::ordered_json model = nlohmann::ordered_json::object(); // name, vocab, layers, …
  std::vector<WeightRow> weights;
  std::vector<BufferRow> buffers;
  std::vector<CacheRow> caches;
  std::vector<DispatchRow> dispatches;
  struct Kernel {
    std::string name, op;  // op: the line of the op it computes
    bool isLookup = false; // reads some rows of its table only
  };
  std::vector<Kernel> kernels;

  nlohmann::ordered_json json() const;
};

/// Throws std::runtime_error with `file` in its sentence if names in the program are not declared. Work per
/// row and key is not in the text: the caller knows it by kernel.
Program readProgram(const std::vector<Line> &lines, const Places &places, const std::string &file);

} // namespace llmc::explore
#endif
