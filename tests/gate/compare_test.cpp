// Errors between evaluations, and the decoder that judges stored weights.
#include "tools/gate/Budgets.h"
#include "tools/gate/Compare.h"
#include "tools/gate/PlainDecoder.h"

#include "ir/quant/QuantScheme.h"
#include "ir/quant/quantize/Quantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

using namespace llmc;
using namespace llmc::tools;

namespace {

EvaluatedValue value(const std::string &name, int64_t layer, std::vector<float> row) {
  EvaluatedValue value;
  value.key = {layer, name, 0};
  value.columns = row.size();
  value.rows[{0, 0}] = std::move(row);
  return value;
}

const Budget tight{1e-3, 1e-3, 1e-3, "for a test"};

TEST(CompareTest, MeasuresInStandardDeviationsOfTheReference) {
  Evaluation a, b;
  a.values = {value("x", 0, {-2, 2, -2, 2})}; // one is 2
  b.values = {value("x", 0, {-2, 2, -2, 3})};
  Comparison found = compare(a, b, {1, 1, 1, ""});
  EXPECT_DOUBLE_EQ(found.max, 1 / std::sqrt(8)); // of a number that is 2 among others of 2
  EXPECT_DOUBLE_EQ(found.mean, 0.125);
  EXPECT_TRUE(found.isWithin());
  found = compare(a, b, {0.3, 1, 1, ""});
  ASSERT_FALSE(found.isWithin());
  EXPECT_EQ(found.first->column, 3u);
  EXPECT_EQ(found.first->expected, 2);
  EXPECT_EQ(found.first->found, 3);
  EXPECT_FALSE(found.first->isMeanBeyond());
  EXPECT_TRUE(compare(a, b, {1, 0.1, 1, ""}).first->isMeanBeyond());
  // Numbers that are all one are measured by their size.
  a.values = {value("x", 0, {4, 4})};
  b.values = {value("x", 0, {4, 5})};
  EXPECT_DOUBLE_EQ(compare(a, b, {1, 1, 1, ""}).mean, 0.125);
  EXPECT_DOUBLE_EQ(compare(a, b, {1, 1, 1, ""}).max, 1 / std::sqrt(32));
  // One that lies far out is measured by itself.
  a.values = {value("x", 0, {100, 1, -1, 1})};
  b.values = {value("x", 0, {90, 1, -1, 1})};
  EXPECT_NEAR(compare(a, b, {1, 1, 1, ""}).max, 0.1, 0.01);
}

TEST(CompareTest, NamesTheFirstInOrderAndAlignsByNameLayerAndToken) {
  Evaluation a, b;
  a.values = {value("x", 0, {1, 2}), value("y", 0, {1, 2}), value("x", 1, {1, 2}), value("only", 0, {1, 2})};
  b.values = {value("other", 0, {9, 9}), value("y", 0, {1, 3}), value("x", 1, {7, 2}), value("x", 0, {1, 2})};
  Comparison found = compare(a, b, tight);
  EXPECT_EQ(found.values, 3u);
  ASSERT_FALSE(found.isWithin());
  EXPECT_EQ(found.first->key.describe(), "'y' of layer 0");
  // Another width or other tokens are not the same value.
  b.values = {value("x", 0, {5, 5, 5})};
  EXPECT_EQ(compare(a, b, tight).values, 0u);
  b.values = {value("x", 0, {5, 5})};
  b.values[0].rows = {{{0, 1}, {5, 5}}};
  EXPECT_EQ(compare(a, b, tight).values, 0u);
}

TEST(CompareTest, BudgetsGrowWithTheLayer) {
  Budget budget{4, 0.2, 0.1, "", 16};
  EXPECT_DOUBLE_EQ(budget.of(15).mean, 0.2);
  EXPECT_DOUBLE_EQ(budget.of(3).mean, 0.1);
  EXPECT_DOUBLE_EQ(budget.of(-1).mean, 0.2);
  EXPECT_DOUBLE_EQ(budget.of(15).max, 2); // never more
  budget.max = 0.4;
  EXPECT_DOUBLE_EQ(budget.of(0).max, 0.1);
  budget.atLeast = 0.3;
  EXPECT_DOUBLE_EQ(budget.of(0).max, 0.3);

  EXPECT_EQ(cacheBudget("f32", 30, 0).max, reassociationBudget(0).max);
  for (const char *type : {"f16", "bf16", "q8"}) {
    EXPECT_LT(reassociationBudget(0).mean, cacheBudget(type, 1, 0).mean);
    EXPECT_NEAR(cacheBudget(type, 32, 0).mean, 4 * cacheBudget(type, 2, 0).mean, 1e-9);
    EXPECT_LT(cacheBudget(type, 2, 0).mean, kernelBudget("int8", type, 2, 0).mean);
  }
  EXPECT_EQ(cacheBudget("f16", 2, 0.5).of(0).max, 0.5);
}

TEST(CompareTest, WhatIsNoNumberIsBeyondEveryBudget) {
  Evaluation a, b;
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  a.values = b.values = {value("x", 0, {1, nan, inf, 2})};
  EXPECT_TRUE(compare(a, b, tight).isWithin());
  for (float bad : {nan, inf}) {
    b.values = {value("x", 0, {bad, nan, inf, 2})};
    EXPECT_FALSE(compare(a, b, {1e9, 1e9, 1e9, ""}).isWithin());
  }
}

TEST(CompareTest, LogitsOfAnotherWidthAreBeyondEveryBudget) {
  Evaluation a, b;
  a.values = b.values = {value("x", 0, {1, 2})};
  a.logits = value("logits", -1, {1, 2});
  b.logits = value("logits", -1, {1, 2, 3});
  const Comparison found = compare(a, b, {1e9, 1e9, 1e9, ""});
  ASSERT_FALSE(found.isWithin());
  EXPECT_EQ(found.first->key.name, "logits");
  EXPECT_TRUE(std::isinf(found.logits));
}

TEST(CompareTest, DivergenceOfLogits) {
  Evaluation a, b;
  a.logits = value("logits", -1, {std::log(0.5f), std::log(0.5f)});
  b.logits = value("logits", -1, {std::log(0.25f), std::log(0.75f)});
  EXPECT_NEAR(compare(a, b, tight).kl, 0.5 * std::log(2.0) + 0.5 * std::log(0.5 / 0.75), 1e-6);
  EXPECT_EQ(compare(a, a, tight).kl, 0);
}

TEST(PlainDecoderTest, ReadsWhatTheSchemesRead) {
  std::mt19937 random(7);
  for (const quant::Quantizer &quantizer : quant::allQuantizers()) {
    ASSERT_TRUE(canDecode(quantizer.scheme)) << quantizer.scheme;
    const quant::QuantScheme &scheme = *quant::schemeByName(quantizer.scheme);
    for (int64_t k : {1, 31, 32, 100, 256, 515}) {
      std::vector<uint8_t> row(scheme.rowBytes(k));
      for (uint8_t &byte : row)
        byte = static_cast<uint8_t>(random());
      std::vector<float> expected(k), found(k);
      scheme.unpackRow(row.data(), k, expected.data());
      decodeRow(quantizer.scheme, row.data(), k, found.data());
      for (int64_t i = 0; i < k; ++i) {
        if (std::isnan(expected[i]))
          EXPECT_TRUE(std::isnan(found[i]));
        else
          ASSERT_EQ(expected[i], found[i]) << quantizer.scheme << " " << k << " " << i;
      }
    }
  }
  EXPECT_FALSE(canDecode("q4_9"));
}

} // namespace
