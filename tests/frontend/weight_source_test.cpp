//===- weight_source_test.cpp - weight expressions against plain floats ---===//
#include "WeightFile.h"

#include "codegen/WeightSource.h"
#include "ir/quant/quantize/Quantize.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::codegen;
using llmc::test::TemporaryFolder;
using llmc::test::WeightFile;

namespace {

class WeightSourceTest : public testing::Test {
protected:
  void SetUp() override {
    context.loadDialect<lm::LMDialect>();
    file.add("a", {96, 64}, "q4_1");
    file.add("b", {32, 64}, "q4_1");
    file.add("c", {32, 64}, "q8_0");
    file.add("f", {64, 96}, "f16");
    file.add("g", {6, 10}, "f32");
    file.add("v", {96}, "f32");
    file.add("blk.0.w", {32, 64}, "q4_0");
    file.add("blk.1.w", {32, 64}, "bf16");
    file.writer.addTensor("odd", {4, 4}, 24, std::string(16, '\0'));
    path = folder.path("w.gguf");
    ASSERT_TRUE(file.writer.write(path));
    source = WeightSource::open({path}, error);
    ASSERT_TRUE(source) << error;
  }

  /// The value of the last op of `lines`, which stand in a model.
  mlir::Value parse(const std::string &lines) {
    std::string text = "lm.model @m {vocab = 4, context = 8} {\n" + lines +
                       "\n%table = lm.weight \"t\" : <4x8>\nlm.forward(%tokens: !lm.tokens) {\n"
                       "%x = lm.embed %tokens, %table : <4x8>\n%y = lm.linear %x, %table : <4x8>\n"
                       "lm.return %y : tensor<?x4xf32>\n}\n}\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return {};
    auto model = *module->getOps<lm::ModelOp>().begin();
    mlir::Value last;
    for (mlir::Operation &op : model->getRegion(0).front())
      if (op.getNumResults() == 1 && !mlir::isa<lm::ForwardOp>(op) && op.getNextNode() &&
          !(mlir::isa<lm::WeightRefOp>(op) && mlir::cast<lm::WeightRefOp>(op).getTensor() == "t"))
        last = op.getResult(0);
    return last;
  }

  std::unique_ptr<WeightRows> evaluate(const std::string &lines, std::optional<int64_t> layer = {}) {
    messages.clear();
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
      messages.push_back(d.str());
      return mlir::success();
    });
    mlir::Value value = parse(lines);
    if (!value)
      return nullptr;
    auto scheme = source->schemeOf(value, layer);
    messages.clear();
    auto rows = source->evaluate(value, layer);
    EXPECT_EQ(mlir::succeeded(scheme), mlir::succeeded(rows));
    if (mlir::failed(rows))
      return nullptr;
    EXPECT_EQ((*scheme)->name, (*rows)->scheme().name);
    return std::move(*rows);
  }

  static std::vector<float> floats(const WeightRows &rows, int64_t r) {
    std::vector<float> out(rows.columns());
    rows.floats(r, out.data());
    return out;
  }
  std::vector<float> rowOf(const std::string &tensor, int64_t r) {
    const WeightFile::Matrix &m = file[tensor];
    return {m.values.begin() + r * m.columns, m.values.begin() + (r + 1) * m.columns};
  }

  TemporaryFolder folder;
  WeightFile file;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string path, error;
  std::vector<std::string> messages;
  std::unique_ptr<WeightSource> source;
};

TEST_F(WeightSourceTest, TensorIsTheFilesBytes) {
  auto rows = evaluate("%a = lm.weight \"a\" : <96x64>");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->scheme().name, "q4_1");
  EXPECT_EQ(rows->rows(), 96);
  EXPECT_EQ(rows->columns(), 64);
  const std::string &bytes = file["a"].bytes;
  for (int64_t r = 0; r < 96; ++r)
    ASSERT_EQ(std::memcmp(rows->read(r, nullptr, error), bytes.data() + r * 40, 40), 0);
}

