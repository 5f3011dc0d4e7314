//===- math_poly_test.cpp - errors of the elementary functions ------------===//
#include "KernelJit.h"
#include "codegen/cpu/Entry.h"
#include "codegen/emit/MathPoly.h"

#include <bit>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;
using mlir::ImplicitLocOpBuilder;
using mlir::Value;

namespace {

struct Function {
  const char *name;
  std::function<Value(ImplicitLocOpBuilder &, Value)> build;
  double (*reference)(double);
  float low, high;
  double ulps;     // largest error in units of the last place of the result
  double absolute; // or this, where the result is near a zero of the function
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
const double nan = std::numeric_limits<double>::quiet_NaN();

const Function functions[] = {
    {"exp", emit::buildExp, std::exp, -87, 88.7f, 2, 0},
    {"exp2", emit::buildExp2, std::exp2, -125, 127.9f, 2, 0},
    {"log", emit::buildLog, std::log, 1e-38f, 3e38f, 2, 1e-9},
    {"log1", emit::buildLog, std::log, 0.5f, 2, 2, 1e-9},
    {"tanh", emit::buildTanh, std::tanh, -10, 10, 3, 0},
    {"erf", emit::buildErf, std::erf, -6, 6, 3, 0},
    {"sigmoid", emit::buildSigmoid, sigmoid, -80, 80, 3, 0},
    {"sin", [](ImplicitLocOpBuilder &b, Value x) { return emit::buildSinCos(b, x).first; }, std::sin, -1e5f,
     1e5f, 2, 1e-7},
    {"cos", [](ImplicitLocOpBuilder &b, Value x) { return emit::buildSinCos(b, x).second; }, std::cos, -1e5f,
     1e5f, 2, 1e-7},
    {"sin1", [](ImplicitLocOpBuilder &b, Value x) { return emit::buildSinCos(b, x).first; }, std::sin, -7, 7,
     2, 1e-8},
};

constexpr int64_t count = 1 << 16;

TEST(MathPoly, ErrorsStayInBounds) {
  for (const cpu::Isa *isa : runnableBases()) {
    KernelJit jit;
    emit::Emitter e(jit.module().getLoc(), jit.module().getContext());
    for (const Function &f : functions)
      cpu::emitEntry(e, jit.module(), f.name, *isa, [&](const emit::KernelArguments &a) {
        Value in = a.pointer(e, 0), out = a.pointer(e, 1);
        e.loop(e.c(0), e.c(count * 4), 64,
               [&](Value at) { e.store(f.build(e, e.loadFloats(e.at(in, at))), e.at(out, at)); });
      });
    ASSERT_TRUE(jit.compile());
    for (const Function &f : functions) {
      std::vector<float> in(count), out(count);
      const bool logarithmic = std::string(f.name) == "log";
      for (int64_t i = 0; i < count; ++i) {
        const double t = double(i) / (count - 1);
        in[i] = logarithmic ? float(f.low * std::pow(double(f.high) / f.low, t))
                            : float(f.low + (double(f.high) - f.low) * t);
      }
      StepRunner runner;
      runner.run(jit, f.name, {}, 1, {in.data(), out.data()}, 1);
      double worst = 0, at = 0;
      for (int64_t i = 0; i < count; ++i) {
        const double expected = f.reference(in[i]), error = std::abs(out[i] - expected);
        const double ulp = std::ldexp(1.0, std::max(std::ilogb(float(expected)), -126) - 23);
        if (error > f.absolute && error / ulp > worst)
          worst = error / ulp, at = in[i];
      }
      std::printf("%s %s: %.2f ulp at %g\n", isa->name.str().c_str(), f.name, worst, at);
      EXPECT_LE(worst, f.ulps) << f.name << " on " << isa->name.str();
    }
  }
}

TEST(MathPoly, LimitsAreRight) {
  const float inf = INFINITY;
  struct Case {
    const char *function;
    float x;
    double y;
  } cases[] = {{"exp", 0, 1},      {"exp", -inf, 0},     {"exp", inf, inf},   {"exp", 89, inf},
               {"exp", -110, 0},   {"exp", NAN, nan},    {"log", 0, -inf},    {"log", -1, nan},
               {"log", inf, inf},  {"log", NAN, nan},    {"log", 1, 0},       {"tanh", inf, 1},
               {"tanh", -inf, -1}, {"tanh", NAN, nan},   {"erf", 9, 1},       {"erf", -inf, -1},
               {"erf", NAN, nan},  {"sigmoid", -inf, 0}, {"sigmoid", inf, 1}, {"sin", 0, 0},
               {"cos", 0, 1},      {"sin", NAN, nan},    {"exp2", -inf, 0},   {"exp2", 10, 1024}};
  for (const cpu::Isa *isa : runnableBases()) {
    KernelJit jit;
    emit::Emitter e(jit.module().getLoc(), jit.module().getContext());
    for (const Function &f : functions) // as scalars
      cpu::emitEntry(e, jit.module(), f.name, *isa, [&](const emit::KernelArguments &a) {
        e.store(f.build(e, e.load(e.f32(), a.pointer(e, 0))), a.pointer(e, 1));
      });
    ASSERT_TRUE(jit.compile());
    for (const Case &c : cases) {
      float y = 77;
      StepRunner runner;
      runner.run(jit, c.function, {}, 1, {&c.x, &y}, 1);
      if (std::isnan(c.y))
        EXPECT_TRUE(std::isnan(y)) << c.function << "(" << c.x << ") = " << y;
      else
        EXPECT_EQ(y, float(c.y)) << c.function << "(" << c.x << ")";
    }
  }
}

} // namespace
