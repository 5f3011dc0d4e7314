//===- PlainDecoder.h - stored rows to numbers, one at a time ---*- C++ -*-===//
//
// What a row of a quantized weight stands for, read straight off the description of its format: one number
// after the other, in double precision, with nothing shared between formats but the reading of an f16.
//
// It is the judge of everything that reads weights, so it is independent of all that: it uses neither the
// readers of blocks and the table of schemes in ir/quant (which packing, unpackRow and the IR in kernels have
// in common) nor their tricks with bits. Only the name of a format and the bytes come from there.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_PLAINDECODER_H
#define LLMC_TOOLS_GATE_PLAINDECODER_H

#include <cstdint>
#include <string_view>

namespace llmc::tools {

/// The formats that weights can be quantized to: f16, bf16, bf16z (whose rows are bf16), q8_0,
/// q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, int8.
bool canDecode(std::string_view format);

/// The `k` numbers of a row. The format must be one of them.
void decodeRow(std::string_view format, const uint8_t *row, int64_t k, float *out);

} // namespace llmc::tools
#endif