TEST_F(WeightSourceTest, VectorHasOneColumn) {
  auto rows = evaluate("%v = lm.weight \"v\" : <96>");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->rows(), 96);
  EXPECT_EQ(rows->columns(), 1);
  EXPECT_EQ(floats(*rows, 5), rowOf("v", 5));
}

TEST_F(WeightSourceTest, LayerChoosesTensorAndScheme) {
  auto first = evaluate("%w = lm.weight \"blk.{i}.w\" : <32x64>", 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->scheme().name, "q4_0");
  auto second = evaluate("%w = lm.weight \"blk.{i}.w\" : <32x64>", 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->scheme().name, "bf16");
  EXPECT_EQ(floats(*second, 31), rowOf("blk.1.w", 31));
  EXPECT_FALSE(evaluate("%w = lm.weight \"blk.{i}.w\" : <32x64>", 2));
  EXPECT_EQ(messages, std::vector<std::string>{path + ": there is no tensor 'blk.2.w'"});
  EXPECT_FALSE(evaluate("%w = lm.weight \"blk.{i}.w\" : <32x64>"));
  EXPECT_EQ(messages,
            std::vector<std::string>{"'lm.weight' op names 'blk.{i}.w' outside the stack of layers"});
}

TEST_F(WeightSourceTest, RowMovesKeepTheBytes) {
  auto rows = evaluate("%a = lm.weight \"a\" : <96x64>\n"
                       "%r = lm.w.rows %a [16:80] : <96x64> -> <64x64>\n"
                       "%p = lm.w.permute %r {shape = [2, 16, 2], order = [0, 2, 1]} : <64x64>\n");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->scheme().name, "q4_1");
  EXPECT_TRUE(messages.empty());
  // Result row h * 32 + half * 16 + j is operand row h * 32 + j * 2 + half.
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t j = 0; j < 16; ++j)
        EXPECT_EQ(floats(*rows, h * 32 + half * 16 + j), rowOf("a", 16 + h * 32 + j * 2 + half));
}

TEST_F(WeightSourceTest, PermutationOfAVector) {
  auto rows = evaluate("%v = lm.weight \"v\" : <96>\n"
                       "%p = lm.w.permute %v {shape = [3, 4, 8], order = [2, 0, 1]} : <96>\n");
  ASSERT_TRUE(rows);
  for (int64_t i = 0; i < 8; ++i)
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t k = 0; k < 4; ++k)
        EXPECT_EQ(floats(*rows, i * 12 + j * 4 + k), rowOf("v", j * 32 + k * 8 + i));
}

TEST_F(WeightSourceTest, ConcatOfOneTypeIsLossless) {
  auto rows = evaluate("%a = lm.weight \"a\" : <96x64>\n%b = lm.weight \"b\" : <32x64>\n"
                       "%j = lm.w.concat %b, %a : !lm.weight<32x64>, !lm.weight<96x64> -> <128x64>\n");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->scheme().name, "q4_1");
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(floats(*rows, 31), rowOf("b", 31));
  EXPECT_EQ(floats(*rows, 32), rowOf("a", 0));
}

TEST_F(WeightSourceTest, ConcatOfTwoTypesIsFloatAndSaysSo) {
  auto rows = evaluate("%b = lm.weight \"b\" : <32x64>\n%c = lm.weight \"c\" : <32x64>\n"
                       "%j = lm.w.concat %b, %c : !lm.weight<32x64>, !lm.weight<32x64> -> <64x64>\n");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->scheme().name, "f32");
  EXPECT_EQ(messages,
            std::vector<std::string>{"'lm.w.concat' is stored as f32: parts have different storage types"});
  for (int64_t r = 0; r < 32; ++r) {
    EXPECT_EQ(floats(*rows, r), rowOf("b", r));
    EXPECT_EQ(floats(*rows, 32 + r), rowOf("c", r));
  }
}

