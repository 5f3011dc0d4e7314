//===- loads_test.cpp - the bytes that a decode step reads ----------------===//
//
// Runs a model compiled with --count-loads, whose kernels report every read of weights and cache, and holds
// what one decode step reads against the file's tables:
//
//   weights  the packed bytes of all weights that the step uses (rows padded to panels of 16, records
//            whole), each byte once; of the embedding table only what the output matmul reads of it
//   cache    K and V of the visible tokens in every layer, as pages hold them (V's head padded to 16 values)
//
// Both must agree within 2.5 %, at several lengths of the sequence, on either side of a page's end, with 1
// and 2 threads; and nothing may be read from anywhere else. Kernels report matrices only: gains, biases and
// rotary frequencies are what the weights fall short of their packed bytes: 2.2 % of the smallest model here,
// less the larger one is.
//
//   loads_test MODEL.so [--variants avx2,avx512] [--lengths 1,31,32,33,100]
//
//===----------------------------------------------------------------------===//
#include "Reference.h"

#include "runtime/Session.h"

#include <algorithm>
#include <mutex>
#include <sstream>

using namespace llmc::e2e;

namespace {

constexpr double allowed = 0.025;

/// What the kernels of one step have reported.
struct Loads {
  struct Range {
    const uint8_t *from;
    uint64_t bytes;
  };
  const uint8_t *weights = nullptr;
  uint64_t weightsSize = 0;
  std::vector<Range> pools;

  std::mutex mutex;
  uint64_t fromWeights = 0, fromCache = 0, elsewhere = 0, calls = 0;
  std::vector<Range> weightRanges;

  void clear() {
    fromWeights = fromCache = elsewhere = calls = 0;
    weightRanges.clear();
  }
  static bool isInside(const uint8_t *address, uint64_t bytes, const uint8_t *start, uint64_t size) {
    return address >= start && bytes <= size && static_cast<uint64_t>(address - start) <= size - bytes;
  }
  void add(const uint8_t *address, uint64_t bytes) {
    std::lock_guard lock(mutex);
    ++calls;
    if (isInside(address, bytes, weights, weightsSize)) {
      fromWeights += bytes;
      weightRanges.push_back({address, bytes});
      return;
    }
    bool isCache = std::any_of(pools.begin(), pools.end(), [&](const Range &pool) {
      return isInside(address, bytes, pool.from, pool.bytes);
    });
    (isCache ? fromCache : elsewhere) += bytes;
  }
  /// Bytes of weights that were reported more than once.
  uint64_t readTwice() {
    std::sort(weightRanges.begin(), weightRanges.end(),
              [](const Range &a, const Range &b) { return a.from < b.from; });
    uint64_t twice = 0;
    const uint8_t *end = weights;
    for (const Range &range : weightRanges) {
      if (range.from < end)
        twice += std::min<uint64_t>(range.bytes, static_cast<uint64_t>(end - range.from));
      end = std::max(end, range.from + range.bytes);
    }
    return twice;
  }
};

void report(const llmc_step *step, const void *address, uint64_t bytes) {
  static_cast<Loads *>(step->count_load_data)->add(static_cast<const uint8_t *>(address), bytes);
}

/// Of the whole step: the rows of an embedding count nothing in the table of dispatches.
uint64_t weightBytes(const llmc_module &module) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < module.n_dispatches; ++i)
    bytes += module.dispatches[i].weight_bytes;
  return bytes;
}

/// Of one token in all layers. A page is as large as its tokens: there is no rounding beyond the padding of
/// V's heads.
uint64_t cacheBytesPerToken(const llmc_module &module) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < module.n_caches; ++i)
    bytes += module.caches[i].page_bytes / module.caches[i].page_tokens;
  return bytes;
}

double deviation(uint64_t got, uint64_t expected) {
  return expected ? std::abs(static_cast<double>(got) / static_cast<double>(expected) - 1) : INFINITY;
}

std::vector<std::string> split(const std::string &list) {
  std::vector<std::string> words;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');)
    words.push_back(word);
  return words;
}

