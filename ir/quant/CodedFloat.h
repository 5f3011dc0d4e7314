//===- CodedFloat.h - bf16 in 12 bits, without loss -------------*- C++ -*-===//
//
// The weights of a panel have few different exponents: 15 of the 256 there are, and that of zeros, cover all
// but about one weight in ten thousand of a trained matrix (the entropy of the exponents is 2 to 3 bits:
// Zhang et al., "70% Size, 100% Accuracy: Lossless LLM Compression", 2025). A weight is the byte of its sign
// and mantissa and a code of 4 bits, which stands for an exponent of the panel's table. Code 15 is always
// exponent 0, of zeros and subnormal numbers. A weight of any other exponent, an exception, stands as +0, and
// what it is stands in a list behind the records.
//
// A panel:
//   header:     16 bytes: the upper 7 bits of the exponent of each code; 16 bytes: its lowest bit, in bit 7;
//               u32: number of exceptions; zeros
//   records:    of 8 columns: a line of signs and mantissas of columns 0 to 3, one of columns 4 to 7, and one
//               of codes, those of columns 0 to 3 in the low nibbles. byteOf() is the order in a line, which
//               makes the bf16 of two columns side by side when bytes of exponents are interleaved with it.
//   exceptions: in the order of columns, then rows: u32 column * 16 + row, u16 bf16, u16 zero; zeros
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_CODEDFLOAT_H
#define LLMC_IR_QUANT_CODEDFLOAT_H

#include <cstdint>
#include <span>

namespace llmc::quant::coded {

constexpr int64_t columns = 8, lineColumns = 4; // of a record, and of a line
constexpr int64_t codesOffset = 128, recordBytes = 192;
constexpr int64_t lowsOffset = 16, countOffset = 32, headerBytes = 64;
constexpr int64_t exceptionBytes = 8, bitsOffset = 4; // of an exception, and where its bf16 stands in it
constexpr int codes = 16, zeroCode = 15;

/// Of column 0 to 3.
constexpr int64_t byteOf(int64_t row, int64_t column) {
  return row / 4 * 16 + row % 4 * 2 + column % 2 + column / 2 * 8;
}
/// What a panel has room for: one weight in 512.
constexpr int64_t mostExceptions(int64_t k) { return ((k / 32 + 1) * exceptionBytes + 63) / 64 * 8; }
constexpr int64_t listBytes(int64_t k) { return mostExceptions(k) * exceptionBytes; }

// QuantScheme::packPanel and fits. `out` is aligned to 8 bytes.
bool packPanel(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out);
bool fits(std::span<const uint8_t *const> rows, int64_t k);

} // namespace llmc::quant::coded
#endif
