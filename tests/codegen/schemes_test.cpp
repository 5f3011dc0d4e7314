//===- schemes_test.cpp - packing and unpacking are exact -----------------===//
#include "KernelJit.h"
#include "TestData.h"
#include "codegen/cpu/Emitter.h"
#include "ir/quant/SchemeIR.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

TEST(Schemes, TableIsConsistent) {
  for (const auto &scheme : quant::allSchemes()) {
    EXPECT_EQ(quant::schemeByName(scheme.name), &scheme);
    EXPECT_EQ(quant::schemeForGgmlType(scheme.ggmlType), &scheme);
    EXPECT_EQ(scheme.recordValues % scheme.group, 0);
    if (scheme.isInteger()) {
      EXPECT_EQ(scheme.recordBytes % 64, 0) << "records of " << scheme.name << " start on a cache line";
    }
  }
  EXPECT_EQ(quant::schemeByName("q3_x"), nullptr);
  EXPECT_EQ(quant::schemeForGgmlType(99), nullptr);
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
  for (const cpu::Isa *isa : runnableIsas()) {
    for (const auto &scheme : quant::allSchemes()) {
      SCOPED_TRACE(std::string(scheme.name) + " on " + isa->name.str());
      const int64_t k = scheme.isInteger() ? 160 : 100;
      Weights weights(scheme, 21, k, random);
      KernelJit jit;
      cpu::Emitter e(jit.module().getLoc(), jit.module().getContext());
      // args: packed, element by element [32][k], by columns [k][32]
      cpu::emitEntry(e, jit.module(), "read", *isa, [&](const cpu::KernelArguments &a) {
        auto packed = a.pointer(e, 0), elements = a.pointer(e, 1), columns = a.pointer(e, 2);
        e.loop(e.c(0), e.c(32), 1, [&](mlir::Value row) {
          auto panel = e.at(packed, e.mul(e.div(row, 16), scheme.panelBytes(k)));
          e.loop(e.c(0), e.c(k), 1, [&](mlir::Value column) {
            auto value = quant::loadElement(e, scheme, panel, e.rem(row, 16), column);
            e.store(value, e.at(elements, e.mul(e.add(e.mul(row, k), column), 4)));
          });
        });
        for (int64_t panel = 0; panel < 2; ++panel)
          for (int64_t record = 0; record < scheme.records(k); ++record) {
            auto base = e.at(packed, panel * scheme.panelBytes(k) + record * scheme.recordBytes);
            quant::RecordReader reader(e, scheme, base);
            for (int64_t i = 0; i < scheme.recordValues && record * scheme.recordValues + i < k; ++i)
              e.store(reader.column(i), columns, ((record * scheme.recordValues + i) * 32 + panel * 16) * 4);
          }
      });
      ASSERT_TRUE(jit.compile());
      std::vector<float> elements(32 * k, NAN), columns(32 * k, NAN);
      StepRunner runner;
      runner.run(jit, "read", {}, 1, {weights.packed, elements.data(), columns.data()}, 1);
      for (int64_t r = 0; r < 32; ++r)
        for (int64_t i = 0; i < k; ++i) {
          const float expected = r < 21 ? weights.values[r * k + i] : 0;
          ASSERT_EQ(elements[r * k + i], expected) << r << ", " << i;
          ASSERT_EQ(columns[i * 32 + r], expected) << r << ", " << i;
        }
    }
  }
}

} // namespace
