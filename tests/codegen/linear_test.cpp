//===- linear_test.cpp - linear kernels against double precision ----------===//
//
// Every scheme, activation type and instruction set over odd shapes, row counts and worker counts. Integer
// products are compared bit by bit with an emulation of their contract, everything else with double
// precision.
//
//===----------------------------------------------------------------------===//
#include "KernelJit.h"
#include "LinearData.h"
#include "ir/quant/CodedFloat.h"
#include "ir/quant/Schemes.h"

#include <functional>
#include <gtest/gtest.h>
#include <map>

using namespace llmc;
using namespace llmc::test;

namespace {

constexpr int64_t rowCounts[] = {1, 2, 3, 5, 8, 16, 17, 33, 50};

/// A kernel with its data; outputs are compared as a whole.
struct Linear : LinearData {
  using LinearData::LinearData;
  cpu::KernelResult kernel;

  void emit(KernelJit &jit, const std::string &name, const cpu::Isa &isa) {
    auto result = cpu::emitLinear(jit.module(), name, spec, isa);
    ASSERT_TRUE(mlir::succeeded(result));
    kernel = *result;
  }

  std::vector<std::unique_ptr<Matrix>> run(KernelJit &jit, const std::string &name, int64_t rows,
                                           uint32_t workers) {
    std::vector<std::unique_ptr<Matrix>> y;
    std::vector<const void *> args;
    for (const Operand &operand : operands())
      args.push_back(operand.data);
    for (int64_t i = 0; i < outputs(); ++i) {
      y.push_back(std::make_unique<Matrix>(rows, width(i)));
      args.push_back(y.back()->data);
    }
    std::vector<uint8_t> packed(rows * cpu::packedRowBytes(spec) + 1, 0xff);
    args.push_back(packed.data());
    StepRunner runner;
    runner.step.rows[LLMC_ROWS_TOKENS] = rows;
    runner.run(jit, name, kernel, rows, args, workers);
    return y;
  }

  void checkAgainstDouble(KernelJit &jit, const std::string &name, double tolerance) {
    auto y = run(jit, name, maxRows, 1);
    for (int64_t row : {0, 1, 2, 17, 32}) {
      auto v = normed(row);
      for (int64_t output = 0; output < outputs(); ++output)
        for (int64_t column = 0; column < width(output); ++column) {
          auto [value, size] = expected(v, row, output, column);
          ASSERT_NEAR(y[output]->at(row, column), value, tolerance * size)
              << name << " row " << row << ", output " << output << ", column " << column;
        }
    }
  }

  void checkSameBits(KernelJit &jit, const std::string &name, const cpu::Isa &isa) {
    auto many = run(jit, name, maxRows, 1);
    auto few = run(jit, name, cpu::mixesUnits(spec, isa) ? isa.tileRows - 1 : maxRows, 1);
    for (int64_t rows : rowCounts)
      for (uint32_t workers : {1, 2, 3}) {
        auto part = run(jit, name, rows, workers);
        auto &all = rows < isa.tileRows ? few : many;
        for (int64_t output = 0; output < outputs(); ++output)
          for (int64_t row = 0; row < rows; ++row)
            ASSERT_TRUE(sameBits(&part[output]->at(row, 0), &all[output]->at(row, 0), width(output)))
                << name << ": row " << row << " of " << rows << " with " << workers << " workers";
      }
  }

  /// Weights and activations that are largest in all columns: sums of 16 bits must not saturate.
  void makeExtreme() {
    const quant::QuantScheme &scheme = weights[0]->scheme;
    struct {
      int64_t rowBytes, calls = 0;
      uint8_t operator()() {
        constexpr uint8_t bytes[] = {0xff, 0x00, 0x80, 0x77, 0x7f};
        return bytes[calls++ / rowBytes % std::size(bytes)];
      }
    } bits{scheme.rowBytes(spec.k)};
    weights[0] = std::make_unique<Weights>(scheme, weights[0]->n, spec.k, bits);
    for (int64_t row = 0; row < maxRows; ++row)
      for (int64_t c = 0; c < spec.k; ++c)
        x.at(row, c) = row % 3 == 0 ? 1.0f : row % 3 == 1 || c % 2 ? -1.0f : 1.0f;
  }

