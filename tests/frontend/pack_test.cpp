//===- pack_test.cpp - packed bytes of a program's weights ----------------===//
#include "WeightFile.h"

#include "codegen/PackWeights.h"
#include "ir/quant/quantize/Quantize.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace llmc;
using namespace llmc::codegen;
using llmc::test::TemporaryFolder;
using llmc::test::WeightFile;

namespace {

class PackTest : public testing::Test {
protected:
  void SetUp() override {
    context.loadDialect<lm::LMDialect, step::StepDialect>();
    file.add("q", {40, 64}, "q4_1"); // 2.5 panels
    file.add("f", {18, 7}, "f16");
    file.add("v", {21}, "f16");
    std::string wide(18 * 40 * 2, '\0'); // the second panel has every exponent there is
    for (size_t i = 16 * 40 * 2; i < wide.size(); ++i)
      wide[i] = static_cast<char>(i * 37);
    file.writer.addTensor("wide", {18, 40}, 30, wide);
    ASSERT_TRUE(file.writer.write(folder.path("w.gguf")));
    source = WeightSource::open({folder.path("w.gguf")}, error);
    ASSERT_TRUE(source) << error;
  }

  std::string weight(const std::string &name, const std::string &scheme, int64_t offset, int64_t bytes,
                     const std::string &expression, const std::string &type) {
    return "step.weight @" + name + " {scheme = " + scheme + ", offset = " + std::to_string(offset) +
           ", bytes = " + std::to_string(bytes) + "} {\n" + expression + "\nstep.return %w : !lm.weight<" +
           type + ">\n}\n";
  }

  /// What packing `ops` writes; empty on failure.
  std::string pack(const std::string &ops, int64_t total) {
    std::string text =
        "step.program @p {vocab = 4, context = 8, layers = 1, hidden = 4, heads = 1, kv_heads = 1, "
        "parameters = 4, weight_bytes = " +
        std::to_string(total) + ", logits = @b, files = []} {\n" +
        "step.buffer @b {rows = asked, row_bytes = 16}\n" + ops + "}\n";
    std::string written;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
      message = d.str();
      return mlir::success();
    });
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << message << "\n" << text;
    if (!module)
      return {};
    llvm::raw_string_ostream out(written);
    auto packed = packWeights(*module->getOps<step::ProgramOp>().begin(), *source, out,
                              [&](uint64_t done, uint64_t all) { progress = {done, all}; });
    if (mlir::failed(packed))
      return {};
    EXPECT_EQ(packed->bytes, written.size());
    EXPECT_EQ(packed->hash, XXH3_64bits(written.data(), written.size()));
    EXPECT_EQ(progress, (std::pair<uint64_t, uint64_t>(total, total)));
    return written;
  }

  static float floatAt(const std::string &bytes, size_t at) {
    float value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  }
  static bool isZero(const std::string &bytes, size_t from, size_t to) {
    return std::all_of(bytes.begin() + from, bytes.begin() + to, [](char c) { return c == 0; });
  }

  TemporaryFolder folder;
  WeightFile file;
  mlir::MLIRContext context;
  std::unique_ptr<WeightSource> source;
  std::string error, message;
  std::pair<uint64_t, uint64_t> progress;
};

TEST_F(PackTest, QuantizedMatrixInPanels) {
  const quant::QuantScheme &q4 = *quant::schemeByName("q4_1");
  int64_t bytes = packedBytes(&q4, {40, 64});
  std::string packed = pack(weight("q", "q4_1", 0, bytes, "%w = lm.weight \"q\" : <40x64>", "40x64"), bytes);
  ASSERT_EQ(static_cast<int64_t>(packed.size()), 3 * q4.panelBytes(64));
  std::vector<uint8_t> panel(q4.panelBytes(64));
  for (int64_t p = 0; p < 3; ++p) {
    std::vector<const uint8_t *> rows;
    for (int64_t r = 16 * p; r < std::min<int64_t>(40, 16 * p + 16); ++r)
      rows.push_back(reinterpret_cast<const uint8_t *>(file["q"].bytes.data()) + r * q4.rowBytes(64));
    EXPECT_TRUE(q4.packPanel(rows, 64, panel.data()));
    EXPECT_EQ(std::memcmp(panel.data(), packed.data() + p * panel.size(), panel.size()), 0) << p;
  }
}

