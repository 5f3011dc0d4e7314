//===- ShortestF32.h - numbers of files as people write them ----*- C++ -*-===//
#ifndef LLMC_FRONTEND_SHORTESTF32_H
#define LLMC_FRONTEND_SHORTESTF32_H

#include <charconv>

namespace llmc::frontend {

/// The double whose shortest decimal is that of the f32 nearest to `value`: 1e-5, not 9.99999974e-6.
inline double shortestF32(double value) {
  char text[64];
  auto written = std::to_chars(text, text + sizeof text, static_cast<float>(value));
  double result = value;
  std::from_chars(text, written.ptr, result);
  return result;
}

} // namespace llmc::frontend
#endif
