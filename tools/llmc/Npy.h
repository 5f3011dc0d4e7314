//===- Npy.h - arrays of float32 in NumPy's file format ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_NPY_H
#define LLMC_TOOLS_LLMC_NPY_H

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::cli {

/// A matrix in rows.
struct Matrix {
  uint64_t rows = 0, columns = 0;
  std::vector<float> values;
};

/// Writes a new file and returns its size. A Failure if that cannot be.
uint64_t writeNpy(const std::string &path, const float *values, uint64_t rows, uint64_t columns);
/// A Failure unless the file holds just a matrix of little-endian float32, row by row, of this shape.
Matrix readNpy(const std::string &path, uint64_t rows, uint64_t columns);

} // namespace llmc::cli
#endif
