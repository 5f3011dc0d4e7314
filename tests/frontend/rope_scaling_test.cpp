//===- rope_scaling_test.cpp - rotary frequencies against transformers' ---===//
#include "frontend/RopeScaling.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace llmc::frontend;

namespace {

struct Case {
  const char *name;
  RopeScaling scaling;
  int64_t context;
  double factor;
  std::vector<double> freqs;
};
#include "rope_numbers.inc"

std::optional<RopeNumbers> numbersOf(const RopeScaling &scaling, int64_t context, int64_t dims = 16) {
  std::string problem;
  auto numbers = ropeNumbers(scaling, 10000.0, dims, context, problem);
  EXPECT_TRUE(numbers) << problem;
  return numbers;
}

std::string problemOf(const RopeScaling &scaling, int64_t dims = 16, double base = 10000.0) {
  std::string problem;
  EXPECT_FALSE(ropeNumbers(scaling, base, dims, 512, problem));
  return problem;
}

class Rule : public testing::TestWithParam<Case> {};

// The reference works in float32 throughout, we in double with one rounding: a few units in the last place.
TEST_P(Rule, HasTheReferencesNumbers) {
  const Case &c = GetParam();
  std::vector<double> plain;
  for (size_t j = 0; j < c.freqs.size(); ++j)
    plain.push_back(std::pow(10000.0, -2.0 * static_cast<double>(j) / 16));
  auto numbers = numbersOf(c.scaling, c.context);
  ASSERT_TRUE(numbers);
  EXPECT_NEAR(numbers->factor, c.factor, 1e-6 * c.factor);
  const std::vector<double> &freqs = numbers->freqs.empty() ? plain : numbers->freqs;
  ASSERT_EQ(freqs.size(), c.freqs.size());
  for (size_t j = 0; j < freqs.size(); ++j)
    EXPECT_NEAR(freqs[j], c.freqs[j], 1e-6 * c.freqs[j]) << "pair " << j;
}

INSTANTIATE_TEST_SUITE_P(RopeScaling, Rule, testing::ValuesIn(cases),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(RopeScaling, ARuleWithoutEffectLeavesTheBase) {
  EXPECT_TRUE(numbersOf({}, 100)->freqs.empty());
  EXPECT_TRUE(numbersOf({.rule = RopeRule::Linear, .factor = 1}, 100)->freqs.empty());
  EXPECT_TRUE(
      numbersOf({.rule = RopeRule::Dynamic, .factor = 2, .originalContext = 512}, 512)->freqs.empty());
}

TEST(RopeScaling, DivisorsAndFactorMultiply) {
  std::vector<double> divisors(8, 3.0);
  auto numbers = numbersOf({.rule = RopeRule::Divisors, .factor = 2, .shortDivisors = divisors}, 1);
  EXPECT_NEAR(numbers->freqs[0], 1.0 / 6, 1e-7);
}

TEST(RopeScaling, SaysWhatWasFixed) {
  EXPECT_EQ(fixedRopeNote({.rule = RopeRule::Yarn}, 100), "");
  EXPECT_EQ(fixedRopeNote({.rule = RopeRule::Dynamic, .originalContext = 512}, 100),
            "rope scaling 'dynamic' is fixed for sequences of up to 512 tokens");
  EXPECT_EQ(fixedRopeNote({.rule = RopeRule::LongRope, .originalContext = 64}, 64),
            "rope scaling 'longrope' is fixed to its short factors, for up to 64 tokens");
  EXPECT_EQ(fixedRopeNote({.rule = RopeRule::LongRope, .originalContext = 64}, 65),
            "rope scaling 'longrope' is fixed to its long factors, for more than 64 tokens");
}

TEST(RopeScaling, WrongNumbers) {
  EXPECT_EQ(problemOf({.rule = RopeRule::Linear, .factor = -1}), "factor is -1, expected a number above 0");
  EXPECT_EQ(problemOf({.rule = RopeRule::Linear, .factor = NAN}), "factor is nan, expected a number above 0");
  EXPECT_EQ(problemOf({.rule = RopeRule::Yarn, .factor = 2}),
            "original context is 0, expected a number above 0");
  EXPECT_EQ(problemOf({.rule = RopeRule::Yarn, .factor = 2, .originalContext = 8, .betaFast = 0}),
            "beta fast is 0, expected a number above 0");
  EXPECT_EQ(problemOf({.rule = RopeRule::Dynamic, .factor = 0.5, .originalContext = 8}),
            "factor is 0.5, expected at least 1 for dynamic scaling");
  EXPECT_EQ(problemOf({.rule = RopeRule::Dynamic, .factor = 2, .originalContext = 8}, 2),
            "rotated dimensions is 2, expected more than 2 for dynamic scaling");
  EXPECT_EQ(problemOf({.rule = RopeRule::Llama3, .factor = 8, .originalContext = 8, .highFreqFactor = 1}),
            "high frequency factor is 1, expected more than the low frequency factor");
  EXPECT_EQ(
      problemOf({.rule = RopeRule::LongRope, .factor = 2, .originalContext = 8, .shortDivisors = {1, 2}}),
      "the list of short factors has 2 numbers, expected 8, one for each pair of the 16 rotated dimensions");
  EXPECT_EQ(problemOf({.rule = RopeRule::Divisors, .shortDivisors = {1, 1, 1, 1, 1, 1, 1, 0}}),
            "the list of divisors holds 0, expected numbers above 0");
  EXPECT_EQ(problemOf({}, 16, 1e-45), "base 1e-45 and factor 1 give pair 7 a frequency that is not finite");
  EXPECT_EQ(problemOf({.rule = RopeRule::Yarn, .factor = 2, .originalContext = 512}, 16, 1),
            "base 1 and factor 2 give pair 0 a frequency that is not finite");
}

} // namespace
