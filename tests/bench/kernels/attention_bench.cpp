//===- attention_bench.cpp - attention over a filled cache ----------------===//
//
// attention/VARIANT/CACHE/decode/DEPTH: one token behind DEPTH others; …/prefill/T: T tokens of a prompt. 32
// heads over 8 heads of keys, 64 wide. Calls take layers in turn, so that a decoding call finds its keys in
// memory.
//
//===----------------------------------------------------------------------===//
#include "tests/bench/kernels/KernelBench.h"
#include "tests/codegen/TestData.h"

using namespace llmc;
using namespace llmc::bench;

namespace {

/// Pages of all layers, as a pool of the runtime has them; every page holds each layer's keys, then its
/// values.
struct Cache {
  const emit::KVLayout layout;
  const int64_t layers, pages, layerBytes;
  Buffer memory;
  std::vector<int32_t> table;
  llmc_kv_pool pool = {};

  Cache(const emit::AttentionSpec &spec, int64_t tokens)
      : layout(spec.layout()), layers(layersFor(layout, tokens)),
        pages((tokens + spec.pageTokens - 1) / spec.pageTokens),
        layerBytes(layout.pageBytesK() + layout.pageBytesV()), memory(layers * pages * layerBytes) {
    std::memset(memory.data(), 0x11, memory.size); // small normal numbers in every type
    for (int64_t page = 0; page < pages; ++page)
      table.push_back(int32_t(page));
    pool.pages = memory.data();
    pool.page_bytes = layers * layerBytes;
    pool.table = table.data();
    pool.table_stride = pages;
  }

  /// As many as make the cache larger than most caches of CPUs.
  static int64_t layersFor(const emit::KVLayout &layout, int64_t tokens) {
    return isTiny ? 2 : std::clamp<int64_t>((int64_t(96) << 20) / (tokens * layout.tokenBytes()), 1, 64);
  }
};

struct Attention {
  const cpu::Isa isa;
  emit::AttentionSpec spec;
  LazyKernel kernel;

  Attention(const cpu::Isa &isa, const emit::KVType &type)
      : isa(isa), kernel([this](mlir::ModuleOp module, llvm::StringRef name) {
          return cpu::emitAttention(module, name, spec, this->isa);
        }) {
    spec.heads = 32, spec.kvHeads = 8;
    spec.dimK = spec.dimV = spec.ropeDims = 64;
    spec.scale = 1 / std::sqrt(double(spec.dimK));
    spec.cacheType = &type;
  }

  /// `rows` tokens behind `depth` others.
  void run(benchmark::State &state, int64_t depth, int64_t rows) {
    if (!kernel.compile())
      return state.SkipWithError("the kernel does not compile");
    Cache cache(spec, depth + rows);
    test::Random random(3);
    test::Matrix q(rows, spec.heads * spec.dimK), k(rows, spec.kvHeads * spec.dimK),
        v(rows, spec.kvHeads * spec.dimV), y(rows, spec.heads * spec.dimV);
    for (test::Matrix *matrix : {&q, &k, &v})
      matrix->fill(random, -1, 1);
    std::vector<float> frequencies(size_t(spec.ropeDims) / 2);
    for (size_t i = 0; i < frequencies.size(); ++i)
      frequencies[i] = float(std::pow(10000.0, -2.0 * double(i) / double(spec.ropeDims)));
    std::vector<llmc_token_row> tokens;
    for (int64_t row = 0; row < rows; ++row)
      tokens.push_back({0, 0, int32_t(depth + row), 1});
    LazyKernel::Call call;
    kernel.prepareCall(call, rows, depth + rows);
    call.step.tokens = tokens.data();
    call.step.kv = &cache.pool;
    const auto number = [](int64_t value) { return reinterpret_cast<const void *>(uintptr_t(value)); };
    int64_t layer = 0;
    const double keysOfTokens = double(rows) * double(depth) + double(rows) * double(rows + 1) / 2;
    measure(state,
            {double(depth + rows) * double(cache.layout.tokenBytes()),
             2.0 * double(spec.heads) * double(spec.dimK + spec.dimV) * keysOfTokens, cli::Arithmetic::F32,
             isa.name, cache.memory.data(), cache.memory.size},
            [&] {
              const int64_t offset = layer * cache.layerBytes;
              const void *args[] = {q.data,
                                    k.data,
                                    v.data,
                                    frequencies.data(),
                                    number(0),
                                    number(offset),
                                    number(offset + cache.layout.pageBytesK()),
                                    y.data};
              call(args);
              layer = (layer + 1) % cache.layers;
            });
  }
};

} // namespace

void llmc::bench::registerAttention() {
  const std::vector<int64_t> depths =
      isTiny ? std::vector<int64_t>{64} : std::vector<int64_t>{512, 2048, 8192};
  const std::vector<int64_t> prompts =
      isTiny ? std::vector<int64_t>{48} : std::vector<int64_t>{128, 512, 2048};
  for (const cpu::Isa *isa : test::runnableIsas())
    for (const emit::KVType &type : emit::allKVTypes()) {
      auto attention = std::make_shared<Attention>(cpu::tunedFor(*isa, cpu::familyHere()), type);
      const std::string name = "attention/" + isa->name.str() + "/" + type.name.str();
      auto add = [&](const char *kind, int64_t count, int64_t depth, int64_t rows) {
        benchmark::RegisterBenchmark((name + kind + std::to_string(count)).c_str(),
                                     [=](benchmark::State &state) { attention->run(state, depth, rows); })
            ->Iterations(7)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      };
      for (int64_t depth : depths)
        add("/decode/", depth, depth, 1);
      for (int64_t prompt : prompts)
        add("/prefill/", prompt, 0, prompt);
    }
}
