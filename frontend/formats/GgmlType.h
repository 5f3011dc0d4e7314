//===- GgmlType.h - storage types of tensors --------------------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_GGMLTYPE_H
#define LLMC_FRONTEND_FORMATS_GGMLTYPE_H

#include <cstdint>

namespace llmc::formats {

/// Storage types, with the numbers of GGUF files.
enum class GgmlType : uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q8_1 = 9,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  Q8_K = 15,
  IQ4_NL = 20,
  IQ4_XS = 23,
  I8 = 24,
  I16 = 25,
  I32 = 26,
  I64 = 27,
  F64 = 28,
  BF16 = 30,
  MXFP4 = 39,
};

/// Values per block, bytes per block and name of a type; null for a number the format does not define.
struct GgmlTypeInfo {
  const char *name; // "q4_1"
  uint32_t blockValues, blockBytes;
};
const GgmlTypeInfo *ggmlTypeInfo(uint32_t type);

} // namespace llmc::formats
#endif
