//===- schemes_test.cpp - packing and unpacking are exact -----------------===//
#include "KernelJit.h"
#include "TestData.h"
#include "codegen/cpu/Entry.h"
#include "codegen/cpu/isa/Dot.h"
#include "ir/quant/SchemeIR.h"

#include <fstream>
#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

TEST(Schemes, TableIsConsistent) {
  for (const auto &scheme : quant::allSchemes()) {
    EXPECT_EQ(quant::schemeByName(scheme.name), &scheme);
    if (scheme.ggmlType != quant::noGgmlType) {
      EXPECT_EQ(quant::schemeForGgmlType(scheme.ggmlType), &scheme);
    }
    EXPECT_EQ(scheme.recordValues % scheme.group, 0);
    if (scheme.isInteger()) {
      EXPECT_EQ(quant::chunkValues % scheme.group, 0);
      EXPECT_EQ(scheme.recordValues % quant::chunkValues, 0);
      // Integer scales take a byte each, and super-blocks end with a cache line.
      const double bits = 8.0 * scheme.recordBytes / (16 * scheme.recordValues);
      const double fileBits = 8.0 * scheme.blockBytes / scheme.blockValues;
      EXPECT_LE(bits, scheme.hasSuperBlocks() ? 1.055 * fileBits : fileBits) << scheme.name;
      EXPECT_EQ(scheme.recordBytes % 64, 0) << "records of " << scheme.name << " start on a cache line";
    }
  }
  EXPECT_EQ(quant::schemeByName("q3_x"), nullptr);
  EXPECT_EQ(quant::schemeForGgmlType(99), nullptr);
  EXPECT_EQ(quant::schemeForGgmlType(quant::noGgmlType), nullptr);
}

struct BlockReference {
  uint32_t type, values, size, count;
  std::vector<uint8_t> blocks;
  std::vector<float> floats;
};

/// tests/support/make_scheme_blocks.py describes the file.
std::vector<BlockReference> blockReferences() {
  std::ifstream in(LLMC_SCHEME_BLOCKS, std::ios::binary);
  char magic[8] = {};
  uint32_t types = 0;
  in.read(magic, 8).read(reinterpret_cast<char *>(&types), 4);
  EXPECT_EQ(std::string_view(magic, 8), "LLMCBLK1");
  std::vector<BlockReference> result(types);
  for (BlockReference &r : result) {
    in.read(reinterpret_cast<char *>(&r), 16);
    r.blocks.resize(size_t(r.size) * r.count);
    r.floats.resize(size_t(r.values) * r.count);
    in.read(reinterpret_cast<char *>(r.blocks.data()), r.blocks.size());
    in.read(reinterpret_cast<char *>(r.floats.data()), r.floats.size() * 4);
  }
  EXPECT_TRUE(in) << LLMC_SCHEME_BLOCKS << " is too short";
  return result;
}

/// The same bits, or both not a number.
bool isSame(float a, float b) { return (std::isnan(a) && std::isnan(b)) || sameBits(&a, &b, 1); }

TEST(Schemes, UnpackAsTheReferenceDoes) {
  size_t schemes = 0;
  for (const BlockReference &r : blockReferences()) {
    const quant::QuantScheme *scheme = quant::schemeForGgmlType(r.type);
    ASSERT_NE(scheme, nullptr) << "type " << r.type;
    SCOPED_TRACE(std::string(scheme->name));
    ++schemes;
    ASSERT_EQ(scheme->blockValues, r.values);
    ASSERT_EQ(scheme->blockBytes, r.size);
    std::vector<float> values(r.floats.size());
    scheme->unpackRow(r.blocks.data(), r.floats.size(), values.data());
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_TRUE(isSame(values[i], r.floats[i]))
          << "value " << i << ": " << values[i] << ", expected " << r.floats[i];
    // No bit of a block is left unread: each changes some value of some block.
    for (uint32_t bit = 0; bit < 8 * r.size; ++bit) {
      bool isSeen = false;
      for (uint32_t b = r.count; b-- > 0 && !isSeen;) {
        std::vector<uint8_t> block(r.blocks.begin() + b * r.size, r.blocks.begin() + (b + 1) * r.size);
        block[bit / 8] ^= uint8_t(1 << bit % 8);
        std::vector<float> changed(r.values);
        scheme->unpackRow(block.data(), r.values, changed.data());
        isSeen = !sameBits(changed.data(), &values[size_t(b) * r.values], r.values);
      }
      ASSERT_TRUE(isSeen) << "bit " << bit % 8 << " of byte " << bit / 8;
    }
  }
  for (const quant::QuantScheme &scheme : quant::allSchemes())
    schemes -= scheme.ggmlType != quant::noGgmlType;
  EXPECT_EQ(schemes, 0u) << "a scheme has no reference";
}

TEST(Schemes, UnpacksRowsWithAScale) {
  const quant::QuantScheme &scheme = *quant::schemeByName("int8");
  EXPECT_EQ(scheme.rowBytes(7), 11);
  uint8_t row[11] = {0, 0, 0, 0x3f, 0, 1, 0xff, 127, 0x80, 2, 3}; // 0.5
  float values[7];
  scheme.unpackRow(row, 7, values);
  const float expected[7] = {0, 0.5, -0.5, 63.5, -64, 1, 1.5};
  EXPECT_TRUE(sameBits(values, expected, 7));
}

