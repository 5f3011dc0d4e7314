//===- quantize_test.cpp - rows of floats to rows of blocks and back ------===//
#include "ir/quant/QuantScheme.h"
#include "ir/quant/quantize/Quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

using namespace llmc::quant;

namespace {

using Row = std::vector<float>;

/// The same numbers with every library.
class Random {
public:
  explicit Random(uint32_t seed) : engine(seed) {}
  float uniform() { return static_cast<float>(engine() >> 8) * 0x1p-24f; }
  float normal() { // the sum of twelve uniform numbers
    float sum = -6;
    for (int i = 0; i < 12; ++i)
      sum += uniform();
    return sum;
  }
  Row normals(int64_t k, float scale) {
    Row row(k);
    for (float &x : row)
      x = normal() * scale;
    return row;
  }

private:
  std::mt19937 engine;
};

std::vector<uint8_t> quantize(const Quantizer &quantizer, const Row &row) {
  const auto k = static_cast<int64_t>(row.size());
  std::vector<uint8_t> bytes(quantizer.rowBytes(k) + 8, 0xa5);
  quantizer.row(row.data(), k, bytes.data());
  for (int i = 1; i <= 8; ++i)
    EXPECT_EQ(bytes[bytes.size() - i], 0xa5) << quantizer.scheme << " wrote behind a row of " << k;
  bytes.resize(bytes.size() - 8);
  return bytes;
}

Row unpack(const Quantizer &quantizer, const std::vector<uint8_t> &bytes, int64_t k) {
  const QuantScheme *scheme = schemeByName(quantizer.scheme);
  EXPECT_TRUE(scheme) << quantizer.scheme;
  EXPECT_EQ(scheme->rowBytes(k), static_cast<int64_t>(bytes.size())) << quantizer.scheme << " " << k;
  Row out(k);
  scheme->unpackRow(bytes.data(), k, out.data());
  return out;
}

Row roundTrip(const Quantizer &quantizer, const Row &row) {
  return unpack(quantizer, quantize(quantizer, row), static_cast<int64_t>(row.size()));
}

/// Of the whole row.
double error(const Row &a, const Row &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

/// Every group within the scheme's budget, of what the group spans; scales of f16 know nothing below 2^-20.
void expectBudget(const Quantizer &quantizer, const Row &row, const std::string &what) {
  const Row back = roundTrip(quantizer, row);
  const size_t group = quantizer.group ? quantizer.group : row.size();
  for (size_t first = 0; first < row.size(); first += group) {
    const size_t last = std::min(first + group, row.size());
    double sum = 0;
    float low = 0, top = 0;
    for (size_t i = first; i < last; ++i) {
      ASSERT_TRUE(std::isfinite(back[i]));
      sum += (static_cast<double>(row[i]) - back[i]) * (static_cast<double>(row[i]) - back[i]);
      low = std::min(low, row[i]);
      top = std::max(top, row[i]);
    }
    const bool hasMinimum = quantizer.scheme.ends_with("_1") || quantizer.scheme == "q4_k";
    const double span = hasMinimum ? top - low : std::max(top, -low);
    ASSERT_LE(std::sqrt(sum / static_cast<double>(last - first)), quantizer.budget * span + 0x1p-20)
        << quantizer.scheme << ", " << what << ", row of " << row.size() << ", group at " << first;
  }
}

TEST(Quantize, TableFitsTheSchemes) {
  for (const Quantizer &quantizer : allQuantizers()) {
    EXPECT_EQ(quantizerByName(quantizer.scheme), &quantizer);
    EXPECT_TRUE(schemeByName(quantizer.scheme)) << quantizer.scheme;
  }
  EXPECT_EQ(quantizerByName("q4_9"), nullptr);
  EXPECT_EQ(quantizerNames(), "f16, bf16, bf16z, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, int8");
}

TEST(Quantize, ErrorsStayWithinTheBudget) {
  for (const Quantizer &quantizer : allQuantizers())
    for (int64_t k : {1, 2, 31, 32, 33, 72, 100, 255, 256, 257, 576, 1000}) {
      Random random(static_cast<uint32_t>(k));
      for (float scale : {1.0f, 0.02f, 1e-4f, 300.0f})
        expectBudget(quantizer, random.normals(k, scale), "normal");
      Row outliers = random.normals(k, 0.02f);
      for (size_t i = 0; i < outliers.size(); i += 37)
        outliers[i] *= 50;
      expectBudget(quantizer, outliers, "outliers");
      Row shifted = random.normals(k, 0.01f), positive = shifted, tiny = random.normals(k, 1e-8f);
      for (float &x : shifted)
        x -= 0.3f;
      for (float &x : positive)
        x = std::fabs(x) + 2;
      expectBudget(quantizer, shifted, "shifted");
      expectBudget(quantizer, positive, "positive");
      expectBudget(quantizer, tiny, "tiny");
      expectBudget(quantizer, Row(k, 0.37f), "constant");
      expectBudget(quantizer, Row(k, -5.0f), "negative constant");
      Row single(k, 0);
      single[k / 2] = 1;
      expectBudget(quantizer, single, "one value");
    }
}

TEST(Quantize, ZeroRowsStayZero) {
  for (const Quantizer &quantizer : allQuantizers())
    for (int64_t k : {1, 40, 256, 300})
      EXPECT_EQ(roundTrip(quantizer, Row(k, 0)), Row(k, 0)) << quantizer.scheme << " " << k;
}

TEST(Quantize, LargestMagnitudesDoNotOverflow) {
  for (const Quantizer &quantizer : allQuantizers())
    for (float sign : {1.0f, -1.0f}) {
      Random random(5);
      Row row = random.normals(300, quantizer.largest / 50);
      row[7] = sign * quantizer.largest;
      ASSERT_EQ(quantizer.firstUnfit(row.data(), 300), 300);
      for (float x : roundTrip(quantizer, row))
        ASSERT_TRUE(std::isfinite(x)) << quantizer.scheme;
    }
}

// Values that a scheme can hold are found again.
TEST(Quantize, WhatIsOnAGridStays) {
  for (const char *name : {"f16", "bf16", "q8_0", "q4_0"}) {
    const Quantizer &quantizer = *quantizerByName(name);
    Random random(9);
    for (int i = 0; i < 200; ++i) {
      const Row once = roundTrip(quantizer, random.normals(320, 0.05f));
      ASSERT_EQ(roundTrip(quantizer, once), once) << name << " " << i;
    }
  }
}

/// The plain grid that the search starts from: it may never be worse.
Row plainGrid(const Row &row, float low, float high) {
  Row out(row.size());
  for (size_t first = 0; first < row.size(); first += 32) {
    float maximum = 0;
    for (size_t i = first; i < first + 32; ++i)
      maximum = std::fabs(row[i]) > std::fabs(maximum) ? row[i] : maximum;
    const float d = low == -127 ? std::fabs(maximum) / 127 : maximum / low;
    for (size_t i = first; i < first + 32; ++i)
      out[i] = d != 0 ? d * std::clamp(std::nearbyint(row[i] / d), low, high) : 0;
  }
  return out;
}

TEST(Quantize, TheSearchBeatsThePlainGrid) {
  Random random(3);
  const Row row = random.normals(32 * 256, 0.04f);
  struct Case {
    const char *name;
    float low, high;
    double gain;
  };
  // What the search gains on normal weights; int8 quants leave it next to nothing.
  for (const Case &c : {Case{"q8_0", -127, 127, 1.0}, {"q4_0", -8, 7, 0.96}, {"q5_0", -16, 15, 0.96}})
    EXPECT_LE(error(row, roundTrip(*quantizerByName(c.name), row)),
              c.gain * error(row, plainGrid(row, c.low, c.high)))
        << c.name;
  // Scales of six bits cost q4_k little of what its minimum gains over q4_0.
  EXPECT_LE(error(row, roundTrip(*quantizerByName("q4_k"), row)),
            0.9 * error(row, roundTrip(*quantizerByName("q4_0"), row)));
  EXPECT_LE(error(row, roundTrip(*quantizerByName("q6_k"), row)),
            0.3 * error(row, roundTrip(*quantizerByName("q4_k"), row)));
}

TEST(Quantize, FloatsRoundToTheNearestEven) {
  auto half = [](float x) { return roundTrip(*quantizerByName("f16"), {x})[0]; };
  EXPECT_EQ(half(1 + 0x1p-11f), 1.0f);
  EXPECT_EQ(half(1 + 0x3p-11f), 1 + 0x1p-9f);
  EXPECT_EQ(half(1 + 0x1p-11f + 0x1p-20f), 1 + 0x1p-10f);
  EXPECT_EQ(half(-0x1p-25f), 0.0f);
  EXPECT_TRUE(std::signbit(half(-0x1p-25f)));
  EXPECT_EQ(half(0x3p-25f), 0x1p-23f);
  EXPECT_EQ(half(0x1p-24f), 0x1p-24f);
  EXPECT_EQ(half(0x1.ff8p-15f), 0x1.ff8p-15f); // subnormal
  EXPECT_EQ(half(65504), 65504.0f);
  auto brain = [](float x) { return roundTrip(*quantizerByName("bf16"), {x})[0]; };
  EXPECT_EQ(brain(1 + 0x1p-8f), 1.0f);
  EXPECT_EQ(brain(1 + 0x3p-8f), 1 + 0x1p-6f);
  EXPECT_EQ(brain(1 + 0x1p-8f + 0x1p-20f), 1 + 0x1p-7f);
  // A NaN stays one, quiet, although packing never lets one come so far.
  for (const char *name : {"f16", "bf16"})
    EXPECT_TRUE(std::isnan(roundTrip(*quantizerByName(name), {std::numeric_limits<float>::quiet_NaN()})[0]))
        << name;
}

TEST(Quantize, FindsWhatCannotBeStored) {
  for (const Quantizer &quantizer : allQuantizers())
    for (float bad : {NAN, INFINITY, -INFINITY, quantizer.largest * 1.01f, -quantizer.largest * 1.01f})
      for (int64_t at : {0, 5, 63, 64, 130, 199}) {
        Row row(200, 0.5f);
        EXPECT_EQ(quantizer.firstUnfit(row.data(), 200), 200);
        row[at] = bad;
        EXPECT_EQ(quantizer.firstUnfit(row.data(), 200), at) << quantizer.scheme << " " << bad;
      }
}

// The bytes are part of what a compiled model is: the same on every machine and with every compiler.
TEST(Quantize, TheSameBytesEverywhere) {
  const std::map<std::string_view, uint64_t> expected = {
      {"f16", 2943972153134196495u},   {"bf16", 6448257541149320040u},  {"q8_0", 2619288920829020948u},
      {"q4_0", 10467436029485939331u}, {"q4_1", 12396814953575125175u}, {"q5_0", 18141334486274968295u},
      {"q5_1", 15214320799293767788u}, {"q4_k", 16397312436783731592u}, {"q6_k", 5319703330453269039u},
      {"int8", 563261326513978417u},   {"bf16z", 6448257541149320040u}};
  for (const Quantizer &quantizer : allQuantizers()) {
    Random random(11);
    uint64_t hash = 1469598103934665603u; // FNV-1a
    for (int64_t k : {32, 100, 256, 576, 2048})
      for (uint8_t byte : quantize(quantizer, random.normals(k, 0.05f)))
        hash = (hash ^ byte) * 1099511628211u;
    EXPECT_EQ(expected.count(quantizer.scheme), 1u) << quantizer.scheme;
    EXPECT_EQ(hash, expected.count(quantizer.scheme) ? expected.at(quantizer.scheme) : 0) << quantizer.scheme;
  }
}

} // namespace