  void checkEmulated(KernelJit &jit, const std::string &name, const cpu::Isa &isa) {
    for (int64_t rows : {int64_t(3), maxRows}) {
      const bool inTiles = cpu::usesTiles(spec, isa) && rows >= isa.tileRows;
      auto y = run(jit, name, rows, 1);
      for (int64_t row : {0, 1, 2, 32})
        for (int64_t column = 0; row < rows && column < width(0); ++column)
          ASSERT_EQ(y[0]->at(row, column), inTiles ? emulatedTiles(row, column) : emulated(row, column))
              << name << " " << row << ", " << column;
    }
  }

  /// The quant of a weight, as the number that scales multiply, with its scale and its minimum.
  struct Stored {
    int quant;
    float scale, minimum;
  };
  Stored storedAt(int64_t column, int64_t i) const {
    const Weights &w = *weights[0];
    const quant::QuantScheme &scheme = w.scheme;
    if (scheme.scale == quant::ScaleKind::Row)
      return {int8_t(w.rows[column][4 + i]), 1, 0};
    quant::StoredBlock block;
    scheme.readBlock(scheme, w.rows[column].data() + i / scheme.blockValues * scheme.blockBytes, block);
    const uint8_t q = block.quants[i % scheme.blockValues];
    const int64_t group = i % scheme.blockValues / scheme.group;
    return {scheme.codebook     ? scheme.codebook[q]
            : scheme.isSigned() ? int8_t(q)
                                : q - scheme.zeroPoint,
            block.scaleOf(scheme, group), scheme.hasMin ? block.minimumOf(scheme, group) : 0};
  }

  static float ofBits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  /// What a tile takes for a number: subnormal ones count as zero.
  static float inTile(float value) { return std::fpclassify(value) == FP_SUBNORMAL ? 0.0f : value; }

  /// A weight as decoded for tiles: 2^8 larger in f16, then its upper bits as a bf16.
  float decodedAt(int64_t column, int64_t i) const {
    if (i >= spec.k)
      return 0;
    if (!weights[0]->scheme.isInteger())
      return inTile(weights[0]->values[column * spec.k + i]);
    const bool isRow = weights[0]->scheme.scale == quant::ScaleKind::Row;
    const Stored stored = storedAt(column, i);
    const float factor = isRow ? 256 : 256 * (1 + 0x1p-9f);
    const auto scale = _Float16(stored.scale * factor), minimum = _Float16(stored.minimum * factor);
    const auto value = _Float16(std::fma(double(stored.quant), double(scale), double(minimum)));
    int16_t bits;
    std::memcpy(&bits, &value, 2);
    return inTile(ofBits(uint32_t(uint16_t((bits >> 3) & 0x8fff)) << 16));
  }

  /// An activation as packed for tiles: rounded to bf16; for integer weights 2^104 larger.
  float packedAt(int64_t row, int64_t i) const {
    if (i >= spec.k)
      return 0;
    uint32_t bits;
    const float value = x.at(row, i) * (spec.activations == ActivationType::Int8 ? 0x1p104f : 1);
    std::memcpy(&bits, &value, 4);
    return ofBits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
  }

  /// The contract of tiles: TDPBF16PS for each 32 columns, ascending.
  float emulatedTiles(int64_t row, int64_t column) const {
    float acc = 0;
    for (int64_t first = 0; first < spec.k; first += 32) {
      float even = 0, odd = 0;
      for (int64_t line = 0; line < 16; ++line) {
        const int64_t i = first + line / 2 * 4 + line % 2;
        even = std::fma(packedAt(row, i), decodedAt(column, i), even);
        odd = std::fma(packedAt(row, i + 2), decodedAt(column, i + 2), odd);
      }
      acc += even + odd;
    }
    if (weights[0]->scheme.scale != quant::ScaleKind::Row)
      return acc;
    float scale;
    std::memcpy(&scale, weights[0]->rows[column].data(), 4);
    return scale * acc;
  }