TEST_F(WeightSourceTest, TransposeKeepsFloatTypes) {
  auto half = evaluate("%f = lm.weight \"f\" : <64x96>\n%t = lm.w.transpose %f : <64x96> -> <96x64>\n");
  ASSERT_TRUE(half);
  EXPECT_EQ(half->scheme().name, "f16");
  EXPECT_TRUE(messages.empty());
  auto blocks = evaluate("%a = lm.weight \"a\" : <96x64>\n%t = lm.w.transpose %a : <96x64> -> <64x96>\n");
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->scheme().name, "f32");
  EXPECT_EQ(messages.size(), 1u);
  for (int64_t r = 0; r < 64; ++r)
    for (int64_t c = 0; c < 96; ++c) {
      EXPECT_EQ(floats(*blocks, r)[c], file["a"].at(c, r));
      EXPECT_EQ(floats(*half, c)[r], file["f"].at(r, c));
    }
}

TEST_F(WeightSourceTest, Arithmetic) {
  auto scaled = evaluate("%c = lm.weight \"c\" : <32x64>\n%s = lm.w.scale %c {factor = 0.5} : <32x64>\n");
  ASSERT_TRUE(scaled);
  EXPECT_EQ(messages, std::vector<std::string>{"'lm.w.scale' is stored as f32: arithmetic needs floats"});
  auto added = evaluate("%b = lm.weight \"b\" : <32x64>\n%c = lm.weight \"c\" : <32x64>\n"
                        "%s = lm.w.add %b, %c : <32x64>\n");
  ASSERT_TRUE(added);
  for (int64_t r = 0; r < 32; ++r)
    for (int64_t c = 0; c < 64; ++c) {
      EXPECT_EQ(floats(*scaled, r)[c], 0.5f * file["c"].at(r, c));
      EXPECT_EQ(floats(*added, r)[c], file["b"].at(r, c) + file["c"].at(r, c));
    }
  auto product = evaluate("%b = lm.weight \"b\" : <32x64>\n%f = lm.weight \"f\" : <64x96>\n"
                          "%p = lm.w.mul %b, %f : <32x64>, <64x96> -> <32x96>\n");
  ASSERT_TRUE(product);
  for (int64_t r = 0; r < 32; ++r)
    for (int64_t c = 0; c < 96; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < 64; ++k)
        sum += double(file["b"].at(r, k)) * file["f"].at(k, c);
      EXPECT_EQ(floats(*product, r)[c], static_cast<float>(sum));
    }
}

TEST_F(WeightSourceTest, QuantizesRowsAsTheyAreRead) {
  auto rows = evaluate("%f = lm.weight \"f\" : <64x96>\n%q = lm.w.quantize %f {to = q8_0} : <64x96>\n"
                       "%r = lm.w.rows %q [8:40] : <64x96> -> <32x96>\n");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->scheme().name, "q8_0");
  EXPECT_FALSE(rows->isExact());
  EXPECT_TRUE(messages.empty()); // f16 is no blocks: nothing is lost twice
  const quant::Quantizer &quantizer = *quant::quantizerByName("q8_0");
  std::vector<uint8_t> room(rows->rowBytes()), expected(quantizer.rowBytes(96));
  for (int64_t r = 0; r < 32; ++r) {
    quantizer.row(rowOf("f", r + 8).data(), 96, expected.data());
    const uint8_t *row = rows->read(r, room.data(), error);
    ASSERT_TRUE(row) << error;
    ASSERT_EQ(std::memcmp(row, expected.data(), expected.size()), 0);
  }
}

TEST_F(WeightSourceTest, QuantizingToTheSameSchemeChangesNothing) {
  auto rows = evaluate("%a = lm.weight \"a\" : <96x64>\n%q = lm.w.quantize %a {to = q4_1} : <96x64>\n");
  ASSERT_TRUE(rows);
  EXPECT_TRUE(rows->isStoredAsIs());
  EXPECT_TRUE(messages.empty());
  auto again = evaluate("%a = lm.weight \"a\" : <96x64>\n%q = lm.w.quantize %a {to = q4_0} : <96x64>\n");
  ASSERT_TRUE(again);
  EXPECT_EQ(messages, std::vector<std::string>{"'lm.w.quantize' quantizes q4_1 once more, to q4_0"});
}

