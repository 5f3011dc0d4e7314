//===- default_kernels_test.cpp - numbers of kernels from decompositions --===//
//
// Each op at odd shapes against its formula in double. 1e-5 of the values' size is ten times what f32
// rounding gives here and far below the smallest mistake that matters.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"

#include "codegen/emit/KVStorage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace llmc;
using namespace llmc::test;

namespace {

Step tokensOf(std::vector<llmc_token_row> tokens) {
  Step step;
  step.tokens = std::move(tokens);
  return step;
}

/// Rows with nothing to tell them apart.
Step plainStep(int64_t rows) {
  return tokensOf(std::vector<llmc_token_row>(rows, llmc_token_row{0, 0, 0, 1}));
}

void expectNear(const Rows &got, const std::function<double(int64_t, int64_t)> &want,
                double tolerance = 1e-5) {
  for (int64_t row = 0; row < got.rows(); ++row)
    for (int64_t column = 0; column < got.width; ++column) {
      double expected = want(row, column);
      // Written so that a NaN fails.
      ASSERT_TRUE(std::abs(got.at(row, column) - expected) <= tolerance * std::max(1.0, std::abs(expected)))
          << "row " << row << ", column " << column << ": " << got.at(row, column) << " for " << expected;
    }
}

/// The text of a kernel @k.
std::string kernel(const std::string &arguments, const std::string &body, const std::string &results,
                   const std::string &schemes = "", const std::string &more = "rows = tokens") {
  return "step.kernel @k {schemes = [" + schemes + "], activations = f32, " + more + "} (" + arguments +
         ") {\n  " + body + "\n  step.return " + results + "\n}\n";
}

/// Emits, compiles and calls one kernel with one output.
Rows runOne(const std::string &text, const Step &step, const std::vector<Rows> &inputs,
            const std::vector<Weight> &weights, int64_t width, uint32_t space = LLMC_ROWS_TOKENS) {
  KernelRunner runner;
  if (!runner.add(text) || !runner.finish()) {
    ADD_FAILURE() << runner.message << "\n" << text;
    return Rows(0, width);
  }
  return runner.call("k", step, space, inputs, weights, {}, {width})[0];
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

//===----------------------------------------------------------------------===//
// Elementwise and columns
//===----------------------------------------------------------------------===//

struct Unary {
  const char *op;
  double (*formula)(double);
};

class Elementwise : public testing::TestWithParam<Unary> {};

TEST_P(Elementwise, MatchesFormula) {
  const int64_t rows = 5, width = 19;
  Rows x = randomRows(rows, width, 1, 6);
  x.at(0, 0) = 0;
  x.at(1, 3) = 95;
  x.at(2, 4) = -95;
  Rows y =
      runOne(kernel("%x: tensor<?x19xf32>", std::string("%y = lm.") + GetParam().op + " : tensor<?x19xf32>",
                    "%y : tensor<?x19xf32>"),
             plainStep(rows), {x}, {}, width);
  expectNear(y, [&](int64_t r, int64_t c) { return GetParam().formula(x.at(r, c)); });
}

INSTANTIATE_TEST_SUITE_P(
    Ops, Elementwise,
    testing::Values(
        Unary{"relu %x", [](double x) { return std::max(x, 0.0); }},
        Unary{"relu2 %x", [](double x) { return std::max(x, 0.0) * std::max(x, 0.0); }},
        Unary{"sigmoid %x", sigmoid}, Unary{"silu %x", [](double x) { return x * sigmoid(x); }},
        Unary{"tanh %x", [](double x) { return std::tanh(x); }},
        Unary{"gelu %x {form = erf}", [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
        Unary{"gelu %x {form = tanh}",
              [](double x) {
                return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
              }},
        Unary{"gelu %x {form = quick}", [](double x) { return x * sigmoid(1.702 * x); }},
        Unary{"scale %x {factor = 0.375}", [](double x) { return 0.375 * x; }},
        Unary{"clamp %x {min = -1.5, max = 2.5}", [](double x) { return std::min(std::max(x, -1.5), 2.5); }},
        Unary{"softcap %x {cap = 5}", [](double x) { return 5 * std::tanh(x / 5); }},
        Unary{"add %x, %x", [](double x) { return x + x; }},
        Unary{"mul %x, %x", [](double x) { return x * x; }}));

TEST(Columns, SliceAndConcat) {
  Rows a = randomRows(4, 7, 1), b = randomRows(4, 18, 2);
  Rows y = runOne(kernel("%a: tensor<?x7xf32>, %b: tensor<?x18xf32>",
                         "%y = lm.concat %a, %b : tensor<?x7xf32>, tensor<?x18xf32> -> tensor<?x25xf32>",
                         "%y : tensor<?x25xf32>"),
                  plainStep(4), {a, b}, {}, 25);
  expectNear(y, [&](int64_t r, int64_t c) { return c < 7 ? a.at(r, c) : b.at(r, c - 7); }, 0);
  y = runOne(kernel("%b: tensor<?x18xf32>", "%y = lm.slice %b [3:14] : tensor<?x18xf32> -> tensor<?x11xf32>",
                    "%y : tensor<?x11xf32>"),
             plainStep(4), {b}, {}, 11);
  expectNear(y, [&](int64_t r, int64_t c) { return b.at(r, c + 3); }, 0);
}

TEST(Columns, AskedRows) {
  Rows x = randomRows(7, 19, 1);
  Step step = plainStep(7);
  step.asked = {1, 4, 5, 6};
  Rows y = [&] {
    KernelRunner runner;
    EXPECT_TRUE(runner.add(kernel("%x: tensor<?x19xf32>, %t: !lm.tokens",
                                  "%y = lm.asked_rows %x, %t : tensor<?x19xf32>", "%y : tensor<?x19xf32>", "",
                                  "rows = asked")))
        << runner.message;
    EXPECT_TRUE(runner.finish()) << runner.message;
    Rows padded(7, 32); // the columns beyond the width are zero in an arena
    for (int64_t r = 0; r < 7; ++r)
      for (int64_t c = 0; c < 19; ++c)
        padded.at(r, c) = x.at(r, c);
    return runner.call("k", step, LLMC_ROWS_ASKED, {padded}, {}, {}, {19})[0];
  }();
  expectNear(y, [&](int64_t r, int64_t c) { return x.at(step.asked[r], c); }, 0);
}

//===----------------------------------------------------------------------===//
// Embeddings and matmuls
//===----------------------------------------------------------------------===//

TEST(Embedding, RowsOfThePackedTable) {
  Step step = tokensOf({{3, 0, 0, 0}, {36, 0, 1, 0}, {17, 1, 90, 1}});
  Weight table = randomWeight("q8_0", 37, 64, 5);
  Rows y = runOne(kernel("%t: !lm.tokens, %w: !lm.weight<37x64>",
                         "%y = lm.embed %t, %w {scale = 3.0} : <37x64>", "%y : tensor<?x64xf32>", "\"q8_0\""),
                  step, {}, {table}, 64);
  expectNear(y, [&](int64_t r, int64_t c) { return 3.0 * table.values.at(step.tokens[r].id, c); });
  y = runOne(kernel("%t: !lm.tokens, %w: !lm.weight<37x64>",
                    "%y = lm.position_embed %t, %w {offset = 2} : <37x64>", "%y : tensor<?x64xf32>",
                    "\"q8_0\""),
             step, {}, {table}, 64);
  expectNear(
      y, [&](int64_t r, int64_t c) { return table.values.at(std::min(step.tokens[r].pos + 2, 36), c); }, 0);
}

struct Storage {
  const char *scheme;
  int64_t columns;
};
class Matmul : public testing::TestWithParam<Storage> {};

TEST_P(Matmul, LinearWithBias) {
  auto [scheme, k] = GetParam();
  const int64_t rows = 5, n = 19;
  Rows x = randomRows(rows, k, 1);
  Weight w = randomWeight(scheme, n, k, 2), b = vectorWeight(randomRows(1, n, 3).values);
  std::string shape = std::to_string(n) + "x" + std::to_string(k);
  Rows y = runOne(
      kernel("%x: tensor<?x" + std::to_string(k) + "xf32>, %w: !lm.weight<" + shape + ">, %b: !lm.weight<19>",
             "%y = lm.linear %x, %w, %b : <" + shape + ">", "%y : tensor<?x19xf32>",
             "\"" + std::string(scheme) + "\", \"vector\""),
      plainStep(rows), {x}, {w, b}, n);
  expectNear(y, [&](int64_t r, int64_t c) {
    double sum = b.values.at(0, c);
    for (int64_t i = 0; i < k; ++i)
      sum += double(x.at(r, i)) * w.values.at(c, i);
    return sum;
  });
}

INSTANTIATE_TEST_SUITE_P(Schemes, Matmul,
                         testing::Values(Storage{"f32", 37}, Storage{"f16", 33}, Storage{"bf16", 7},
                                         Storage{"q8_0", 96}, Storage{"q4_0", 64}, Storage{"q4_1", 96}));

TEST(FusedLinear, NormGluBiasScaleResidual) {
  const int64_t rows = 4, k = 37, n = 21;
  Rows x = randomRows(rows, k, 1), residual = randomRows(rows, n, 2);
  Weight gain = vectorWeight(randomRows(1, k, 3).values), gate = randomWeight("f32", n, k, 4),
         up = randomWeight("f32", n, k, 5), gateBias = vectorWeight(randomRows(1, n, 6).values),
         upBias = vectorWeight(randomRows(1, n, 7).values);
  KernelRunner runner;
  ASSERT_TRUE(runner.add(kernel(
      "%x: tensor<?x37xf32>, %g: !lm.weight<37>, %a: !lm.weight<21x37>, %b: "
      "!lm.weight<21x37>, %c: !lm.weight<21>, "
      "%d: !lm.weight<21>, %r: tensor<?x21xf32>",
      "%y = lm.fused_linear %x norm(%g) weights(%a, %b) biases(%c, %d) residual(%r) "
      "{norm = rms, eps = 1.0e-5, act = silu, glu, scale = 0.25} : <21x37>, <21x37> -> tensor<?x21xf32>",
      "%y : tensor<?x21xf32>", R"("vector", "f32", "f32", "vector", "vector")")))
      << runner.message;
  ASSERT_TRUE(runner.finish()) << runner.message;
  // The residual stands behind the weights: its address is passed as a weight's.
  Weight asWeight;
  asWeight.packed.resize(rows * 32 * 4);
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(asWeight.packed.data() + r * 32 * 4, &residual.values[r * n], n * 4);
  Rows y = runner.call("k", plainStep(rows), LLMC_ROWS_TOKENS, {x},
                       {gain, gate, up, gateBias, upBias, asWeight}, {}, {n})[0];
  expectNear(y, [&](int64_t r, int64_t c) {
    double squares = 0, a = gateBias.values.at(0, c), b = upBias.values.at(0, c);
    for (int64_t i = 0; i < k; ++i)
      squares += double(x.at(r, i)) * x.at(r, i);
    for (int64_t i = 0; i < k; ++i) {
      double normed = x.at(r, i) / std::sqrt(squares / k + 1e-5) * gain.values.at(0, i);
      a += normed * gate.values.at(c, i);
      b += normed * up.values.at(c, i);
    }
    return 0.25 * a * sigmoid(a) * b + residual.at(r, c);
  });
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

TEST(Norm, KnownFiveNumbers) {
  Rows x(5, {1, 2, 3, 4, 5});
  const double rms[] = {0.3015, 0.6030, 0.9045, 1.2060, 1.5076},
               layer[] = {-1.4142, -0.7071, 0, 0.7071, 1.4142};
  Rows y = runOne(kernel("%x: tensor<?x5xf32>", "%y = lm.rms_norm %x {eps = 1.0e-6} : tensor<?x5xf32>",
                         "%y : tensor<?x5xf32>"),
                  plainStep(1), {x}, {}, 5);
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_NEAR(y.at(0, i), rms[i], 5e-5);
  y = runOne(kernel("%x: tensor<?x5xf32>", "%y = lm.layer_norm %x {eps = 1.0e-6} : tensor<?x5xf32>",
                    "%y : tensor<?x5xf32>"),
             plainStep(1), {x}, {}, 5);
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_NEAR(y.at(0, i), layer[i], 5e-5);
}

TEST(Norm, GroupsGainsAndBiases) {
  const int64_t rows = 5, width = 21, group = 7;
  Rows x = randomRows(rows, width, 1);
  Weight short_ = vectorWeight(randomRows(1, group, 2).values),
         long_ = vectorWeight(randomRows(1, width, 3).values),
         bias = vectorWeight(randomRows(1, width, 4).values);
  // Mean and variance, or mean square, of the group of a column.
  auto statistics = [&](int64_t r, int64_t c, int64_t size, bool centred) {
    double mean = 0, squares = 0;
    int64_t first = c / size * size;
    for (int64_t i = first; centred && i < first + size; ++i)
      mean += x.at(r, i) / double(size);
    for (int64_t i = first; i < first + size; ++i)
      squares += (x.at(r, i) - mean) * (x.at(r, i) - mean) / double(size);
    return std::pair(mean, squares);
  };
  Rows y =
      runOne(kernel("%x: tensor<?x21xf32>, %g: !lm.weight<7>",
                    "%y = lm.rms_norm %x, %g {eps = 1.0e-3, group = 7, plus_one} : tensor<?x21xf32>, <7>",
                    "%y : tensor<?x21xf32>", "\"vector\""),
             plainStep(rows), {x}, {short_}, width);
  expectNear(y, [&](int64_t r, int64_t c) {
    return x.at(r, c) / std::sqrt(statistics(r, c, group, false).second + 1e-3) *
           (1 + short_.values.at(0, c % group));
  });
  y = runOne(kernel("%x: tensor<?x21xf32>, %g: !lm.weight<21>",
                    "%y = lm.rms_norm %x, %g {eps = 1.0e-3, group = 7} : <21>", "%y : tensor<?x21xf32>",
                    "\"vector\""),
             plainStep(rows), {x}, {long_}, width);
  expectNear(y, [&](int64_t r, int64_t c) {
    return x.at(r, c) / std::sqrt(statistics(r, c, group, false).second + 1e-3) * long_.values.at(0, c);
  });
  y = runOne(kernel("%x: tensor<?x21xf32>, %g: !lm.weight<21>, %b: !lm.weight<21>",
                    "%y = lm.layer_norm %x, %g, %b {eps = 1.0e-3} : <21>", "%y : tensor<?x21xf32>",
                    "\"vector\", \"vector\""),
             plainStep(rows), {x}, {long_, bias}, width);
  expectNear(y, [&](int64_t r, int64_t c) {
    auto [mean, variance] = statistics(r, c, width, true);
    return (x.at(r, c) - mean) / std::sqrt(variance + 1e-3) * long_.values.at(0, c) + bias.values.at(0, c);
  });
}

//===----------------------------------------------------------------------===//
// Rope
//===----------------------------------------------------------------------===//

TEST(Rope, StylesDimsAndFrequencies) {
  Step step = tokensOf({{0, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 77, 0}, {0, 1, 4000, 1}});
  const int64_t headDim = 10, width = 30;
  Rows x = randomRows(4, width, 1);
  auto check = [&](const std::string &parameters, int64_t dims, bool half, double factor,
                   const std::function<double(int64_t)> &frequency) {
    Rows y = runOne(kernel("%x: tensor<?x30xf32>, %t: !lm.tokens",
                           "%y = lm.rope %x, %t {head_dim = 10, " + parameters + "} : tensor<?x30xf32>",
                           "%y : tensor<?x30xf32>"),
                    step, {x}, {}, width);
    expectNear(y, [&](int64_t r, int64_t c) -> double {
      int64_t column = c % headDim, base = c - column;
      if (column >= dims)
        return x.at(r, c);
      int64_t j = half ? column % (dims / 2) : column / 2;
      bool second = half ? column >= dims / 2 : column % 2;
      int64_t a = base + (half ? j : 2 * j), b = base + (half ? j + dims / 2 : 2 * j + 1);
      // The angle is defined in f32.
      float angle = float(step.tokens[r].pos) * float(frequency(j));
      double cosine = factor * std::cos(double(angle)), sine = factor * std::sin(double(angle));
      return second ? x.at(r, b) * cosine + x.at(r, a) * sine : x.at(r, a) * cosine - x.at(r, b) * sine;
    });
  };
  auto power = [](double base, int64_t dims) {
    return [=](int64_t j) { return std::pow(base, -2.0 * j / dims); };
  };
  check("base = 1.0e4", 10, true, 1, power(1e4, 10));
  check("base = 5.0e5, style = interleaved", 10, false, 1, power(5e5, 10));
  check("base = 1.0e4, dims = 6", 6, true, 1, power(1e4, 6));
  check("base = 1.0e4, dims = 6, style = interleaved, factor = 1.25", 6, false, 1.25, power(1e4, 6));
  check("base = 1.0e4, dims = 4, freqs = [0.5, 0.03125]", 4, true, 1,
        [](int64_t j) { return j ? 0.03125 : 0.5; });
}

//===----------------------------------------------------------------------===//
// Cache and attention
//===----------------------------------------------------------------------===//

struct AttentionCase {
  const char *name;
  int64_t heads, kvHeads, dimK, dimV;
  const char *storage;
  double rounding; // of a stored number up to 2
  bool causal;
  int64_t window;
  double softcap;
  bool sinks;
};

class CachedAttention : public testing::TestWithParam<AttentionCase> {};

/// Two sequences, prefills of 7 and 5 tokens in one batch, then two decode steps, through pages of 4 tokens
/// that lie in disorder, behind another layer's.
TEST_P(CachedAttention, MatchesEachSequenceAlone) {
  const AttentionCase &p = GetParam();
  const int64_t pageTokens = 4, widthQ = p.heads * p.dimK, widthK = p.kvHeads * p.dimK,
                widthV = p.kvHeads * p.dimV, widthY = p.heads * p.dimV;
  const emit::KVLayout layout{&emit::kvType(p.storage), p.kvHeads, p.dimK, p.dimV, pageTokens};
  auto rows = [](int64_t width) { return "tensor<?x" + std::to_string(width) + "xf32>"; };
  auto named = [](std::string text, const std::string &name) {
    return text.replace(text.find("@k"), 2, "@" + name);
  };
  std::string cache = "cache = {heads = " + std::to_string(p.kvHeads) +
                      " : i64, dim_k = " + std::to_string(p.dimK) +
                      " : i64, dim_v = " + std::to_string(p.dimV) +
                      " : i64, page_tokens = 4 : i64, type = \"" + p.storage + "\"}";
  KernelRunner runner;
  ASSERT_TRUE(runner.add(named(kernel("%k: " + rows(widthK) + ", %v: " + rows(widthV) + ", %t: !lm.tokens",
                                      "lm.kv_append @kv, %k, %v, %t : " + rows(widthK) + ", " + rows(widthV),
                                      "", "", "rows = tokens, " + cache),
                               "append")))
      << runner.message;
  ASSERT_TRUE(runner.add(named(
      kernel("%t: !lm.tokens", "%K, %V, %keys = lm.kv_view @kv, %t : " + rows(widthK) + ", " + rows(widthV),
             "%K, %V, %keys : " + rows(widthK) + ", " + rows(widthV) + ", tensor<?x2xi32>", "",
             "rows = keys, " + cache),
      "view")))
      << runner.message;
  std::string parameters = "{heads = " + std::to_string(p.heads) +
                           ", kv_heads = " + std::to_string(p.kvHeads) +
                           ", scale = 0.25, mask = " + (p.causal ? "causal" : "full") +
                           (p.window ? ", window = " + std::to_string(p.window) : "") +
                           (p.softcap != 0 ? ", softcap = " + std::to_string(p.softcap) : "") + "}";
  ASSERT_TRUE(runner.add(named(
      kernel("%q: " + rows(widthQ) + ", %k: " + rows(widthK) + ", %v: " + rows(widthV) +
                 ", %keys: tensor<?x2xi32>, %t: !lm.tokens" +
                 (p.sinks ? ", %s: !lm.weight<" + std::to_string(p.heads) + ">" : ""),
             "%y = lm.attention %q, %k, %v, %keys, %t" +
                 (p.sinks ? ", %s : !lm.weight<" + std::to_string(p.heads) + ">" : "") + " " + parameters +
                 " : " + rows(widthQ) + ", " + rows(widthK) + ", " + rows(widthV) + " -> " + rows(widthY),
             "%y : " + rows(widthY), p.sinks ? "\"vector\"" : ""),
      "attend")))
      << runner.message;
  ASSERT_TRUE(runner.finish()) << runner.message;

  // The second cache of the step; the layer's K and V stand behind 64 bytes of another's.
  const int64_t offsetK = 64, offsetV = offsetK + layout.pageBytesK(),
                pageBytes = offsetV + layout.pageBytesV();
  std::vector<uint8_t> pages(8 * pageBytes);
  std::vector<int32_t> table = {5, 2, 7, -1, 0, 4, 1, -1}; // slots 0 and 1 of 4 pages each
  Step step;
  step.pools = {{}, {pages.data(), table.data(), uint64_t(pageBytes), 4}};
  Weight sinks = vectorWeight(randomRows(1, p.heads, 99).values);

  // What each sequence has seen.
  struct Seen {
    std::vector<float> k, v;
  };
  std::vector<Seen> sequences(2);
  uint32_t seed = 10;
  for (int stepNumber = 0; stepNumber < 3; ++stepNumber) {
    step.tokens.clear();
    step.keys.clear();
    for (int32_t sequence : {0, 1})
      for (int32_t i = 0, n = stepNumber ? 1 : sequence ? 5 : 7; i < n; ++i)
        step.tokens.push_back({0, sequence, int32_t(sequences[sequence].k.size() / widthK) + i, 1});
    int64_t count = step.tokens.size();
    Rows q = randomRows(count, widthQ, seed++), k = randomRows(count, widthK, seed++),
         v = randomRows(count, widthV, seed++);
    for (int64_t r = 0; r < count; ++r) {
      Seen &seen = sequences[step.tokens[r].seq];
      seen.k.insert(seen.k.end(), &k.values[r * widthK], &k.values[r * widthK] + widthK);
      seen.v.insert(seen.v.end(), &v.values[r * widthV], &v.values[r * widthV] + widthV);
    }
    for (int32_t sequence : {0, 1})
      for (int32_t i = 0; i < int32_t(sequences[sequence].k.size() / widthK); ++i)
        step.keys.insert(step.keys.end(), {sequence, i});

    runner.call("append", step, LLMC_ROWS_TOKENS, {k, v}, {}, {1, offsetK, offsetV}, {});
    std::vector<int32_t> keys;
    std::vector<Rows> view =
        runner.call("view", step, LLMC_ROWS_KEYS, {}, {}, {1, offsetK, offsetV}, {widthK, widthV}, &keys);
    EXPECT_EQ(keys, step.keys);
    const double tolerance = p.rounding;
    int64_t first = 0;
    for (const Seen &seen : sequences) {
      int64_t n = seen.k.size() / widthK;
      for (int64_t i = 0; i < n * widthK; ++i)
        ASSERT_NEAR(view[0].values[first * widthK + i], seen.k[i], tolerance);
      for (int64_t i = 0; i < n * widthV; ++i)
        ASSERT_NEAR(view[1].values[first * widthV + i], seen.v[i], tolerance);
      first += n;
    }

    // The keys go in as a buffer like the weights: an address.
    Weight keyRows;
    keyRows.packed.resize(keys.size() * 4);
    std::memcpy(keyRows.packed.data(), keys.data(), keyRows.packed.size());
    std::vector<Weight> rest = {keyRows};
    if (p.sinks)
      rest.push_back(sinks);
    Rows y = runner.call("attend", step, LLMC_ROWS_TOKENS, {q, view[0], view[1]}, rest, {}, {widthY})[0];
    expectNear(
        y,
        [&](int64_t r, int64_t c) {
          int64_t head = c / p.dimV, kvHead = head * p.kvHeads / p.heads, column = c % p.dimV,
                  position = step.tokens[r].pos;
          const Seen &seen = sequences[step.tokens[r].seq];
          double total = p.sinks ? std::exp(double(sinks.values.at(0, head))) : 0, sum = 0;
          for (int64_t j = 0; j < int64_t(seen.k.size() / widthK); ++j) {
            if ((p.causal && j > position) || (p.window && position - j >= p.window))
              continue;
            double score = 0;
            for (int64_t d = 0; d < p.dimK; ++d)
              score += 0.25 * q.at(r, head * p.dimK + d) * seen.k[j * widthK + kvHead * p.dimK + d];
            if (p.softcap != 0)
              score = p.softcap * std::tanh(score / p.softcap);
            total += std::exp(score);
            sum += std::exp(score) * seen.v[j * widthV + kvHead * p.dimV + column];
          }
          return sum / total;
        },
        1e-5 + 2.5 * p.rounding);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, CachedAttention,
                         testing::Values(AttentionCase{"Grouped", 6, 2, 18, 18, "f32", 0, true, 0, 0, false},
                                         AttentionCase{"EveryOption", 4, 4, 5, 9, "f32", 0, true, 3, 2, true},
                                         AttentionCase{"SingleKeyHeadFullMask", 3, 1, 7, 16, "f32", 0, false,
                                                       0, 0, false},
                                         AttentionCase{"F16", 6, 3, 8, 8, "f16", 5e-4, true, 0, 0, false},
                                         AttentionCase{"BF16", 6, 3, 8, 9, "bf16", 4e-3, true, 0, 0, false},
                                         // Half of 2 / 127, and a group that is not full.
                                         AttentionCase{"Q8", 6, 3, 40, 33, "q8", 8e-3, true, 0, 0, false}),
                         [](const auto &info) { return info.param.name; });

TEST(Attention, RowWithoutKeysIsZero) {
  KernelRunner runner;
  ASSERT_TRUE(runner.add(kernel(
      "%q: tensor<?x4xf32>, %k: tensor<?x4xf32>, %v: tensor<?x4xf32>, %keys: tensor<?x2xi32>, %t: !lm.tokens",
      "%y = lm.attention %q, %k, %v, %keys, %t {heads = 1, kv_heads = 1, scale = 1.0, mask = causal} : "
      "tensor<?x4xf32>, "
      "tensor<?x4xf32>, tensor<?x4xf32>",
      "%y : tensor<?x4xf32>")))
      << runner.message;
  ASSERT_TRUE(runner.finish()) << runner.message;
  EXPECT_GT(runner.info("k").scratchPerKey, 0u);
  EXPECT_TRUE(runner.info("k").usesKeys);
  Step step = tokensOf({{0, 0, 3, 0}, {0, 9, 3, 1}});
  step.keys = {0, 3, 1, 3};
  Weight keys;
  keys.packed.resize(16);
  std::memcpy(keys.packed.data(), step.keys.data(), 16);
  Rows v = randomRows(2, 4, 3);
  Rows y = runner.call("k", step, LLMC_ROWS_TOKENS, {randomRows(2, 4, 1), randomRows(2, 4, 2), v}, {keys}, {},
                       {4})[0];
  expectNear(y, [&](int64_t r, int64_t c) { return r ? 0 : v.at(0, c); });
}

//===----------------------------------------------------------------------===//
// Refusals
//===----------------------------------------------------------------------===//

TEST(Refusal, NamesWhatCannotBeAKernel) {
  auto refusal = [](const std::string &text) {
    KernelRunner runner;
    EXPECT_FALSE(runner.add(text));
    return runner.message;
  };
  EXPECT_NE(
      refusal(
          kernel("%q: tensor<?x4xf32>, %t: !lm.tokens",
                 "%y = lm.cached_attention @kv, %q, %q, %q, %t {heads = 1, kv_heads = 1, scale = 1.0, mask = "
                 "causal} : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>",
                 "%y : tensor<?x4xf32>"))
          .find("touches the cache"),
      std::string::npos);
  EXPECT_NE(refusal(kernel("%x: tensor<?x4xf32>, %t: !lm.tokens",
                           "%y = lm.rope %x, %t {head_dim = 4, base = @bases} : tensor<?x4xf32>",
                           "%y : tensor<?x4xf32>"))
                .find("still names a table"),
            std::string::npos);
  EXPECT_NE(refusal(kernel("%x: tensor<?x4xf32>, %w: !lm.weight<4x4>", "%y = lm.linear %x, %w : <4x4>",
                           "%y : tensor<?x4xf32>", "\"q3_z\""))
                .find("'q3_z', which is not known"),
            std::string::npos);
  EXPECT_NE(refusal(kernel("%x: tensor<?x4xf32>, %w: !lm.weight<4x4>", "%y = lm.linear %x, %w : <4x4>",
                           "%y : tensor<?x4xf32>", "\"vector\""))
                .find("cannot be packed as 'vector'"),
            std::string::npos);
  EXPECT_NE(refusal(kernel("%k: tensor<?x4xf32>, %t: !lm.tokens",
                           "lm.kv_append @kv, %k, %k, %t : tensor<?x4xf32>, tensor<?x4xf32>", ""))
                .find("expected 'cache' to give heads"),
            std::string::npos);
}

} // namespace
