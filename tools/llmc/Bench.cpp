//===- Bench.cpp - llmc bench ---------------------------------------------===//
//
// Tokens a second for a prompt and for generation, and what share of this machine's roofline that is: bytes
// and operations as the compiler counted them, over what small loops reach here.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/Machine.h"
#include "tools/llmc/Profile.h"
#include "tools/support/Progress.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace llmc::cli {
namespace {

/// Work of some steps.
struct Cost {
  double bytes = 0, operations = 0;
};

struct Result {
  std::string name;
  size_t tokens = 0; // of one measurement
  std::vector<double> seconds;
  Cost cost; // of one measurement

  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    size_t half = sorted.size() / 2;
    return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
  double tokensPerSecond(double time) const { return double(tokens) / time; }
  double gigabytes() const { return cost.bytes / median() / 1e9; }
  double gigaoperations() const { return cost.operations / median() / 1e9; }
};

class Bench {
public:
  Bench(llmc_model *loaded, const BenchOptions &given, uint32_t batchTokens, Profiler *profiling)
      : model(loaded), profiler(profiling), options(given),
        vocab(uint64_t(modelInfo(loaded, LLMC_INFO_VOCAB))), batchSize(batchTokens) {
    ModelOptions sizes = options;
    sizes.batch = batchSize;
    sizes.ctx = options.ctx ? options.ctx : options.depth + std::max({options.prompt, options.n, 1u});
    llmc_session_params params = sessionParams(sizes, 0);
    params.n_seq_max = options.parallel;
    noteContext(model, sizes.ctx, options.ctx != 0);
    session = newSession(model, params);
    cacheType = params.type_k;
    llmc_batch *made = nullptr;
    check(llmc_batch_new(batchSize, &made));
    batch.reset(made);
    for (uint32_t i = 0; i < options.parallel; ++i)
      seqs.push_back(newSequence(session.get()));
  }
  llmc_session *handle() const { return session.get(); }

  void fillDepth() {
    Progress progress("fill the cache", uint64_t(options.depth) * options.parallel);
    follow(progress);
    evaluate(options.depth, /*isPrompt=*/true);
    bar = nullptr;
  }
  Result prompt() { return measure(fmt::format("pp{}", options.prompt), options.prompt, true); }
  Result generation() { return measure(fmt::format("tg{}", options.n), options.n, false); }

private:
  llmc_token nextToken() {
    return llmc_token((random = random * 6364136223846793005u + 1442695040888963407u) % vocab);
  }

  void follow(Progress &progress) {
    bar = &progress;
    evaluated = 0;
  }

  /// `n` tokens for every sequence: as prompts, as many in a step as it holds; otherwise one of each in every
  /// step. The last token of a prompt, and every generated one, asks for logits.
  Cost evaluate(uint32_t n, bool isPrompt) {
    Cost cost;
    llmc_step_cost step = {};
    auto flush = [&] {
      if (!step.n_tokens)
        return;
      check(llmc_eval(session.get(), batch.get()));
      if (bar)
        bar->update(evaluated += step.n_tokens);
      step.struct_size = sizeof step;
      step.type_kv = cacheType;
      check(llmc_model_step_cost(model, &step));
      cost.bytes += double(step.bytes);
      cost.operations += double(step.operations);
      step = {};
      llmc_batch_clear(batch.get());
    };
    auto add = [&](llmc_seq seq, uint32_t count, bool isLast) {
      Tokens tokens(count);
      for (llmc_token &token : tokens)
        token = nextToken();
      uint64_t before = uint64_t(llmc_seq_len(session.get(), seq));
      check(llmc_batch_add(batch.get(), seq, tokens.data(), count, isLast ? LLMC_OUT_LAST : LLMC_OUT_NONE,
                           nullptr));
      step.n_tokens += count;
      step.n_rows += isLast;
      step.n_keys += before + count;
      step.n_token_keys += before * count + uint64_t(count) * (count + 1) / 2;
    };
    llmc_batch_clear(batch.get());
    for (uint32_t round = 0; round < (isPrompt ? 1 : n); ++round) {
      for (llmc_seq seq : seqs)
        for (uint32_t left = isPrompt ? n : 1; left;) {
          uint32_t count = std::min<uint32_t>(left, batchSize - uint32_t(step.n_tokens));
          left -= count;
          add(seq, count, left == 0);
          if (step.n_tokens == batchSize)
            flush();
        }
      flush();
    }
    return cost;
  }

