//===- SchemeTable.h - the table of schemes ---------------------*- C++ -*-===//
//
// One row per storage format; a new parameter set of a known family is a new row and nothing else.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_SCHEMETABLE_H
#define LLMC_IR_QUANT_SCHEMETABLE_H

#include "ir/quant/Blocks.h"
#include "ir/quant/CodedFloat.h"
#include "ir/quant/SuperBlocks.h"

namespace llmc::quant {

inline constexpr int8_t iq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};
/// Twice the values of a 4-bit float with two bits of exponent and one of mantissa.
inline constexpr int8_t fp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

using Reader = void (*)(const QuantScheme &, const uint8_t *, StoredBlock &);

constexpr QuantScheme floats(std::string_view name, uint32_t type, Storage storage, int64_t bytes) {
  return {name,    type, storage,           0, 1, bytes, nullptr, 1, 0, 0, ScaleKind::None, false, 0,
          nullptr, 1,    bytes * panelRows, 0, 0};
}

constexpr QuantScheme codedFloats(std::string_view name) {
  QuantScheme s = floats(name, noGgmlType, Storage::CodedBFloat16, 2);
  s.recordValues = coded::columns;
  s.recordBytes = coded::recordBytes;
  s.panelHeader = coded::headerBytes;
  return s;
}

/// Rounding activations to 8 bits in groups of 32 is the only inexact step of an integer product, whatever
/// the weights are: it moves logits by 0.06 to 0.13 std in the models of tests/fixtures (make_tiny_gguf.py
/// --check prints it for each type), and the worst of 98,304 logits of a model of 135 M parameters by 0.31.
inline constexpr double activationBudget = 0.35;

/// A record is a number of blocks that fills whole cache lines; where that would take more than a
/// super-block, the rest of the last line is left empty.
constexpr QuantScheme integers(std::string_view name, uint32_t type, int64_t blockValues, int64_t blockBytes,
                               Reader read, int64_t group, int lowBits, int highBits, ScaleKind scale,
                               bool hasMin, int32_t zeroPoint, const int8_t *codebook) {
  const bool isRow = scale == ScaleKind::Row;
  QuantScheme s = {.name = name,
                   .ggmlType = type,
                   .storage = Storage::Integer,
                   .rowHeader = isRow ? 4 : 0,
                   .blockValues = blockValues,
                   .blockBytes = blockBytes,
                   .readBlock = read,
                   .group = group,
                   .lowBits = lowBits,
                   .highBits = highBits,
                   .scale = scale,
                   .hasMin = hasMin,
                   .zeroPoint = zeroPoint,
                   .codebook = codebook,
                   .recordValues = 0,
                   .recordBytes = 0,
                   .panelHeader = isRow ? 4 * panelRows : 0,
                   .int8Budget = activationBudget};
  do {
    s.recordValues += blockValues < chunkValues ? chunkValues : blockValues;
    s.recordBytes = s.superScalesOffset() + (s.hasSuperBlocks() ? 2 * panelRows * (1 + hasMin) : 0);
  } while (s.recordBytes % lineBytes && s.recordValues < StoredBlock::maxValues);
  s.recordBytes = (s.recordBytes + lineBytes - 1) / lineBytes * lineBytes;
  return s;
}

inline constexpr ScaleKind half = ScaleKind::Half, super = ScaleKind::SuperBlock;

inline constexpr QuantScheme schemes[] = {
    floats("f32", 0, Storage::Float32, 4),
    floats("f16", 1, Storage::Float16, 2),
    floats("bf16", 30, Storage::BFloat16, 2),
    // clang-format off
    //       name, ggml type, block values and bytes, reader, group, low and high bits, scale, min, zero point, codebook,
    // and the bits of a weight: packed (in the file)
    integers("q8_0", 8, 32, 34, readByteBlock, 32, 8, 0, half, false, 0, nullptr),                 // 8.5 (8.5)
    integers("q4_0", 2, 32, 18, readNibbleBlock, 32, 4, 0, half, false, 8, nullptr),               // 4.5 (4.5)
    integers("q4_1", 3, 32, 20, readNibbleBlock, 32, 4, 0, half, true, 0, nullptr),                // 5 (5)
    integers("q5_0", 6, 32, 22, readNibbleBlock, 32, 4, 1, half, false, 16, nullptr),              // 5.5 (5.5)
    integers("q5_1", 7, 32, 24, readNibbleBlock, 32, 4, 1, half, true, 0, nullptr),                // 6 (6)
    integers("iq4_nl", 20, 32, 18, readNibbleBlock, 32, 4, 0, half, false, 0, iq4Values),          // 4.5 (4.5)
    integers("mxfp4", 39, 32, 17, readNibbleBlock, 32, 4, 0, ScaleKind::Exponent, false, 0, fp4Values), // 4.25 (4.25)
    integers("q2_k", 10, 256, 84, readQ2K, 16, 2, 0, ScaleKind::SuperNibbles, true, 0, nullptr),   // 2.625 (2.625)
    integers("q3_k", 11, 256, 110, readQ3K, 16, 2, 1, super, false, 4, nullptr),                   // 3.625 (3.4375)
    integers("q4_k", 12, 256, 144, readQ4K, 32, 4, 0, super, true, 0, nullptr),                    // 4.625 (4.5)
    integers("q5_k", 13, 256, 176, readQ4K, 32, 4, 1, super, true, 0, nullptr),                    // 5.625 (5.5)
    integers("q6_k", 14, 256, 210, readQ6K, 16, 4, 2, super, false, 32, nullptr),                  // 6.625 (6.5625)
    integers("iq4_xs", 23, 256, 136, readIq4Xs, 32, 4, 0, super, false, 0, iq4Values),             // 4.375 (4.25)
    integers("int8", noGgmlType, 1, 1, nullptr, 32, 8, 0, ScaleKind::Row, false, 0, nullptr),      // 8 + 32 / k
    // clang-format on
    codedFloats("bf16z"), // 12.2 (16)
};

} // namespace llmc::quant
#endif