TEST_F(PackTest, BatchesFollowOneAnother) {
  // Several batches, the last one short, around a matrix of less than one.
  WeightFile other;
  other.add("long", {20'003, 256}, "q4_0");
  other.add("short", {33, 64}, "f16");
  ASSERT_TRUE(other.writer.write(folder.path("long.gguf")));
  source = WeightSource::open({folder.path("long.gguf")}, error);
  ASSERT_TRUE(source) << error;
  auto panelsOf = [&](const std::string &name) {
    const WeightFile::Matrix &m = other[name];
    std::string packed(m.scheme->packedBytes(m.rows, m.columns), '\0');
    for (int64_t first = 0; first < m.rows; first += 16) {
      std::vector<const uint8_t *> rows;
      for (int64_t r = first; r < std::min(first + 16, m.rows); ++r)
        rows.push_back(reinterpret_cast<const uint8_t *>(m.bytes.data()) + r * m.scheme->rowBytes(m.columns));
      EXPECT_TRUE(m.scheme->packPanel(rows, m.columns,
                                      reinterpret_cast<uint8_t *>(packed.data()) +
                                          first / 16 * m.scheme->panelBytes(m.columns)));
    }
    return packed;
  };
  std::string ops, expected;
  auto append = [&](const std::string &name, const std::string &tensor) {
    const WeightFile::Matrix &m = other[tensor];
    const std::string shape = std::to_string(m.rows) + "x" + std::to_string(m.columns);
    ops +=
        weight(name, std::string(m.scheme->name), expected.size(), m.scheme->packedBytes(m.rows, m.columns),
               "%w = lm.weight \"" + tensor + "\" : <" + shape + ">", shape);
    expected += panelsOf(tensor);
  };
  // The same tensor once more, after its pages were given back.
  append("first", "long");
  append("second", "short");
  append("third", "long");
  ASSERT_GT(expected.size(), 5u << 20);
  const std::string packed = pack(ops, expected.size());
  ASSERT_EQ(packed.size(), expected.size()) << message;
  EXPECT_TRUE(packed == expected);
}

TEST_F(PackTest, WidenedMatrixHoldsTheExactValues) {
  int64_t bytes = packedBytes(quant::schemeByName("f32"), {40, 64});
  std::string packed = pack(weight("q", "f32", 0, bytes, "%w = lm.weight \"q\" : <40x64>", "40x64"), bytes);
  ASSERT_EQ(static_cast<int64_t>(packed.size()), bytes);
  // Float panels: for each column 16 rows.
  for (int64_t r = 0; r < 48; ++r)
    for (int64_t c = 0; c < 64; ++c)
      ASSERT_EQ(floatAt(packed, ((r / 16 * 64 + c) * 16 + r % 16) * 4), r < 40 ? file["q"].at(r, c) : 0.0f);
}

TEST_F(PackTest, VectorsConstantsAndGaps) {
  std::string ops = weight("v", "vector", 256, 128, "%w = lm.weight \"v\" : <21>", "21") +
                    "step.constant @c {values = [1.5, 2.5], offset = 64}\n";
  std::string packed = pack(ops, 512);
  ASSERT_EQ(packed.size(), 512u) << message;
  EXPECT_TRUE(isZero(packed, 0, 64));
  EXPECT_EQ(floatAt(packed, 64), 1.5f);
  EXPECT_EQ(floatAt(packed, 68), 2.5f);
  EXPECT_TRUE(isZero(packed, 72, 256));
  for (int64_t i = 0; i < 21; ++i)
    EXPECT_EQ(floatAt(packed, 256 + 4 * i), file["v"].at(i, 0));
  EXPECT_TRUE(isZero(packed, 256 + 84, 512));
  EXPECT_EQ(pack(ops, 512), packed);
}

TEST_F(PackTest, ExpressionsAreEvaluated) {
  int64_t bytes = packedBytes(quant::schemeByName("f16"), {7, 18});
  std::string packed =
      pack(weight("t", "f16", 0, bytes,
                  "%a = lm.weight \"f\" : <18x7>\n%w = lm.w.transpose %a : <18x7> -> <7x18>", "7x18"),
           bytes);
  ASSERT_EQ(static_cast<int64_t>(packed.size()), bytes) << message;
  for (int64_t r = 0; r < 7; ++r)
    for (int64_t c = 0; c < 18; ++c)
      EXPECT_EQ(std::memcmp(packed.data() + (c * 16 + r) * 2, file["f"].bytes.data() + (c * 7 + r) * 2, 2),
                0);
}

TEST_F(PackTest, RowsAreQuantizedAndPadded) {
  // Rows of 7 values in blocks of 32, on several threads.
  const quant::QuantScheme &q8 = *quant::schemeByName("q8_0");
  const quant::Quantizer &quantizer = *quant::quantizerByName("q8_0");
  int64_t bytes = packedBytes(&q8, {18, 7});
  std::string packed =
      pack(weight("f", "q8_0", 0, bytes,
                  "%a = lm.weight \"f\" : <18x7>\n%w = lm.w.quantize %a {to = q8_0} : <18x7>", "18x7"),
           bytes);
  ASSERT_EQ(static_cast<int64_t>(packed.size()), bytes) << message;
  std::vector<uint8_t> blocks(16 * quantizer.rowBytes(7)), panel(q8.panelBytes(32));
  for (int64_t p = 0; p < 2; ++p) {
    std::vector<const uint8_t *> rows;
    for (int64_t r = 16 * p; r < std::min<int64_t>(18, 16 * p + 16); ++r) {
      rows.push_back(blocks.data() + (r % 16) * quantizer.rowBytes(7));
      quantizer.row(file["f"].values.data() + r * 7, 7, blocks.data() + (r % 16) * quantizer.rowBytes(7));
    }
    EXPECT_TRUE(q8.packPanel(rows, 32, panel.data()));
    EXPECT_EQ(std::memcmp(panel.data(), packed.data() + p * panel.size(), panel.size()), 0) << p;
  }
}

TEST_F(PackTest, WhatCannotBeStoredIsRefused) {
  std::string values(8 * 4, '\0');
  const float infinite = INFINITY;
  std::memcpy(&values[12], &infinite, 4);
  WeightFile other;
  other.writer.addTensor("bad", {1, 8}, 0, values);
  ASSERT_TRUE(other.writer.write(folder.path("bad.gguf")));
  source = WeightSource::open({folder.path("bad.gguf")}, error);
  ASSERT_TRUE(source) << error;
  int64_t bytes = packedBytes(quant::schemeByName("f16"), {1, 8});
  EXPECT_EQ(pack(weight("n", "f16", 0, bytes,
                        "%a = lm.weight \"bad\" : <1x8>\n%w = lm.w.quantize %a {to = f16} : <1x8>", "1x8"),
                 bytes),
            "");
  EXPECT_EQ(
      message,
      "row 0 of tensor 'bad' holds inf in column 3, expected a number below 6.55e+04 to quantize to f16");
}

TEST_F(PackTest, WhatDoesNotFitIsRefused) {
  const int64_t bytes = packedBytes(quant::schemeByName("bf16z"), {18, 40});
  EXPECT_EQ(
      pack(weight("w0", "bf16z", 0, bytes,
                  "%a = lm.weight \"wide\" : <18x40>\n%w = lm.w.quantize %a {to = bf16z} : <18x40>", "18x40"),
           bytes),
      "");
  EXPECT_NE(message.find(
                "row 16 of tensor 'wide' and those behind it hold numbers of more different exponents than "
                "bf16z has room for"),
            std::string::npos)
      << message;
}

TEST_F(PackTest, WrongPlacesAndSizesAreRefused) {
  const std::string v = "%w = lm.weight \"v\" : <21>", q = "%w = lm.weight \"q\" : <40x64>";
  EXPECT_EQ(pack(weight("v", "vector", 32, 128, v, "21"), 512), "");
  EXPECT_EQ(message, "'step.weight' op has offset 32, expected a multiple of 64");
  EXPECT_EQ(pack(weight("v", "vector", 0, 128, v, "21") + weight("w", "vector", 64, 128, v, "21"), 512), "");
  EXPECT_EQ(message, "'step.weight' op at offset 64 overlaps the one before, which ends at 128");
  EXPECT_EQ(pack(weight("v", "vector", 0, 64, v, "21"), 512), "");
  EXPECT_EQ(message, "'step.weight' op has 64 'bytes' but packs to 128");
  EXPECT_EQ(pack(weight("v", "vector", 0, 128, v, "21"), 64), "");
  EXPECT_EQ(message, "'step.program' op has 64 'weight_bytes' but its weights end at 128");
  EXPECT_EQ(pack(weight("q", "q9", 0, 64, q, "40x64"), 64), "");
  EXPECT_EQ(message, "'step.weight' op has an unknown scheme 'q9'");
  EXPECT_EQ(pack(weight("q", "vector", 0, 64, q, "40x64"), 64), "");
  EXPECT_EQ(message, "'step.weight' op with scheme 'vector' expected a vector but got '!lm.weight<40x64>'");
  int64_t bytes = packedBytes(quant::schemeByName("q8_0"), {40, 64});
  EXPECT_EQ(pack(weight("q", "q8_0", 0, bytes, q, "40x64"), bytes), "");
  EXPECT_EQ(message, "'step.weight' op is stored as q4_1 and cannot be packed as q8_0");
}

} // namespace