  void rewind() {
    for (llmc_seq seq : seqs)
      if (llmc_seq_len(session.get(), seq) > llmc_pos(options.depth))
        check(llmc_kv_remove(session.get(), seq, llmc_pos(options.depth), -1));
  }

  Result measure(std::string name, uint32_t n, bool isPrompt) {
    Result result{std::move(name), size_t(n) * options.parallel, {}, {}};
    const uint32_t warmUp = isPrompt ? n : std::min(n, 4u);
    Progress progress(result.name, (warmUp + uint64_t(n) * options.repetitions) * options.parallel);
    follow(progress);
    evaluate(warmUp, isPrompt); // warms memory and threads up
    if (profiler)
      profiler->begin(session.get());
    for (uint32_t i = 0; i < options.repetitions; ++i) {
      rewind();
      Stopwatch watch;
      result.cost = evaluate(n, isPrompt);
      result.seconds.push_back(watch.seconds());
    }
    if (profiler)
      profiler->end();
    bar = nullptr;
    rewind();
    return result;
  }

  llmc_model *model;
  Profiler *profiler; // may be null
  const BenchOptions &options;
  uint64_t vocab, random = 1;
  uint32_t batchSize;
  llmc_kv_type cacheType = LLMC_KV_AUTO;
  Progress *bar = nullptr; // of what is evaluated just now
  uint64_t evaluated = 0;  // tokens of it
  SessionPtr session;
  BatchPtr batch;
  std::vector<llmc_seq> seqs;
};

/// Of the matmuls, as the model was compiled.
Arithmetic arithmeticOf(const llmc_model *model) {
  const char *activations = llmc_model_meta(model, "options.activations");
  for (Arithmetic arithmetic : allArithmetic)
    if (activations && std::string_view(activations) == nameOf(arithmetic))
      return arithmetic;
  return Arithmetic::F32;
}

/// The shares of the roofline that can be claimed. Weights that stay in the CPU's cache are not read from
/// memory at all.
struct Shares {
  const Roofline &roofline;
  double weightBytes;
  Arithmetic arithmetic; // of the matmuls
  uint32_t threads;
  std::string device; // that runs the model; empty: this machine's CPU

  bool fitsInCache() const { return weightBytes <= double(roofline.cacheBytes); }
  /// Percent; below 0: nothing to compare with.
  double memory(const Result &result) const {
    return fitsInCache() || !roofline.readGBs ? -1 : 100 * result.gigabytes() / roofline.readGBs;
  }
  double ofPeak(const Result &result) const {
    const double peak = roofline.limit(arithmetic).gops;
    return peak ? 100 * result.gigaoperations() / peak : -1;
  }
};

void printJson(const std::vector<Result> &results, const BenchOptions &options, const Shares &shares) {
  auto share = [](double percent) {
    return percent < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(percent);
  };
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Result &result : results) {
    std::vector<double> speeds;
    for (double seconds : result.seconds)
      speeds.push_back(result.tokensPerSecond(seconds));
    list.push_back({{"name", result.name},
                    {"depth", options.depth},
                    {"parallel", options.parallel},
                    {"threads", shares.threads},
                    {"tok_s", speeds},
                    {"median_tok_s", result.tokensPerSecond(result.median())},
                    {"gb_s", result.gigabytes()},
                    {"gops", result.gigaoperations()},
                    {"memory_percent", share(shares.memory(result))},
                    {"arithmetic_percent", share(shares.ofPeak(result))}});
  }
  nlohmann::ordered_json object = {{"results", list},
                                   {"machine", jsonOf(shares.roofline)},
                                   {"device", shares.device.empty() ? "cpu" : shares.device},
                                   {"activations", shares.arithmetic == Arithmetic::Int8 ? "int8" : "float"},
                                   {"weight_bytes", uint64_t(shares.weightBytes)}};
  print(object.dump() + "\n");
}