void watch(const Model &model, const Session &session, size_t context, size_t sequences, Loads &loads) {
  const llmc_module &module = model->tables();
  loads.weights = model->weights();
  loads.weightsSize = model->contents.weights.size();
  for (uint32_t i = 0; i < module.n_caches; ++i) {
    llmc::CacheLimits limits = {static_cast<uint32_t>(sequences), static_cast<uint32_t>(context),
                                context * sequences};
    const llmc_kv_pool &pool = session->cache.pools()[i];
    loads.pools.push_back(
        {pool.pages, pool.page_bytes * llmc::cachePages(limits, module.caches[i].page_tokens)});
  }
  session->countLoad = report;
  session->countLoadData = &loads;
}

/// The decode step that makes the sequence `length` tokens long; returns the number of failures.
int checkDecode(const Model &model, const Session &session, llmc_seq seq, uint32_t length, const char *name,
                Loads &loads) {
  const llmc_module &module = model->tables();
  Tokens before(length - 1, 1);
  if (!before.empty())
    LLMC_CHECK(llmc_prefill(session.get(), seq, before.data(), before.size()));
  loads.clear();
  LLMC_CHECK(llmc_decode(session.get(), seq, 2));
  uint64_t weights = weightBytes(module), cache = cacheBytesPerToken(module) * length;
  double weightsOff = deviation(loads.fromWeights, weights), cacheOff = deviation(loads.fromCache, cache);
  double sumOff = deviation(loads.fromWeights + loads.fromCache, weights + cache);
  uint64_t twice = loads.readTwice();
  bool isRight =
      weightsOff <= allowed && cacheOff <= allowed && sumOff <= allowed && loads.elsewhere == 0 && twice == 0;
  std::printf(
      "%s, token %u: %llu bytes of weights (packed %llu, %+.2f %%), %llu of the cache (held %llu, %+.2f %%), "
      "%llu elsewhere, %llu twice%s\n",
      name, length, static_cast<unsigned long long>(loads.fromWeights),
      static_cast<unsigned long long>(weights),
      100 * (static_cast<double>(loads.fromWeights) / static_cast<double>(weights) - 1),
      static_cast<unsigned long long>(loads.fromCache), static_cast<unsigned long long>(cache),
      100 * (static_cast<double>(loads.fromCache) / static_cast<double>(cache) - 1),
      static_cast<unsigned long long>(loads.elsewhere), static_cast<unsigned long long>(twice),
      isRight ? "" : ": WRONG");
  LLMC_CHECK(llmc_kv_remove(session.get(), seq, 0, -1));
  return isRight ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  std::string path;
  std::vector<std::string> variants = defaultVariants, lengths = {"1", "31", "32", "33", "100"};
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "--variants" && i + 1 < argc)
      variants = split(argv[++i]);
    else if (arg == "--lengths" && i + 1 < argc)
      lengths = split(argv[++i]);
    else
      path = arg;
  }
  if (path.empty())
    die("usage: loads_test MODEL.so [--variants LIST] [--lengths LIST]");
  int checked = 0, failures = 0;
  for (const std::string &variant : variants) {
    if (!hostRuns(variant))
      continue;
    for (uint32_t threads : {1u, 2u}) {
      llmc_model_params params;
      llmc_model_params_init(&params, sizeof params);
      params.cpu_variant = variant.c_str();
      params.n_threads = threads;
      llmc_model *loaded = nullptr;
      LLMC_CHECK(llmc_model_load(path.c_str(), &params, &loaded));
      Model model(loaded);
      const size_t context = 256;
      Session session = newSession(model, context, 1, 64);
      llmc_seq seq = newSequence(session);
      Loads loads;
      watch(model, session, context, 1, loads);
      std::string name = variant + ", " + std::to_string(threads) + " threads";
      for (const std::string &length : lengths) {
        ++checked;
        failures += checkDecode(model, session, seq, static_cast<uint32_t>(std::atoi(length.c_str())),
                                name.c_str(), loads);
      }
    }
  }
  if (checked == 0)
    die("no variant runs on this CPU: nothing was counted");
  return failures ? 1 : 0;
}
