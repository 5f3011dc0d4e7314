//===- LinearData.h - operands and results of linear kernels ----*- C++ -*-===//
#ifndef LLMC_TESTS_CODEGEN_LINEARDATA_H
#define LLMC_TESTS_CODEGEN_LINEARDATA_H

#include "TestData.h"
#include "codegen/cpu/Kernels.h"

#include <memory>

namespace llmc::test {

using emit::Activation;
using emit::ActivationType;
using emit::LinearSpec;
using emit::Norm;

constexpr int64_t maxRows = 50;

/// The arguments of a linear kernel, and its results in double precision.
struct LinearData {
  LinearSpec spec;
  std::vector<std::unique_ptr<Weights>> weights;
  std::vector<std::vector<float>> biases;
  std::vector<float> gain, normBias;
  Matrix x, residual;

  LinearData(LinearSpec spec, Random &random)
      : spec(spec), x(maxRows, spec.k), residual(maxRows, spec.weights[0].n) {
    for (const auto &weight : spec.weights) {
      weights.push_back(std::make_unique<Weights>(*weight.scheme, weight.n, spec.k, random));
      biases.push_back(paddedVector(weight.n, random, -1, 1));
    }
    gain = paddedVector(spec.k, random, 0.5, 1.5);
    normBias = paddedVector(spec.k, random, -0.5, 0.5);
    x.fill(random, -2, 2);
    for (int64_t c = 0; c < std::min<int64_t>(spec.k, 32); ++c) // a group of zeros
      x.at(2, c) = 0;
    residual.fill(random, -1, 1);
  }

  int64_t outputs() const { return spec.weights.size() / (spec.glu ? 2 : 1); }
  int64_t width(int64_t output) const { return spec.weights[output * (spec.glu ? 2 : 1)].n; }

  /// What stands before the outputs.
  struct Operand {
    const char *name;
    const void *data;
    uint64_t bytes;
  };
  std::vector<Operand> operands() const {
    auto floats = [](const char *name, const std::vector<float> &values) {
      return Operand{name, values.data(), values.size() * 4};
    };
    auto matrix = [](const char *name, const Matrix &rows) {
      return Operand{name, rows.data, uint64_t(rows.rows * rows.stride) * 4};
    };
    std::vector<Operand> all = {matrix("x", x)};
    if (spec.normGain)
      all.push_back(floats("gain", gain));
    if (spec.normBias)
      all.push_back(floats("norm bias", normBias));
    for (const auto &weight : weights)
      all.push_back({"weights", weight->packed, uint64_t(weight->scheme.packedBytes(weight->n, spec.k))});
    if (spec.bias)
      for (const auto &bias : biases)
        all.push_back(floats("bias", bias));
    if (spec.residual)
      all.push_back(matrix("residual", residual));
    return all;
  }

  std::vector<double> normed(int64_t row) {
    const int64_t k = spec.k;
    std::vector<double> v(k);
    double mean = 0, square = 0;
    for (int64_t i = 0; i < k; ++i)
      mean += x.at(row, i) / double(k);
    if (spec.norm != Norm::Layer)
      mean = 0;
    for (int64_t i = 0; i < k; ++i)
      square += (x.at(row, i) - mean) * (x.at(row, i) - mean) / double(k);
    for (int64_t i = 0; i < k; ++i) {
      v[i] = x.at(row, i);
      if (spec.norm == Norm::None)
        continue;
      v[i] = (v[i] - mean) / std::sqrt(square + spec.eps);
      if (spec.normGain)
        v[i] *= spec.normPlusOne ? 1.0 + gain[i] : double(gain[i]);
      if (spec.normBias)
        v[i] += normBias[i];
    }
    for (double &value : v)
      value = rounded(value);
    return v;
  }

  /// To the type of the activations; int8 is emulated elsewhere.
  double rounded(double value) const {
    if (spec.activations == ActivationType::F16)
      return double(_Float16(float(value)));
    if (spec.activations != ActivationType::BF16 || value == 0)
      return value;
    const float unit = std::ldexp(1.0f, std::ilogb(float(value)) - 7);
    return std::nearbyint(float(value) / unit) * unit;
  }

  static double activate(Activation act, double v) {
    switch (act) {
    case Activation::None:
      return v;
    case Activation::Relu:
      return std::max(v, 0.0);
    case Activation::Relu2:
      return std::max(v, 0.0) * std::max(v, 0.0);
    case Activation::GeluErf:
      return v / 2 * (1 + std::erf(v / std::sqrt(2.0)));
    case Activation::GeluTanh:
      return v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    case Activation::GeluQuick:
      return v / (1 + std::exp(-1.702 * v));
    case Activation::Silu:
      return v / (1 + std::exp(-v));
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-v));
    case Activation::Tanh:
      return std::tanh(v);
    }
    return v;
  }

  /// The expected value and the size of the sum's terms, to which the error is relative.
  std::pair<double, double> expected(const std::vector<double> &v, int64_t row, int64_t output,
                                     int64_t column) {
    auto sum = [&](int64_t weight) {
      double total = 0, magnitude = 0;
      for (int64_t i = 0; i < spec.k; ++i) {
        const double term = v[i] * weights[weight]->values[column * spec.k + i];
        total += term, magnitude += std::abs(term);
      }
      return std::make_pair(total + (spec.bias ? biases[weight][column] : 0), magnitude);
    };
    auto [value, size] = sum(spec.glu ? 2 * output : output);
    value = activate(spec.act, value);
    if (spec.glu) {
      auto [up, upSize] = sum(2 * output + 1);
      size = size * std::abs(up) + upSize * std::abs(value);
      value *= up;
    }
    if (spec.act == Activation::Relu2)
      size *= 2 * std::sqrt(std::abs(value));
    value *= spec.scale;
    size *= std::abs(spec.scale);
    if (spec.residual)
      value += residual.at(row, column);
    return {value, size + 1};
  }
};

} // namespace llmc::test
#endif