void printTable(const std::vector<Result> &results, const Shares &shares) {
  if (!shares.device.empty())
    print(fmt::format("device    {}: what it can do at most is not known\n", shares.device));
  else
    print(fmt::format("machine   {} threads: {}\n", shares.threads, textOf(shares.roofline)));
  print(fmt::format("{:<10}{:>10}  {:>21}  {:>9}  {:>9}  share of what the machine can\n", "", "tokens/s",
                    "from - to", "GB/s", "GOPS"));
  for (const Result &result : results) {
    auto [low, high] = std::minmax_element(result.seconds.begin(), result.seconds.end());
    std::string share;
    auto add = [&](double percent, const std::string &of) {
      if (percent >= 0)
        share += fmt::format("{}{:.1f} % of {}", share.empty() ? "" : ", ", percent, of);
    };
    add(shares.memory(result), "memory");
    add(shares.ofPeak(result),
        fmt::format("{} arithmetic", nameOf(shares.roofline.unitFor(shares.arithmetic))));
    print(fmt::format(
        "{:<10}{:>10.2f}  {:>21}  {:>9.2f}  {:>9.2f}  {}\n", result.name,
        result.tokensPerSecond(result.median()),
        fmt::format("{:.2f} - {:.2f}", result.tokensPerSecond(*high), result.tokensPerSecond(*low)),
        result.gigabytes(), result.gigaoperations(), share));
  }
  if (shares.device.empty() && shares.fitsInCache())
    print(fmt::format(
        "The weights ({:.1f} MB) fit in the CPU's cache ({:.1f} MB): nothing is said of memory.\n",
        shares.weightBytes / 1e6, double(shares.roofline.cacheBytes) / 1e6));
}

} // namespace

int bench(const BenchOptions &options) {
  if (!options.prompt && !options.n)
    throw UsageError("-p 0 and -n 0 leave nothing to measure");
  uint64_t needed = uint64_t(options.depth) + std::max(options.prompt, options.n);
  if (needed > INT32_MAX)
    throw UsageError(fmt::format("{} tokens are more than any context holds", needed));
  if (options.ctx && options.ctx < needed)
    throw UsageError(fmt::format("--ctx {} has no room for {} tokens", options.ctx, needed));
  InterruptScope beforeSession; // loading and measuring the machine take their time
  uint32_t batchSize = options.batch ? options.batch : std::max(512u, options.parallel);
  ModelPtr model = openModel(options);
  if (auto trained = uint64_t(modelInfo(model.get(), LLMC_INFO_CTX_TRAIN));
      !options.ctx && trained && options.depth > trained)
    throw UsageError(fmt::format("-d {} is beyond the {} tokens that the model was trained for; --ctx N with "
                                 "room for it measures that all the same",
                                 options.depth, trained));
  const auto threads = uint32_t(modelInfo(model.get(), LLMC_INFO_THREADS));
  const Roofline roofline = machineRoofline(model.get(), /*anew=*/true);
  std::unique_ptr<Profiler> profiler;
  if (options.isAsked())
    profiler = std::make_unique<Profiler>(model.get(), options, roofline);
  Bench bench(model.get(), options, batchSize, profiler.get());
  InterruptScope scope(bench.handle());
  scope.check();
  bench.fillDepth();
  std::vector<Result> results;
  if (options.prompt)
    results.push_back(bench.prompt());
  if (options.n)
    results.push_back(bench.generation());
  scope.check();
  Shares shares{roofline, double(modelInfo(model.get(), LLMC_INFO_WEIGHT_BYTES)), arithmeticOf(model.get()),
                threads, roofline.isKnown() ? "" : llmc_model_cpu_variant(model.get())};
  options.json ? printJson(results, options, shares) : printTable(results, shares);
  flushOutput();
  if (profiler)
    profiler->report();
  return 0;
}

} // namespace llmc::cli