  /// The integer contract, step by step, for plain products. What a block
  /// stands for is taken from the scheme: its values are compared with a reference elsewhere.
  float emulated(int64_t row, int64_t column) {
    const Weights &w = *weights[0];
    const quant::QuantScheme &scheme = w.scheme;
    const bool isRow = scheme.scale == quant::ScaleKind::Row;
    quant::StoredBlock stored;
    float acc = 0;
    for (int64_t first = 0; first < spec.k; first += 32) {
      const int64_t last = std::min(first + 32, spec.k);
      float largest = 0;
      for (int64_t i = first; i < last; ++i)
        largest = std::max(largest, std::abs(x.at(row, i)));
      const float xs = largest / 127;
      for (int64_t start = first; start < last; start += scheme.group) {
        const int64_t block = start / scheme.blockValues;
        if (scheme.readBlock)
          scheme.readBlock(scheme, w.rows[column].data() + block * scheme.blockBytes, stored);
        int32_t dot = 0, sum = 0;
        for (int64_t i = start; i < std::min(start + scheme.group, last); ++i) {
          const int32_t x8 = xs == 0 ? 0 : int32_t(std::nearbyint(x.at(row, i) / xs));
          const uint8_t q = isRow ? w.rows[column][4 + i] : stored.quants[i % scheme.blockValues];
          dot += (scheme.codebook     ? scheme.codebook[q]
                  : scheme.isSigned() ? int8_t(q)
                                      : q - scheme.zeroPoint) *
                 x8;
          sum += x8;
        }
        const int64_t group = start % scheme.blockValues / scheme.group;
        acc = std::fma(float(dot), isRow ? xs : stored.scaleOf(scheme, group) * xs, acc);
        if (scheme.hasMin)
          acc = std::fma(stored.minimumOf(scheme, group), xs * float(sum), acc);
      }
    }
    if (!isRow)
      return acc;
    float scale;
    std::memcpy(&scale, w.rows[column].data(), 4);
    return scale * acc;
  }
};

LinearSpec plain(const quant::QuantScheme &scheme, int64_t n, int64_t k, ActivationType type) {
  LinearSpec spec;
  spec.k = k;
  spec.weights = {{&scheme, n}};
  spec.activations = type;
  return spec;
}

/// Holds portable variants against the first of them, over the same data.
class PortableBits {
public:
  void check(Linear &linear, KernelJit &jit, const std::string &name, const std::string &what,
             const cpu::Isa &isa) {
    if (!isa.isPortable())
      return;
    auto y = linear.run(jit, name, maxRows, 3);
    auto [expected, isFirst] = first.try_emplace(what);
    if (isFirst) {
      expected->second = std::move(y);
      return;
    }
    for (int64_t output = 0; output < linear.outputs(); ++output)
      for (int64_t row = 0; row < maxRows; ++row)
        ASSERT_TRUE(
            sameBits(&y[output]->at(row, 0), &expected->second[output]->at(row, 0), linear.width(output)))
            << what << ": row " << row << " has other bits with " << isa.name.str();
  }

private:
  std::map<std::string, std::vector<std::unique_ptr<Matrix>>> first;
};

void checkPlainProducts(ActivationType type) {
  const bool isInt8 = type == ActivationType::Int8;
  PortableBits portable;
  for (const cpu::Isa *isa : isInt8 ? runnableIsas() : runnableBases()) {
    Random random(2);
    for (const auto &scheme : quant::allSchemes()) {
      if (isInt8 && !scheme.isInteger())
        continue;
      if (!isa->base.empty() && !cpu::differsFromBase(plain(scheme, 301, 576, type), *isa))
        continue;
      SCOPED_TRACE(std::string(scheme.name) + (isInt8 ? " int8 " : " f32 ") + isa->name.str());
      KernelJit jit;
      std::vector<std::unique_ptr<Linear>> kernels;
      for (int64_t k : scheme.isInteger() ? std::vector<int64_t>{301, 576} : std::vector<int64_t>{72, 100}) {
        kernels.push_back(std::make_unique<Linear>(plain(scheme, 301, k, type), random));
        kernels.back()->emit(jit, "linear" + std::to_string(k), *isa);
      }
      ASSERT_TRUE(jit.compile());
      for (auto &kernel : kernels) {
        const std::string name = "linear" + std::to_string(kernel->spec.k);
        kernel->checkSameBits(jit, name, *isa);
        const std::string what = std::string(scheme.name) + " " + name;
        portable.check(*kernel, jit, name, what, *isa);
        if (!isInt8) {
          kernel->checkAgainstDouble(jit, name, 2e-6);
          continue;
        }
        kernel->checkEmulated(jit, name, *isa);
        kernel->checkAgainstDouble(jit, name, 6e-3); // 1 / (2 * 127) at most for each term
        kernel->makeExtreme();
        kernel->checkEmulated(jit, name, *isa);
        portable.check(*kernel, jit, name, what + " extreme", *isa);
      }
    }
  }
}

TEST(Linear, PlainProductsOfFloats) { checkPlainProducts(ActivationType::F32); }
TEST(Linear, PlainProductsOfInt8) { checkPlainProducts(ActivationType::Int8); }

// How bf16 is stored is a matter of speed: with a norm, of a gate with its up weight, one of both coded, of
// several outputs, of K that fills no record; of one row and of several.
TEST(Linear, CodedFloatsGiveTheBitsOfPlainOnes) {
  const quant::QuantScheme &coded = *quant::schemeByName("bf16z"), &bf16 = *quant::schemeByName("bf16");
  LinearSpec outputs = plain(coded, 53, 203, ActivationType::F32);
  outputs.weights.push_back({&bf16, 20});
  outputs.weights.push_back({&coded, 33});
  outputs.norm = Norm::Rms;
  LinearSpec gated = plain(coded, 49, 576, ActivationType::F16);
  gated.weights.push_back({&coded, 49});
  gated.glu = true;
  gated.act = Activation::Silu;
  LinearSpec halfGated = gated;
  halfGated.weights[1].scheme = &bf16;
  for (const cpu::Isa *isa : runnableBases())
    for (const LinearSpec &spec : {outputs, gated, halfGated}) {
      SCOPED_TRACE(isa->name.str() + " " + std::string(spec.weights[1].scheme->name) +
                   std::to_string(spec.weights.size()));
      Random random(31), same(31);
      LinearSpec plainSpec = spec;
      for (LinearSpec::Weight &weight : plainSpec.weights)
        weight.scheme = &bf16;
      Linear packed(spec, random), reference(plainSpec, same);
      std::memcpy(reference.x.data, packed.x.data, packed.x.rows * packed.x.stride * sizeof(float));
      for (size_t i = 0; i < spec.weights.size(); ++i)
        reference.weights[i] = std::make_unique<Weights>(bf16, *packed.weights[i]);
      KernelJit jit;
      packed.emit(jit, "packed", *isa);
      reference.emit(jit, "plain", *isa);
      ASSERT_TRUE(jit.compile());
      for (int64_t rows : {1, 2, 3, 7, 50})
        for (int threads : {1, 3}) {
          auto y = packed.run(jit, "packed", rows, threads),
               expected = reference.run(jit, "plain", rows, threads);
          for (int64_t output = 0; output < packed.outputs(); ++output)
            for (int64_t row = 0; row < rows; ++row)
              ASSERT_TRUE(
                  sameBits(&y[output]->at(row, 0), &expected[output]->at(row, 0), packed.width(output)))
                  << rows << " rows, row " << row << " of output " << output;
        }
    }
}

// No exception, and as many as a panel has room for, in the first and the last record and several in one, of
// both panels of a pair.
TEST(Linear, CodedFloatsOfFullAndEmptyLists) {
  const quant::QuantScheme &coded = *quant::schemeByName("bf16z"), &bf16 = *quant::schemeByName("bf16");
  constexpr int64_t k = 200, n = 48, room = quant::coded::mostExceptions(k);
  for (const cpu::Isa *isa : runnableBases())
    for (int64_t exceptions : {int64_t(0), room}) {
      SCOPED_TRACE(isa->name.str() + " " + std::to_string(exceptions));
      Random random(32);
      auto noneRare = [&, i = 0]() mutable { // the upper byte of a number decides, see tameRow
        return uint8_t(++i % 2 ? random() : random() | 2);
      };
      Linear linear(plain(coded, n, k, ActivationType::F32), random);
      Weights &table = *(linear.weights[0] = std::make_unique<Weights>(coded, n, k, noneRare));
      // 13 exponents are frequent, and two of these have codes as well.
      const int64_t others = exceptions ? exceptions + 2 : 0;
      for (int64_t i = 0; i < n / 16 * others; ++i) {
        const int64_t number = i % others, panel = i / others;
        const int64_t column = number < 5 ? number : number == 5 ? k - 1 : number % 2 ? 96 + number : 96;
        const auto bits = uint16_t((123 + number) << 7 | number); // no exponent twice
        std::memcpy(&table.rows[panel * 16 + number][2 * column], &bits, 2);
      }
      table.repack();
      for (int64_t panel = 0; panel < n / 16; ++panel)
        ASSERT_EQ(table.packed[panel * coded.panelBytes(k) + quant::coded::countOffset], exceptions);
      KernelJit jit;
      linear.emit(jit, "coded", *isa);
      LinearSpec plainSpec = plain(bf16, n, k, ActivationType::F32);
      Random other(1);
      Linear reference(plainSpec, other);
      reference.weights[0] = std::make_unique<Weights>(bf16, table);
      std::memcpy(reference.x.data, linear.x.data, linear.x.rows * linear.x.stride * sizeof(float));
      reference.emit(jit, "plain", *isa);
      ASSERT_TRUE(jit.compile());
      for (int64_t rows : {1, 5}) {
        auto y = linear.run(jit, "coded", rows, 1), expected = reference.run(jit, "plain", rows, 1);
        for (int64_t row = 0; row < rows; ++row)
          ASSERT_TRUE(sameBits(&y[0]->at(row, 0), &expected[0]->at(row, 0), n)) << rows << ", " << row;
      }
    }
}

// Sizes are a matter of speed. Records of one chunk and of several.
TEST(Linear, FamiliesGiveTheSameBits) {
  for (const char *scheme : {"q4_0", "q6_k", "bf16z"}) {
    const auto type = std::string(scheme) == "bf16z" ? ActivationType::F32 : ActivationType::Int8;
    PortableBits portable;
    for (const cpu::Isa *isa : runnableIsas())
      for (const cpu::CpuFamily &family : cpu::allFamilies()) {
        SCOPED_TRACE(scheme + (" " + isa->name.str()) + " " + family.name.str());
        const cpu::Isa tuned = cpu::tunedFor(*isa, family);
        Random random(8);
        Linear linear(plain(*quant::schemeByName(scheme), 83, 576, type), random);
        KernelJit jit;
        linear.emit(jit, "linear", tuned);
        ASSERT_TRUE(jit.compile());
        linear.checkSameBits(jit, "linear", tuned);
        portable.check(linear, jit, "linear", scheme, tuned);
      }
  }
}

TEST(Tuning, EveryVariantHasSizes) {
  for (const cpu::Isa &isa : cpu::allIsas())
    for (const cpu::CpuFamily &family : cpu::allFamilies()) {
      SCOPED_TRACE(isa.name.str() + " " + family.name.str());
      const cpu::Tuning &tuning = cpu::tuningOf(family, isa.name, isa.base);
      for (llvm::ArrayRef<int> sizes : {tuning.decodePanels, tuning.int8TileRows, tuning.floatTileRows}) {
        ASSERT_FALSE(sizes.empty());
        EXPECT_TRUE(llvm::is_sorted(sizes, std::greater<int>()));
        EXPECT_EQ(sizes.back(), 1);
      }
    }
}

TEST(Tuning, UnknownCpusGetTheMeasuredDefault) {
  EXPECT_EQ(cpu::otherCpus().name, "generic");
  const cpu::CpuFamily &zen4 = *cpu::familyByName("zen4");
  EXPECT_EQ(&cpu::tuningOf(zen4, "amx", "avx512"), &cpu::tuningOf(cpu::otherCpus(), "amx", ""));
  EXPECT_EQ(&cpu::tuningOf(zen4, "avx512-bf16", "avx512"), &cpu::tuningOf(zen4, "avx512", ""));
  EXPECT_EQ(cpu::familyByName("znver4"), nullptr);
}

// Weights beyond a block of columns and rows beyond what stays in cache: small limits stand for large shapes.
TEST(Linear, TilesInBlocks) {
  Random random(6);
  for (const cpu::Isa *isa : runnableIsas()) {
    if (!isa->hasTiles())
      continue;
    cpu::Isa small = *isa;
    small.tuning.tileColumns = 64;
    small.tuning.activationBytes = 1;
    for (const char *name : {"q4_0", "q4_k", "int8"}) {
      SCOPED_TRACE(name + (" " + isa->name.str()));
      Linear linear(plain(*quant::schemeByName(name), 49, 600, ActivationType::Int8), random);
      KernelJit jit;
      linear.emit(jit, "blocks", small);
      ASSERT_TRUE(jit.compile());
      linear.checkSameBits(jit, "blocks", small);
      linear.checkEmulated(jit, "blocks", small);
    }
    // More panels than are begun and finished together, of two schemes with records of different lengths.
    LinearSpec spec = plain(*quant::schemeByName("q4_1"), 300, 600, ActivationType::Int8);
    spec.weights.push_back({quant::schemeByName("q4_k"), 300});
    spec.glu = spec.bias = spec.residual = true;
    Linear linear(spec, random);
    KernelJit jit;
    linear.emit(jit, "fused", small);
    ASSERT_TRUE(jit.compile());
    linear.checkSameBits(jit, "fused", small);
    linear.checkAgainstDouble(jit, "fused", 1e-2);
  }
}

// bf16 in tiles where rows fill them, bit by bit; else in pairs or as f32, where only the order and rounding
// of additions differ. Without a whole vector or a whole pair of columns, too.
TEST(Linear, PlainProductsOfBF16) {
  Random random(7);
  for (const cpu::Isa *isa : runnableIsas())
    for (int64_t k : {99, 100, 608}) {
      SCOPED_TRACE(isa->name.str() + " " + std::to_string(k));
      Linear linear(plain(*quant::schemeByName("bf16"), 49, k, ActivationType::BF16), random);
      KernelJit jit;
      linear.emit(jit, "bf16", *isa);
      ASSERT_TRUE(jit.compile());
      ASSERT_EQ(cpu::usesTiles(linear.spec, *isa), isa->hasTiles() && k == 608);
      ASSERT_EQ(cpu::usesBF16Dots(linear.spec, *isa), isa->hasBF16Dots && k % 2 == 0);
      linear.checkSameBits(jit, "bf16", *isa);
      linear.checkAgainstDouble(jit, "bf16", 2e-6);
      if (isa->tileRows == 1 && k == 608)
        linear.checkEmulated(jit, "bf16", *isa);
    }
}

TEST(Linear, FusedForms) {
  const auto *q4 = quant::schemeByName("q4_1"), *q40 = quant::schemeByName("q4_0"),
             *q8 = quant::schemeByName("q8_0");
  const auto *f32 = quant::schemeByName("f32"), *f16 = quant::schemeByName("f16");
  std::vector<std::pair<std::string, LinearSpec>> specs;
  auto add = [&](const char *name, int64_t k, std::initializer_list<LinearSpec::Weight> weights,
                 ActivationType type, std::function<void(LinearSpec &)> edit) {
    LinearSpec spec;
    spec.k = k;
    spec.weights = weights;
    spec.activations = type;
    edit(spec);
    specs.emplace_back(name, spec);
  };
  const auto F32 = ActivationType::F32, Int8 = ActivationType::Int8;
  auto rms = [](LinearSpec &s) { s.norm = Norm::Rms, s.eps = 1e-5, s.normGain = true; };
  add("qkv", 160, {{q4, 96}, {q4, 33}, {q8, 17}}, Int8, rms);
  add("qkv_f32", 160, {{q4, 96}, {q40, 33}, {f16, 17}}, F32, rms);
  add("qkv_bias", 72, {{f32, 72}, {f32, 18}, {f16, 18}}, F32,
      [&](LinearSpec &s) { s.norm = Norm::Layer, s.eps = 1e-5, s.normGain = s.normBias = s.bias = true; });
  add("plus_one", 100, {{f32, 40}}, F32, [&](LinearSpec &s) { rms(s), s.normPlusOne = true; });
  add("no_gain", 96, {{q40, 40}}, Int8, [&](LinearSpec &s) { s.norm = Norm::Layer, s.eps = 1e-6; });
  add("swiglu", 576, {{q4, 75}, {q40, 75}}, Int8,
      [&](LinearSpec &s) { rms(s), s.glu = true, s.act = Activation::Silu; });
  add("geglu", 72, {{f32, 100}, {f32, 100}}, F32,
      [&](LinearSpec &s) { rms(s), s.glu = s.bias = true, s.act = Activation::GeluTanh; });
  add("down", 100, {{f16, 72}}, F32, [&](LinearSpec &s) { s.residual = true; });
  add("down_int8", 160, {{q4, 96}}, Int8, [&](LinearSpec &s) { s.residual = s.bias = true; });
  add("down_scaled", 160, {{q4, 96}}, Int8, [&](LinearSpec &s) { s.residual = true, s.scale = 0.22; });
  add("geglu_scaled", 72, {{f32, 33}, {f32, 33}}, F32,
      [&](LinearSpec &s) { rms(s), s.glu = s.bias = true, s.act = Activation::GeluTanh, s.scale = -3; });
  add("down_bf16", 96, {{f16, 72}, {q4, 33}}, ActivationType::BF16, [](LinearSpec &) {});
  add("down_f16", 96, {{q8, 72}}, ActivationType::F16, [&](LinearSpec &s) { s.residual = true; });
  add("qkv_bf16", 160, {{q4, 96}, {f32, 33}}, ActivationType::BF16, rms);
  add("swiglu_f16", 160, {{q40, 75}, {q40, 75}}, ActivationType::F16,
      [&](LinearSpec &s) { rms(s), s.glu = true, s.act = Activation::Silu; });
  for (Activation act : {Activation::Relu, Activation::Relu2, Activation::GeluErf, Activation::GeluQuick,
                         Activation::Sigmoid, Activation::Tanh})
    add(("act" + std::to_string(int(act))).c_str(), 40, {{f32, 33}}, F32,
        [&](LinearSpec &s) { s.act = act, s.bias = true; });

  PortableBits portable;
  for (const cpu::Isa *isa : runnableIsas()) {
    Random random(3);
    KernelJit jit;
    auto isShared = [&](const LinearSpec &spec) {
      return !isa->base.empty() && !cpu::differsFromBase(spec, *isa);
    };
    std::vector<std::unique_ptr<Linear>> kernels;
    for (auto &[name, spec] : specs) {
      kernels.push_back(std::make_unique<Linear>(spec, random));
      if (!isShared(spec))
        kernels.back()->emit(jit, name, *isa);
    }
    ASSERT_TRUE(jit.compile());
    for (auto [kernel, named] : llvm::zip(kernels, specs)) {
      SCOPED_TRACE(named.first + " on " + isa->name.str());
      if (isShared(named.second))
        continue;
      portable.check(*kernel, jit, named.first, named.first, *isa);
      kernel->checkSameBits(jit, named.first, *isa);
      // Rounding of a normed number may fall to the other side than in double precision: 2^-8 of one of 160.
      const bool mayFlip = named.second.activations != F32 && named.second.norm != Norm::None;
      kernel->checkAgainstDouble(jit, named.first,
                                 named.second.activations == Int8 ? 1e-2
                                 : mayFlip                        ? 1e-4
                                                                  : 3e-6);
    }
  }
}

// The identity shows the norm itself.
TEST(Linear, NormsOfOneToFive) {
  const double rms[] = {0.3015, 0.6030, 0.9045, 1.2060, 1.5076},
               layer[] = {-1.4142, -0.7071, 0, 0.7071, 1.4142};
  const auto *f32 = quant::schemeByName("f32");
  for (const cpu::Isa *isa : runnableBases())
    for (Norm norm : {Norm::Rms, Norm::Layer}) {
      float identity[5][5] = {};
      const uint8_t *rows[5];
      for (int i = 0; i < 5; ++i)
        identity[i][i] = 1, rows[i] = reinterpret_cast<const uint8_t *>(identity[i]);
      alignas(64) uint8_t packed[5 * 64];
      ASSERT_TRUE(f32->packPanel(rows, 5, packed));
      LinearSpec spec = plain(*f32, 5, 5, ActivationType::F32);
      spec.norm = norm;
      KernelJit jit;
      auto kernel = cpu::emitLinear(jit.module(), "norm", spec, *isa);
      ASSERT_TRUE(mlir::succeeded(kernel) && jit.compile());
      Matrix x(1, 5), y(1, 5);
      for (int i = 0; i < 5; ++i)
        x.at(0, i) = i + 1;
      StepRunner runner;
      runner.step.rows[LLMC_ROWS_TOKENS] = 1;
      runner.run(jit, "norm", *kernel, 1, {x.data, packed, y.data, nullptr}, 2);
      for (int i = 0; i < 5; ++i)
        EXPECT_NEAR(y.at(0, i), norm == Norm::Rms ? rms[i] : layer[i], 6e-5);
    }
}

struct Counter {
  uint64_t bytes = 0;
};
void count(const llmc_step *step, const void *, uint64_t bytes) {
  static_cast<Counter *>(step->count_load_data)->bytes += bytes;
}

TEST(Linear, CountsEveryWeightOnce) {
  Random random(4);
  LinearSpec spec = plain(*quant::schemeByName("q4_1"), 301, 160, ActivationType::Int8);
  spec.countLoads = true;
  Linear linear(spec, random);
  KernelJit jit;
  linear.emit(jit, "counted", *runnableIsas().at(0));
  ASSERT_TRUE(jit.compile());
  for (int64_t rows : {1, 5})
    for (uint32_t workers : {1, 3}) {
      Counter counter;
      Matrix y(rows, 301);
      std::vector<uint8_t> packed(rows * cpu::packedRowBytes(spec));
      StepRunner runner;
      runner.step.rows[LLMC_ROWS_TOKENS] = rows;
      runner.step.count_load = count;
      runner.step.count_load_data = &counter;
      runner.run(jit, "counted", linear.kernel, rows,
                 {linear.x.data, linear.weights[0]->packed, y.data, packed.data()}, workers);
      EXPECT_EQ(counter.bytes, uint64_t(linear.weights[0]->scheme.packedBytes(301, 160)));
    }
}

TEST(Linear, RefusesWhatItCannotDo) {
  KernelJit jit;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(jit.module().getContext(),
                                        [&](mlir::Diagnostic &d) { message = d.str(); });
  const cpu::Isa &isa = cpu::allIsas()[0];
  LinearSpec spec = plain(*quant::schemeByName("f16"), 8, 64, ActivationType::Int8);
  EXPECT_TRUE(mlir::failed(cpu::emitLinear(jit.module(), "a", spec, isa)));
  EXPECT_NE(message.find("int8 activations need an integer scheme, but got 'f16'"), std::string::npos);
}

TEST(Embed, RowsAreExact) {
  Random random(5);
  for (const cpu::Isa *isa : runnableBases())
    for (const auto &scheme : quant::allSchemes()) {
      const int64_t width = scheme.isInteger() ? 301 : 72;
      Weights table(scheme, 37, width, random);
      KernelJit jit;
      emit::EmbedSpec spec{&scheme, 37, width, 1, LLMC_ROWS_TOKENS},
          scaled{&scheme, 37, width, 3.5, LLMC_ROWS_ASKED};
      auto kernel = cpu::emitEmbed(jit.module(), "embed", spec, *isa);
      ASSERT_TRUE(mlir::succeeded(kernel));
      ASSERT_TRUE(mlir::succeeded(cpu::emitEmbed(jit.module(), "scaled", scaled, *isa)) && jit.compile());
      const llmc_token_row tokens[] = {{0, 0, 0, 0}, {36, 0, 1, 1}, {17, 0, 2, 1}};
      const int32_t asked[] = {1, 2};
      StepRunner runner;
      runner.step.rows[LLMC_ROWS_TOKENS] = 3;
      runner.step.rows[LLMC_ROWS_ASKED] = 2;
      runner.step.tokens = tokens;
      runner.step.asked = asked;
      Matrix y(3, width), z(2, width);
      runner.run(jit, "embed", *kernel, 3, {table.packed, y.data}, 2);
      runner.run(jit, "scaled", *kernel, 2, {table.packed, z.data}, 2);
      for (int64_t c = 0; c < width; ++c) {
        for (int64_t r = 0; r < 3; ++r)
          ASSERT_EQ(y.at(r, c), table.values[tokens[r].id * width + c]);
        for (int64_t r = 0; r < 2; ++r)
          ASSERT_EQ(z.at(r, c), table.values[tokens[asked[r]].id * width + c] * 3.5f);
      }
    }
}

} // namespace
