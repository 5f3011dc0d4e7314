//===- TensorTable.h - how the weights of a model are stored ----*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_TENSORTABLE_H
#define LLMC_TOOLS_LLMC_TENSORTABLE_H

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::cli {

struct TensorLine {
  std::string name, scheme;
  std::vector<uint64_t> shape; // outermost first
  uint64_t bytes;

  uint64_t values() const;
  double bitsPerWeight() const;
};

/// Bits a weight of all of them together.
double bitsPerWeight(const std::vector<TensorLine> &tensors);

/// A table for people: tensors that differ by the number of the layer alone share a line, and those numbers
/// are written as ranges: "blk.{0-3,5}.attn_q.weight  576x576  q4_0  5 x 186.6 kB  4.50 bits".
std::string tensorTable(const std::vector<TensorLine> &tensors);

/// "1234 bytes", "12.3 kB", "45.6 MB".
std::string bytesText(uint64_t bytes);

} // namespace llmc::cli
#endif
