//===- RotaryFrequencies.h - the numbers behind lm.rope ---------*- C++ -*-===//
#ifndef LLMC_IR_ROTARYFREQUENCIES_H
#define LLMC_IR_ROTARYFREQUENCIES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cmath>
#include <optional>

namespace llmc::lm {

/// f_j = base^(-2j / dims) for each pair, or the numbers `given`: worked out in double and rounded once to
/// f32, as the reference implementations have them.
inline llvm::SmallVector<float> rotaryFrequencies(int64_t dims, double base,
                                                  std::optional<llvm::ArrayRef<double>> given) {
  llvm::SmallVector<float> result;
  for (int64_t j = 0; j < dims / 2; ++j)
    result.push_back(static_cast<float>(
        given ? (*given)[j] : std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(dims))));
  return result;
}

} // namespace llmc::lm
#endif
