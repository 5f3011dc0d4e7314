//===- Rows.h - the quantizers of each family, inside ir/quant/quantize -*- C++ -*-===//
#ifndef LLMC_IR_QUANT_QUANTIZE_ROWS_H
#define LLMC_IR_QUANT_QUANTIZE_ROWS_H

#include <cstdint>

namespace llmc::quant {

// Each rounds one row of k finite values; see Quantizer::row.
void quantizeRowF16(const float *x, int64_t k, uint8_t *out); // Float.cpp
void quantizeRowBF16(const float *x, int64_t k, uint8_t *out);
void quantizeRowQ8_0(const float *x, int64_t k, uint8_t *out); // Block.cpp
void quantizeRowQ4_0(const float *x, int64_t k, uint8_t *out);
void quantizeRowQ4_1(const float *x, int64_t k, uint8_t *out);
void quantizeRowQ5_0(const float *x, int64_t k, uint8_t *out);
void quantizeRowQ5_1(const float *x, int64_t k, uint8_t *out);
void quantizeRowQ4K(const float *x, int64_t k, uint8_t *out); // KBlock.cpp
void quantizeRowQ6K(const float *x, int64_t k, uint8_t *out);
void quantizeRowInt8(const float *x, int64_t k, uint8_t *out); // ChannelInt8.cpp

} // namespace llmc::quant
#endif