TEST_F(WeightSourceTest, ArithmeticSeesQuantizedValues) {
  auto rows = evaluate("%f = lm.weight \"f\" : <64x96>\n%q = lm.w.quantize %f {to = q4_0} : <64x96>\n"
                       "%s = lm.w.scale %q {factor = 2.0} : <64x96>\n");
  ASSERT_TRUE(rows);
  const quant::Quantizer &quantizer = *quant::quantizerByName("q4_0");
  std::vector<uint8_t> bytes(quantizer.rowBytes(96));
  std::vector<float> values(96);
  quantizer.row(rowOf("f", 5).data(), 96, bytes.data());
  quant::schemeByName("q4_0")->unpackRow(bytes.data(), 96, values.data());
  for (float &value : values)
    value *= 2;
  EXPECT_EQ(floats(*rows, 5), values);
}

TEST_F(WeightSourceTest, ConcatOfQuantizedPartsIsLossless) {
  auto rows = evaluate("%a = lm.weight \"a\" : <96x64>\n%c = lm.weight \"c\" : <32x64>\n"
                       "%q = lm.w.quantize %c {to = q4_1} : <32x64>\n"
                       "%j = lm.w.concat %a, %q : !lm.weight<96x64>, !lm.weight<32x64> -> <128x64>\n");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->scheme().name, "q4_1");
  EXPECT_EQ(rows->read(3, nullptr, error),
            evaluate("%a = lm.weight \"a\" : <96x64>")->read(3, nullptr, error));
}

TEST_F(WeightSourceTest, WhatCannotBeStoredNamesTensorRowAndColumn) {
  WeightFile other;
  std::string bytes(4 * 8 * 4, '\0');
  const float bad = NAN;
  std::memcpy(&bytes[(2 * 8 + 5) * 4], &bad, 4);
  other.writer.addTensor("n", {4, 8}, 0, bytes);
  const std::string second = folder.path("nan.gguf");
  ASSERT_TRUE(other.writer.write(second));
  source = WeightSource::open({second}, error);
  ASSERT_TRUE(source) << error;
  auto rows = evaluate("%n = lm.weight \"n\" : <4x8>\n%q = lm.w.quantize %n {to = q4_0} : <4x8>\n"
                       "%r = lm.w.rows %q [1:4] : <4x8> -> <3x8>\n");
  ASSERT_TRUE(rows);
  std::vector<uint8_t> room(rows->rowBytes());
  EXPECT_TRUE(rows->read(0, room.data(), error));
  EXPECT_FALSE(rows->read(1, room.data(), error));
  EXPECT_EQ(
      error,
      "row 2 of tensor 'n' holds nan in column 5, expected a number below 6.55e+04 to quantize to q4_0");
}

TEST_F(WeightSourceTest, ShapesAreThoseOfTheFile) {
  EXPECT_FALSE(evaluate("%a = lm.weight \"a\" : <64x96>"));
  EXPECT_EQ(messages, std::vector<std::string>{path + ": tensor 'a' is <96x64>, expected <64x96>"});
  EXPECT_FALSE(evaluate("%a = lm.weight \"v\" : <96x1>"));
  EXPECT_FALSE(evaluate("%a = lm.weight \"odd\" : <4x4>"));
  EXPECT_EQ(messages, std::vector<std::string>{
                          path + ": tensor 'odd' has type i8, expected one of: f32, f16, bf16, q8_0, q4_0, "
                                 "q4_1, q5_0, q5_1, iq4_nl, mxfp4, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_xs"});
}

TEST_F(WeightSourceTest, FirstFileWithTheNameGivesTheTensor) {
  WeightFile other;
  other.add("a", {2, 4}, "f32");
  other.add("only", {2, 4}, "f32");
  std::string second = folder.path("second.gguf");
  ASSERT_TRUE(other.writer.write(second));
  source = WeightSource::open({path, second}, error);
  ASSERT_TRUE(source) << error;
  EXPECT_TRUE(evaluate("%a = lm.weight \"a\" : <96x64>"));
  EXPECT_TRUE(evaluate("%a = lm.weight \"only\" : <2x4>"));
  EXPECT_FALSE(WeightSource::open({path, folder.path("none.gguf")}, error));
  EXPECT_NE(error.find("none.gguf"), std::string::npos);
}

} // namespace
