//===- linear_bench.cpp - linear kernels of each scheme -------------------===//
//
// linear/VARIANT/SCHEME/ACTIVATIONS/T: T rows of activations times a matrix; for few rows one that is larger
// than most caches, for many one whose products take long.
//
//===----------------------------------------------------------------------===//
#include "tests/bench/kernels/KernelBench.h"
#include "tests/codegen/TestData.h"

using namespace llmc;
using namespace llmc::bench;
using emit::ActivationType;

namespace {

constexpr int64_t rowCounts[] = {1, 2, 8, 32, 128, 512}, mostRowsFromMemory = 8;

/// The columns of the matrix; the tensors of random weights have one panel of them, repeated.
int64_t columns() { return isTiny ? 256 : 2048; }

int64_t panels(const quant::QuantScheme &scheme, int64_t rows) {
  if (isTiny)
    return 4;
  return rows <= mostRowsFromMemory ? (int64_t(96) << 20) / scheme.panelBytes(columns())
                                    : 8192 / quant::panelRows;
}

void fillMatrix(const quant::QuantScheme &scheme, Buffer &packed) {
  test::Random random(1);
  std::vector<std::vector<uint8_t>> rows;
  const uint8_t *sources[quant::panelRows];
  for (const uint8_t *&source : sources)
    source = rows.emplace_back(test::randomRow(scheme, columns(), random)).data();
  const size_t bytes = scheme.panelBytes(columns());
  if (!scheme.packPanel(sources, columns(), packed.data()))
    std::abort(); // random rows fit every scheme
  for (size_t at = bytes; at < packed.size; at += bytes)
    std::memcpy(packed.data() + at, packed.data(), bytes);
}

struct Linear {
  const quant::QuantScheme &scheme;
  const cpu::Isa isa;
  ActivationType activations;
  int64_t panels;
  LazyKernel kernel;

  Linear(const quant::QuantScheme &scheme, const cpu::Isa &isa, ActivationType activations, int64_t panels)
      : scheme(scheme), isa(isa), activations(activations), panels(panels),
        kernel([this](mlir::ModuleOp module, llvm::StringRef name) {
          return cpu::emitLinear(module, name, spec(), this->isa);
        }) {}

  int64_t width() const { return panels * quant::panelRows; }

  emit::LinearSpec spec() const {
    emit::LinearSpec spec;
    spec.k = columns();
    spec.weights = {{&scheme, width()}};
    spec.activations = activations;
    return spec;
  }

  void run(benchmark::State &state, int64_t rows) {
    if (!kernel.compile())
      return state.SkipWithError("the kernel does not compile");
    Buffer weights(panels * scheme.panelBytes(columns()));
    fillMatrix(scheme, weights);
    test::Random random(2);
    test::Matrix x(rows, columns()), y(rows, width());
    x.fill(random, -1, 1);
    Buffer packed(rows * cpu::packedRowBytes(spec()));
    const void *args[] = {x.data, weights.data(), y.data, packed.data()};
    LazyKernel::Call call;
    kernel.prepareCall(call, rows, 0);
    const bool isInt8 = activations == ActivationType::Int8, isBF16 = activations == ActivationType::BF16;
    const auto arithmetic = isInt8   ? cli::Arithmetic::Int8
                            : isBF16 ? cli::Arithmetic::BF16
                                     : cli::Arithmetic::F32;
    measure(state,
            {double(weights.size), 2.0 * double(rows) * double(columns()) * double(width()), arithmetic,
             isa.name, weights.data(), weights.size},
            [&] { call(args); });
  }
};

} // namespace

void llmc::bench::registerLinear() {
  const struct {
    const char *name;
    ActivationType type;
  } types[] = {{"int8", ActivationType::Int8}, {"bf16", ActivationType::BF16}, {"f32", ActivationType::F32}};
  for (const cpu::Isa *isa : test::runnableIsas())
    for (const quant::QuantScheme &scheme : quant::allSchemes())
      for (auto [typeName, type] : types) {
        const bool isFitting = type == ActivationType::Int8   ? scheme.isInteger()
                               : type == ActivationType::BF16 ? scheme.storage == quant::Storage::BFloat16
                                                              : true;
        if (!isFitting)
          continue;
        std::shared_ptr<Linear> last; // the row counts with one matrix share a kernel
        for (int64_t rows : rowCounts) {
          const int64_t n = panels(scheme, rows);
          if (!last || last->panels != n)
            last = std::make_shared<Linear>(scheme, cpu::tunedFor(*isa, cpu::familyHere()), type, n);
          const std::string name = "linear/" + isa->name.str() + "/" + std::string(scheme.name) + "/" +
                                   typeName + "/" + std::to_string(rows);
          benchmark::RegisterBenchmark(name.c_str(),
                                       [last, rows](benchmark::State &state) { last->run(state, rows); })
              ->Iterations(7)
              ->UseManualTime()
              ->Unit(benchmark::kMillisecond);
        }
      }
}
