// Kernels of a GPU's own load and store no more than they must, in all memory that they touch. Counted in the
// emulator in two ways: what a launch touches for the first time, which memory must move, against the least
// that the shapes of the model allow; and all loads and stores, which caches serve again, against how often
// each kernel is meant to do them, and for one token against the same least.
#include "tests/device/Counts.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <set>

using namespace llmc::test;

namespace {

// The model of compile_counts.sh.
constexpr uint64_t layers = 2, hidden = 512, kv = 128, ffn = 1024, vocab = 1040;
constexpr uint64_t heads = 8, kvHeads = 2, headDim = 64, group = heads / kvHeads,
                   frequencies = 4 * headDim / 2;

/// Ends of pages and of units of 32 keys that nobody sees, records of key blocks.
constexpr double rest = 1.1;

constexpr uint64_t roundUp(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
constexpr uint64_t row(uint64_t n) { return 4 * n; } // of activations

/// Bytes of one kernel: loads by what they are of, and all stores.
struct Moved {
  uint64_t matrices = 0, vectors = 0, rows = 0, cache = 0, stores = 0;
  uint64_t all() const { return matrices + vectors + rows + cache + stores; }
};

Moved operator*(uint64_t times, const Moved &moved) {
  return {times * moved.matrices, times * moved.vectors, times * moved.rows, times * moved.cache,
          times * moved.stores};
}

struct Launch {
  std::string kernel;
  Moved most; // all that it loads and stores
};

/// An op's launches move `least` for the first time if they keep what passes between them for themselves. If
/// that is more than a tenth of it, `between` tells how much.
struct Op {
  std::vector<Launch> launches;
  uint64_t least, between = 0;
};

/// The ops of a step of so many tokens; with them there are so many keys.
class Step {
public:
  Step(std::string scheme, uint64_t tokens, uint64_t keys)
      : scheme(std::move(scheme)), tokens(tokens), keys(keys) {}

  std::vector<Op> ops() const {
    const std::string qkv = "rms_512x512_128x512_128x512", gateUp = "rms_silu_1024x512_1024x512";
    return {
        embed(),
        linear({.name = qkv, .k = hidden, .matrices = {hidden, kv, kv}, .hasGain = true}, tokens),
        tokens <= 32 ? attention() : promptAttention(),
        linear({.name = "512x512", .k = hidden, .matrices = {hidden}, .hasResidual = true}, tokens),
        linear({.name = gateUp, .k = hidden, .matrices = {ffn, ffn}, .isGated = true, .hasGain = true},
               tokens),
        linear({.name = "512x1024", .k = ffn, .matrices = {hidden}, .hasResidual = true}, tokens),
        {{{"asked_rows_512_asked", {.rows = row(hidden), .stores = row(hidden)}}}, 2 * row(hidden)},
        linear({.name = "rms_1040x512", .k = hidden, .matrices = {vocab}, .hasGain = true, .times = 1}, 1)};
  }

private:
  bool isQ8() const { return scheme == "q8_0"; } // so is the cache then, else of f16
  /// 32 numbers have a scale, those of q4_1 also a least one, those of bf16 neither.
  uint64_t matrix(uint64_t n, uint64_t k) const {
    const uint64_t bytes = scheme == "q4_0" ? 16 + 2 : scheme == "q4_1" ? 16 + 2 + 2 : isQ8() ? 32 + 2 : 64;
    return n * k / 32 * bytes;
  }
  /// K and V of a token in a layer; in q8 32 numbers have a scale.
  uint64_t keyBytes() const { return 2 * kvHeads * (isQ8() ? headDim + 2 * 2 : headDim * 2); }

  Op embed() const {
    const uint64_t table = tokens * matrix(1, hidden), rows = tokens * row(hidden);
    return {{{"embed_1040x512_" + scheme, {.matrices = table, .stores = rows}}}, table + rows};
  }

  struct Linear {
    std::string name;
    uint64_t k;
    std::vector<uint64_t> matrices; // rows of each
    bool isGated = false, hasGain = false, hasResidual = false;
    uint64_t times = layers; // in a step; 1: of the rows that are asked for
    /// Of `rowsOfBlock` rows of an output each.
    uint64_t blocks(uint64_t rowsOfBlock) const {
      uint64_t n = 0;
      for (uint64_t rows : matrices)
        n += roundUp(rows, rowsOfBlock) / rowsOfBlock;
      return isGated ? n / 2 : n;
    }
    uint64_t outputs() const {
      return std::accumulate(matrices.begin(), matrices.end(), uint64_t(0)) / (isGated ? 2 : 1);
    }
  };

  uint64_t weights(const Linear &linear, uint64_t rowsOfBlock) const {
    uint64_t bytes = 0;
    for (uint64_t rows : linear.matrices)
      bytes += matrix(roundUp(rows, rowsOfBlock), linear.k);
    return bytes;
  }

  /// Of n rows of x.
  Op linear(const Linear &linear, uint64_t n) const {
    const uint64_t gain = linear.hasGain ? row(linear.k) : 0, out = n * row(linear.outputs());
    const uint64_t residual = linear.hasResidual ? out : 0;
    const uint64_t least = linear.times * (weights(linear, 1) + gain + n * row(linear.k) + residual + out);
    const std::string name =
        "fused_linear_" + linear.name + "_" + scheme + (linear.times == 1 ? "_asked" : "");
    if (n > 16)
      return manyRows(linear, name, least);
    // Blocks of at least 256 rows of weights, each of which reads a slice of 512 columns. All that have the
    // same rows read x and the gain once, and leave a sum of each slice to the last one.
    const bool isHalf =
        linear.isGated && (n <= 8 || scheme != "q4_0"); // in shared memory two tiles leave others less room
    const uint64_t groups = linear.blocks(isHalf ? 128 : 256), slices = linear.k / 512;
    const uint64_t sums = slices > 1 ? slices * n * row(linear.outputs()) : 0;
    const uint64_t pointers =
        sums ? groups * slices * 8 * 8 : 0; // to them, of each warp; they stand in scratch
    const Moved most = {.matrices = weights(linear, 32),
                        .vectors = groups * n * gain,
                        .rows = groups * n * row(linear.k) + sums + pointers + residual,
                        .stores = sums + out};
    return {{{name + (n <= 8 ? "_rows8" : "_rows16"), linear.times * most}},
            least,
            n == 1 ? 0 : linear.times * 2 * sums};
  }

  /// A launch packs rows: two planes of 16 bits of every number, a scale of each slice and one over the norm,
  /// which each warp wants. Another one loads them with the weights, so many tokens at a time.
  Op manyRows(const Linear &linear, const std::string &name, uint64_t least) const {
    const uint64_t k = linear.k, packed = 2 * 2 * k, numbers = 4 * (k / 512 + linear.hasGain);
    const uint64_t atOnce = linear.isGated ? 16 : 32, tiles = roundUp(tokens, atOnce) / atOnce;
    const uint64_t out = tokens * row(linear.outputs());
    const Moved pack = {.vectors = linear.hasGain ? tokens * row(k) : 0,
                        .rows = tokens * row(k),
                        .stores = tokens * (packed + numbers)};
    const Moved multiply = {.matrices = tiles * weights(linear, 32),
                            .rows = linear.blocks(128) * tiles * atOnce * (packed + 4 * numbers) +
                                    (linear.hasResidual ? out : 0),
                            .stores = out};
    return {{{name + "_pack", linear.times * pack}, {name + "_tiles", linear.times * multiply}},
            least,
            linear.times * 2 * pack.stores};
  }

  /// What both forms of attention must: rows of q, k, v and the output, new keys, all keys.
  uint64_t leastOfAttention() const {
    return layers * (tokens * row(2 * hidden + 2 * kv) + (tokens + keys) * keyBytes() + frequencies);
  }

  /// Eight queries of a kv head at a time go through its keys, a unit of 32 of them after the other.
  Op attention() const {
    const uint64_t records = tokens * heads * 4 * (headDim + 2), turns = (tokens * group + 7) / 8;
    const uint64_t pointers = 8 * 8; // to the records, of each of eight warps; they stand in scratch
    const Moved split = {.vectors = tokens * (heads + kvHeads) * frequencies,
                         .rows = tokens * (row(hidden + 2 * kv) + pointers),
                         .cache = turns * roundUp(keys, 32) * keyBytes(),
                         .stores = tokens * keyBytes() + records};
    const Moved combine = {.rows = records + tokens * pointers, .stores = tokens * row(hidden)};
    return {{{"cached_attention_8h2_512", layers * split},
             {"cached_attention_8h2_512_combine", layers * combine}},
            leastOfAttention(),
            // Key blocks are as long as one token's records are few.
            tokens == 1 && keys >= 128 ? 0 : layers * 2 * records};
  }

  /// Tiles of eight tokens, whose queries fill four warps, load the keys up to their last one's.
  Op promptAttention() const {
    uint64_t loaded = 0;
    for (uint64_t first = 0; first < tokens; first += 8)
      loaded += roundUp(std::min(first + 8, tokens), 32);
    const Moved append = {.vectors = tokens * kvHeads * frequencies,
                          .rows = tokens * row(2 * kv),
                          .stores = tokens * keyBytes()};
    const Moved prompt = {.vectors = tokens * heads * frequencies,
                          .rows = tokens * row(hidden),
                          .cache = loaded * keyBytes(),
                          .stores = tokens * row(hidden)};
    return {{{"cached_attention_8h2_512_append", layers * append},
             {"cached_attention_8h2_512_prompt", layers * prompt}},
            leastOfAttention()};
  }

  const std::string scheme;
  const uint64_t tokens, keys;
};

/// What a step is told, not what it computes with: a few words for each token and launch.
bool isHead(const std::string &memory) {
  return std::set<std::string>{"arguments", "the step", "page tables", "the counters of blocks"}.contains(
      memory);
}

struct Measured {
  Moved all, distinct;
  uint64_t head = 0, memories = 0;
};

Measured measure(const CountTable &table, const std::string &kernel) {
  Measured measured;
  for (const auto &[key, counts] : table) {
    const auto &[name, memory] = key;
    if (name != kernel || (!counts.loads && !counts.stores))
      continue;
    ++measured.memories;
    if (isHead(memory)) {
      measured.head += counts.distinctLoads;
      continue;
    }
    measured.all.stores += counts.warpStores, measured.distinct.stores += counts.distinctStores;
    const bool isMatrix = memory.starts_with("the weights") && counts.memory > row(ffn);
    const auto what = isMatrix                            ? &Moved::matrices
                      : memory.starts_with("the weights") ? &Moved::vectors
                      : memory == "the cache"             ? &Moved::cache
                                                          : &Moved::rows;
    measured.all.*what += counts.warpLoads, measured.distinct.*what += counts.distinctLoads;
    if (isMatrix && !kernel.starts_with("embed")) // a row of the table lies scattered in its panel
      EXPECT_GE(counts.fill(), 0.8) << kernel << " of " << memory;
  }
  return measured;
}

std::string schemeOf(const testing::TestParamInfo<const char *> &info) { return info.param; }

class Loads : public testing::TestWithParam<const char *> {
protected:
  /// Of the last step; those before it fill the cache.
  void expectLittle(const std::vector<uint32_t> &steps) {
    const std::string model = std::string(LLMC_DEVICE_MODELS) + "/counts-" + GetParam();
    const CountTable table = countLastStep(model + ".so", model + ".checked.simt", steps);
    std::set<std::string> left; // kernels that nobody looked at
    for (const auto &[key, counts] : table)
      if (counts.loads || counts.stores)
        left.insert(key.first);
    const uint64_t tokens = steps.back();
    uint64_t keys = 0;
    for (uint32_t n : steps)
      keys += n;
    for (const Op &op : Step(GetParam(), tokens, keys).ops()) {
      uint64_t moved = 0, all = 0;
      for (const auto &[kernel, most] : op.launches) {
        EXPECT_EQ(left.erase(kernel), 1u) << kernel << " was not launched";
        const Measured measured = measure(table, kernel);
        EXPECT_GE(measured.memories, 4u) << kernel << ": its head, what it reads, what it writes";
        EXPECT_LE(measured.all.matrices, most.matrices) << kernel;
        EXPECT_LE(measured.all.vectors, most.vectors) << kernel;
        EXPECT_LE(measured.all.rows, most.rows) << kernel;
        EXPECT_LE(measured.all.cache, most.cache) << kernel;
        EXPECT_EQ(measured.all.stores, most.stores) << kernel;
        EXPECT_LE(measured.head, layers * (256 + 16 * tokens)) << kernel;
        moved += measured.distinct.all(), all += measured.all.all();
      }
      EXPECT_GE(moved, op.least + op.between) << op.launches[0].kernel;
      EXPECT_LE(double(moved), rest * double(op.least) + double(op.between)) << op.launches[0].kernel;
      if (tokens == 1)
        EXPECT_LE(double(all), rest * double(op.least) + double(op.between))
            << op.launches[0].kernel << ", caches or not";
    }
    EXPECT_EQ(left, std::set<std::string>{});
    if (HasFailure())
      std::printf("%s", describe(table).c_str());
  }
};

/// Schemes whose weights alone are others: with fewer keys, since prompts take their time.
class WeightLoads : public Loads {};

TEST_P(WeightLoads, of_one_token) { expectLittle({31, 1}); }

TEST_P(WeightLoads, of_several_tokens) { expectLittle({16}); }

TEST_P(WeightLoads, of_a_prompt) { expectLittle({48}); }

INSTANTIATE_TEST_SUITE_P(Device, WeightLoads, testing::Values("q4_1", "bf16"), schemeOf);

/// It makes a key block whole: beside fewer keys its record is more than a tenth of them.
TEST_P(Loads, of_one_token) { expectLittle({GetParam() == std::string("q8_0") ? 255u : 127u, 1}); }

TEST_P(Loads, of_several_tokens) { expectLittle({16}); }

TEST_P(Loads, of_a_prompt) { expectLittle({48}); }

TEST_P(Loads, of_a_long_prompt) { expectLittle({200}); }

INSTANTIATE_TEST_SUITE_P(Device, Loads, testing::Values("q4_0", "q8_0"), schemeOf);

} // namespace