TEST(Schemes, UnpacksKnownBlocks) {
  // Scale 0.5 (0x3800), minimum -1 (0xbc00); byte 0 holds quants 0 and 16.
  std::vector<uint8_t> block(20, 0);
  block[1] = 0x38, block[3] = 0xbc, block[4] = 0xf3;
  float values[32];
  quant::schemeByName("q4_1")->unpackRow(block.data(), 32, values);
  EXPECT_EQ(values[0], 0.5f);
  EXPECT_EQ(values[16], 6.5f);
  EXPECT_EQ(values[1], -1.0f);
  block[2] = 0x0f;
  quant::schemeByName("q4_0")->unpackRow(block.data(), 32, values);
  EXPECT_EQ(values[0], 3.5f);
  EXPECT_EQ(values[16], -4.0f);
  block.assign(34, 0);
  block[1] = 0x38, block[2] = 0x80;
  quant::schemeByName("q8_0")->unpackRow(block.data(), 32, values);
  EXPECT_EQ(values[0], -64.0f);
  const uint8_t halves[] = {0x01, 0x00, 0x00, 0x7c, 0x01, 0x80, 0x00, 0x80}; // 2^-24, inf, -2^-24, -0
  quant::schemeByName("f16")->unpackRow(halves, 4, values);
  EXPECT_EQ(values[0], 0x1p-24f);
  EXPECT_EQ(values[1], INFINITY);
  EXPECT_EQ(values[2], -0x1p-24f);
  EXPECT_TRUE(values[3] == 0 && std::signbit(values[3]));
}

// pack -> loadElement and RecordReader::column == unpackRow, for random blocks and a panel with missing rows.
TEST(Schemes, PackedElementsAreExact) {
  Random random(1);
  for (const cpu::Isa *isa : runnableBases()) {
    for (const auto &scheme : quant::allSchemes()) {
      SCOPED_TRACE(std::string(scheme.name) + " on " + isa->name.str());
      // Whole chunks but no whole record, a row that ends inside a block, and more than one super-block.
      for (const int64_t k : scheme.isInteger() ? std::vector<int64_t>{301} : std::vector<int64_t>{100}) {
        Weights weights(scheme, 21, k, random);
        KernelJit jit;
        emit::Emitter e(jit.module().getLoc(), jit.module().getContext());
        // args: packed, element by element [32][k], by columns [padded k][32]
        cpu::emitEntry(e, jit.module(), "read", *isa, [&](const emit::KernelArguments &a) {
          auto packed = a.pointer(e, 0), elements = a.pointer(e, 1), columns = a.pointer(e, 2);
          e.loop(e.c(0), e.c(32), 1, [&](mlir::Value row) {
            auto panel = e.at(packed, e.mul(e.div(row, 16), scheme.panelBytes(k)));
            e.loop(e.c(0), e.c(k), 1, [&](mlir::Value column) {
              auto value = quant::loadElement(e, scheme, panel, e.rem(row, 16), column, k);
              e.store(value, e.at(elements, e.mul(e.add(e.mul(row, k), column), 4)));
            });
          });
          if (scheme.isCoded())
            return;
          const int64_t step = std::min(scheme.recordValues, quant::chunkValues);
          e.loop(e.c(0), e.c(2), 1, [&](mlir::Value panel) {
            auto base = e.at(packed, e.mul(panel, scheme.panelBytes(k)));
            auto ofPanel = quant::OuterScales::ofPanel(e, scheme, base);
            e.loop(e.c(0), e.c(scheme.records(k)), 1, [&](mlir::Value number) {
              auto record = e.at(base, e.add(e.mul(number, scheme.recordBytes), scheme.panelHeader));
              auto outer =
                  scheme.hasSuperBlocks() ? quant::OuterScales::ofRecord(e, scheme, record) : ofPanel;
              e.loop(e.c(0), e.c(scheme.recordValues / step), 1, [&](mlir::Value chunk) {
                quant::ChunkReader reader(e, scheme, record, chunk, outer, cpu::byteLookup(e, isa->dot));
                auto first = e.add(e.mul(number, scheme.recordValues), e.mul(chunk, step));
                auto out = e.at(columns, e.add(e.mul(first, 128), e.mul(panel, 64)));
                for (int64_t i = 0; i < step; ++i)
                  e.store(reader.column(i), out, i * 128);
              });
            });
          });
        });
        ASSERT_TRUE(jit.compile());
        std::vector<float> elements(32 * k, NAN), columns(32 * scheme.records(k) * scheme.recordValues, NAN);
        StepRunner runner;
        runner.run(jit, "read", {}, 1, {weights.packed, elements.data(), columns.data()}, 1);
        for (int64_t r = 0; r < 32; ++r)
          for (int64_t i = 0; i < k; ++i) {
            const float expected = r < 21 ? weights.values[r * k + i] : 0;
            ASSERT_EQ(elements[r * k + i], expected) << r << ", " << i;
            if (!scheme.isCoded()) {
              ASSERT_EQ(columns[i * 32 + r], expected) << r << ", " << i;
            }
          }
      }
    }
  }
}

} // namespace
