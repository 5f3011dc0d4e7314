//===- logits_test.cpp - a compiled model against reference logits and itself ===//
//
// Holds a compiled model against reference logits, and against itself: however its tokens arrive (whole, one
// by one, in chunks, beside another sequence, after a rewind) and however many threads run, one ISA variant
// must give the very same bits.
//
//   logits_test MODEL.so REFERENCE.logits [--tolerance STD] [--variants avx2,avx512] [--threads 1,2,3]
//   [--greedy N] [--kv TYPE] [--portable]
//
// With --portable all variants must give the same bits; exit 77 if this CPU runs one alone.
// With --greedy the last N tokens of the last case are what the reference found most likely, one after the
// other.
//
//===----------------------------------------------------------------------===//
#include "Reference.h"

#include <algorithm>
#include <functional>
#include <sstream>

using namespace llmc::e2e;

namespace {

struct Case {
  Tokens tokens;
  std::vector<int32_t> rows; // those that the reference has
  std::vector<Row> expected;
};

struct Reference {
  size_t vocab = 0;
  std::vector<Case> cases;
};

Reference readReference(const std::string &path) {
  Reader in(path);
  in.magic("LLMCLGT1");
  Reference reference;
  reference.vocab = in.u32();
  reference.cases.resize(in.u32());
  for (Case &c : reference.cases) {
    size_t nTokens = in.u32(), nRows = in.u32();
    c.tokens = in.array<llmc_token>(nTokens);
    c.rows = in.array<int32_t>(nRows);
    for (int32_t row : c.rows) {
      if (row < 0 || static_cast<size_t>(row) >= nTokens)
        die("%s: row %d of %zu tokens", path.c_str(), row, nTokens);
      c.expected.push_back(in.array<float>(reference.vocab));
    }
  }
  in.end();
  if (reference.vocab == 0 || reference.cases.empty())
    die("%s: holds nothing to compare", path.c_str());
  return reference;
}

// All rows of one list of tokens, by whichever way they were computed. An empty row was not asked for.
using Rows = std::vector<Row>;

class Checker {
public:
  Checker(std::string variant, size_t vocab) : variant(std::move(variant)), vocab(vocab) {}

  // Rows of the plain way: computed once per variant, then what every other way is compared with.
  std::vector<Tokens> lists;
  std::vector<Rows> plain;

  void same(const char *way, uint32_t threads, size_t list, size_t index, const Row &got) {
    ++compared;
    const Row &expected = plain[list][index];
    if (std::memcmp(got.data(), expected.data(), vocab * sizeof(float)) == 0)
      return;
    if (allowed > 0) {
      WorstError error;
      const double unit = spread(expected);
      for (size_t i = 0; i < vocab; ++i)
        error.add(got[i], expected[i], unit);
      if (error.within(allowed))
        return;
    }
    if (++different > 10)
      return;
    size_t n = 0, first = vocab;
    for (size_t i = vocab; i-- > 0;)
      if (std::memcmp(&got[i], &expected[i], sizeof(float)) != 0)
        ++n, first = i;
    std::fprintf(
        stderr,
        "%s, %u threads, %s: row %zu of %zu tokens has %zu other logits, first at %zu: %.9g, not %.9g\n",
        variant.c_str(), threads, way, index, lists[list].size(), n, first, static_cast<double>(got[first]),
        static_cast<double>(expected[first]));
  }

  /// Whether another variant's rows are these.
  void sameAs(const std::vector<Rows> &other) {
    for (size_t l = 0; l < plain.size(); ++l)
      for (size_t i = 0; i < plain[l].size(); ++i)
        same("another variant", 1, l, i, other.at(l).at(i));
  }

  std::string variant;
  size_t vocab, compared = 0, different = 0;
  double allowed = 0; // error of a row, where a variant's bits depend on how many tokens a step has
};

// Adds tokens [from, to) of a list to a batch with all rows asked for.
struct Part {
  llmc_seq seq;
  size_t list, from, to;
};

// One step over several parts; `take` gets every row. Parts are rows in the order in which they were added.
void step(const Session &session, const Batch &batch, const Checker &checker, const std::vector<Part> &parts,
          const std::function<void(size_t list, size_t index, const Row &)> &take) {
  llmc_batch_clear(batch.get());
  std::vector<int32_t> firstRows;
  for (const Part &part : parts) {
    int32_t row = -1;
    LLMC_CHECK(llmc_batch_add(batch.get(), part.seq, checker.lists[part.list].data() + part.from,
                              part.to - part.from, LLMC_OUT_ALL, &row));
    firstRows.push_back(row);
  }
  LLMC_CHECK(llmc_eval(session.get(), batch.get()));
  for (size_t p = 0; p < parts.size(); ++p)
    for (size_t i = parts[p].from; i < parts[p].to; ++i)
      take(parts[p].list, i,
           logitsRow(session, firstRows[p] + static_cast<int32_t>(i - parts[p].from), checker.vocab));
}

size_t longest(const std::vector<Tokens> &lists) {
  size_t n = 0;
  for (const Tokens &list : lists)
    n = std::max(n, list.size());
  return n;
}

void runPlain(const Model &model, Checker &checker) {
  size_t n = longest(checker.lists);
  Session session = newSession(model, n, 1, n);
  Batch batch = newBatch(n);
  for (size_t l = 0; l < checker.lists.size(); ++l) {
    checker.plain.emplace_back();
    llmc_seq seq = newSequence(session);
    step(session, batch, checker, {{seq, l, 0, checker.lists[l].size()}},
         [&](size_t, size_t, const Row &row) { checker.plain.back().push_back(row); });
    LLMC_CHECK(llmc_seq_free(session.get(), seq));
  }
}

// Chunks of `size` tokens, all rows; the pages of the list before are used again.
void runChunks(const Model &model, uint32_t threads, Checker &checker, size_t size, const char *way) {
  Session session = newSession(model, longest(checker.lists), 1, size);
  Batch batch = newBatch(size);
  for (size_t l = 0; l < checker.lists.size(); ++l) {
    llmc_seq seq = newSequence(session);
    size_t n = checker.lists[l].size();
    for (size_t from = 0; from < n; from += size)
      step(session, batch, checker, {{seq, l, from, std::min(n, from + size)}},
           [&](size_t list, size_t index, const Row &row) { checker.same(way, threads, list, index, row); });
    if (llmc_seq_len(session.get(), seq) != static_cast<llmc_pos>(n))
      die("a sequence of %zu tokens says it has %d", n, llmc_seq_len(session.get(), seq));
    LLMC_CHECK(llmc_seq_free(session.get(), seq));
  }
}

void runDecode(const Model &model, uint32_t threads, Checker &checker) {
  Session session = newSession(model, longest(checker.lists), 1, 1);
  for (size_t l = 0; l < checker.lists.size(); ++l) {
    llmc_seq seq = newSequence(session);
    for (size_t i = 0; i < checker.lists[l].size(); ++i) {
      LLMC_CHECK(llmc_decode(session.get(), seq, checker.lists[l][i]));
      checker.same("token by token", threads, l, i, logitsRow(session, 0, checker.vocab));
    }
    LLMC_CHECK(llmc_seq_free(session.get(), seq));
  }
}

// llmc_prefill splits by n_batch itself; only the last row comes out.
void runPrefill(const Model &model, uint32_t threads, Checker &checker) {
  Session session = newSession(model, longest(checker.lists), 1, 16);
  for (size_t l = 0; l < checker.lists.size(); ++l) {
    llmc_seq seq = newSequence(session);
    const Tokens &tokens = checker.lists[l];
    LLMC_CHECK(llmc_prefill(session.get(), seq, tokens.data(), tokens.size()));
    checker.same("prefill", threads, l, tokens.size() - 1, logitsRow(session, -1, checker.vocab));
    LLMC_CHECK(llmc_seq_free(session.get(), seq));
  }
}

// Two sequences: prefills of 7 and 5, two decode steps of both, then steps in which one decodes and the other
// brings a chunk, in turns, to the end of both.
void runInterleaved(const Model &model, uint32_t threads, Checker &checker, size_t listA, size_t listB) {
  const char *way = "two interleaved sequences";
  size_t n[2] = {checker.lists[listA].size(), checker.lists[listB].size()};
  Session session = newSession(model, std::max(n[0], n[1]), 2, 16);
  Batch batch = newBatch(16);
  Part next[2] = {{newSequence(session), listA, 0, 0}, {newSequence(session), listB, 0, 0}};
  auto take = [&](size_t list, size_t index, const Row &row) {
    checker.same(way, threads, list, index, row);
  };
  for (int round = 0; next[0].to < n[0] || next[1].to < n[1]; ++round) {
    size_t wanted[2] = {1, 1};
    if (round == 0)
      wanted[0] = 7, wanted[1] = 5;
    else if (round > 2)
      wanted[round % 2] = 6;
    std::vector<Part> parts;
    for (int s = 0; s < 2; ++s) {
      next[s].from = next[s].to;
      next[s].to = std::min(n[s], next[s].from + wanted[s]);
      if (next[s].from < next[s].to)
        parts.push_back(next[s]);
    }
    if (round % 2) // the order in the batch must not matter either
      std::reverse(parts.begin(), parts.end());
    step(session, batch, checker, parts, take);
  }
}

// All lists as sequences of one ragged batch.
void runTogether(const Model &model, uint32_t threads, Checker &checker) {
  size_t sum = 0;
  for (const Tokens &list : checker.lists)
    sum += list.size();
  Session session = newSession(model, longest(checker.lists), checker.lists.size(), sum);
  Batch batch = newBatch(sum);
  std::vector<Part> parts;
  for (size_t l = 0; l < checker.lists.size(); ++l)
    parts.push_back({newSequence(session), l, 0, checker.lists[l].size()});
  step(session, batch, checker, parts, [&](size_t list, size_t index, const Row &row) {
    checker.same("all lists in one batch", threads, list, index, row);
  });
}

// Foreign tokens are added and removed again before the list goes on.
void runRewind(const Model &model, uint32_t threads, Checker &checker, size_t list) {
  const Tokens &tokens = checker.lists[list];
  size_t half = tokens.size() / 2;
  if (half == 0)
    return;
  Session session = newSession(model, tokens.size() + 5, 1, tokens.size() + 5);
  Batch batch = newBatch(tokens.size());
  llmc_seq seq = newSequence(session);
  LLMC_CHECK(llmc_prefill(session.get(), seq, tokens.data(), half));
  Tokens foreign(5, static_cast<llmc_token>(checker.vocab - 1));
  LLMC_CHECK(llmc_prefill(session.get(), seq, foreign.data(), foreign.size()));
  LLMC_CHECK(llmc_kv_remove(session.get(), seq, static_cast<llmc_pos>(half), -1));
  step(session, batch, checker, {{seq, list, half, tokens.size()}},
       [&](size_t l, size_t index, const Row &row) {
         checker.same("after a rewind", threads, l, index, row);
       });
}

// The last `count` tokens of a list, each the most likely after those before it.
void checkGreedy(const Model &model, const Checker &checker, size_t count, const Tokens &expected) {
  if (count == 0 || count >= expected.size())
    die("--greedy: %zu of %zu tokens", count, expected.size());
  Session session = newSession(model, expected.size(), 1, 16);
  llmc_seq seq = newSequence(session);
  Tokens tokens(expected.begin(), expected.end() - static_cast<ptrdiff_t>(count));
  LLMC_CHECK(llmc_prefill(session.get(), seq, tokens.data(), tokens.size()));
  while (tokens.size() < expected.size()) {
    llmc_token next = argmax(logitsRow(session, -1, checker.vocab));
    if (next != expected[tokens.size()])
      die("%s: greedy token %zu is %d, expected %d", checker.variant.c_str(), tokens.size(), next,
          expected[tokens.size()]);
    tokens.push_back(next);
    LLMC_CHECK(llmc_decode(session.get(), seq, next));
  }
}

llmc_status load(const std::string &path, const std::string &variant, uint32_t threads, Model &model) {
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.cpu_variant = variant.c_str();
  params.n_threads = threads;
  llmc_model *loaded = nullptr;
  llmc_status status = llmc_model_load(path.c_str(), &params, &loaded);
  model.reset(loaded);
  return status;
}

std::vector<std::string> split(const std::string &list) {
  std::vector<std::string> words;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');)
    words.push_back(word);
  return words;
}

llmc_kv_type cacheTypeOf(const std::string &name) {
  const std::vector<std::string> names = {"auto", "f32", "f16", "bf16", "q8"};
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    die("--kv: no such type: %s", name.c_str());
  return static_cast<llmc_kv_type>(found - names.begin());
}

struct Options {
  std::string model, reference;
  std::vector<std::string> variants = defaultVariants;
  std::vector<uint32_t> threads;
  size_t greedy = 0;
  bool isPortable = false;
  double allowed = 0;
  double tolerance = 1e-4; // of a float32 model: rounding gives 1e-5, the smallest real mistake seen 4e-4
};

std::vector<uint32_t> threadCounts(const std::string &list) {
  std::vector<uint32_t> counts;
  for (const std::string &word : split(list)) {
    counts.push_back(static_cast<uint32_t>(std::atoi(word.c_str())));
    if (counts.back() == 0)
      die("--threads: expected numbers from 1 on");
  }
  return counts;
}

Options parse(int argc, char **argv) {
  Options options;
  std::vector<std::string> files;
  std::string threads = "1,2,3";
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg.rfind("--", 0) != 0)
      files.push_back(arg);
    else if (arg == "--portable")
      options.isPortable = true;
    else if (i + 1 == argc)
      die("%s: a value is missing", arg.c_str());
    else if (arg == "--tolerance")
      options.tolerance = std::atof(argv[++i]);
    else if (arg == "--other-ways")
      options.allowed = std::atof(argv[++i]);
    else if (arg == "--variants")
      options.variants = split(argv[++i]);
    else if (arg == "--greedy")
      options.greedy = static_cast<size_t>(std::atoi(argv[++i]));
    else if (arg == "--threads")
      threads = argv[++i];
    else if (arg == "--kv")
      cacheType = cacheTypeOf(argv[++i]);
    else
      die("unknown option %s", arg.c_str());
  }
  options.threads = threadCounts(threads);
  if (files.size() != 2 || !(options.tolerance > 0) || options.variants.empty() || options.threads.empty())
    die("usage: logits_test MODEL.so REFERENCE.logits [--tolerance STD] [--variants LIST] [--threads LIST] "
        "[--greedy N] [--other-ways STD] [--portable]");
  options.model = files[0];
  options.reference = files[1];
  return options;
}

void checkRefused(const Options &options, const std::string &variant) {
  Model model;
  if (llmc_status status = load(options.model, variant, 1, model); status != LLMC_EABI)
    die("%s: expected %s on a CPU without it, got %s", variant.c_str(), llmc_status_name(LLMC_EABI),
        llmc_status_name(status));
  std::printf("%s: not on this CPU, refused as it should be\n", variant.c_str());
}

void checkVocab(const Model &model, const Reference &reference) {
  int64_t vocab = 0;
  LLMC_CHECK(llmc_model_info(model.get(), LLMC_INFO_VOCAB, &vocab));
  if (vocab != static_cast<int64_t>(reference.vocab))
    die("the model has %lld logits a row, the reference %zu", static_cast<long long>(vocab), reference.vocab);
}

/// The plain rows against the reference; how many numbers that must be.
size_t compare(const Reference &reference, const std::vector<Rows> &plain, WorstError &error) {
  size_t expected = 0;
  for (size_t l = 0; l < reference.cases.size(); ++l) {
    const Case &c = reference.cases[l];
    for (size_t r = 0; r < c.rows.size(); ++r) {
      expected += reference.vocab;
      double unit = spread(c.expected[r]);
      for (size_t i = 0; i < reference.vocab; ++i)
        error.add(plain[l][static_cast<size_t>(c.rows[r])][i], c.expected[r][i], unit);
    }
  }
  return expected;
}

/// Adds the pair for interleaving: the longest list of at most 70 tokens (its number is returned), and the
/// same backwards as the last one.
size_t addInterleaved(std::vector<Tokens> &lists) {
  size_t found = 0;
  for (size_t l = 0; l < lists.size(); ++l)
    if (lists[l].size() <= 70 && lists[l].size() > lists[found].size())
      found = l;
  lists.emplace_back(lists[found].rbegin(), lists[found].rend());
  return found;
}

/// False: some number is wrong. `portable` holds the rows of the variant before, and then of this one.
bool checkVariant(const Options &options, const Reference &reference, const std::string &variant,
                  std::vector<Rows> &portable) {
  Checker checker(variant, reference.vocab);
  checker.allowed = options.allowed;
  for (const Case &c : reference.cases)
    checker.lists.push_back(c.tokens);
  const size_t listA = addInterleaved(checker.lists), listB = checker.lists.size() - 1;

  WorstError error;
  size_t expectedCount = 0;
  for (uint32_t threads : options.threads) {
    Model model;
    LLMC_CHECK(load(options.model, variant, threads, model));
    if (expectedCount == 0) {
      checkVocab(model, reference);
      runPlain(model, checker);
      if (options.isPortable && !portable.empty())
        checker.sameAs(portable);
      portable = checker.plain;
      if (options.greedy)
        checkGreedy(model, checker, options.greedy, reference.cases.back().tokens);
      expectedCount = compare(reference, checker.plain, error);
    }
    runChunks(model, threads, checker, longest(checker.lists), "whole");
    runChunks(model, threads, checker, 7, "chunks of 7");
    runDecode(model, threads, checker);
    runPrefill(model, threads, checker);
    runInterleaved(model, threads, checker, listA, listB);
    runTogether(model, threads, checker);
    runRewind(model, threads, checker, listA);
  }
  std::printf("%s: %zu logits, largest error %.2e std (tolerance %.1e); %zu rows computed in other ways, "
              "%zu differ\n",
              variant.c_str(), error.compared(), error.value(), options.tolerance, checker.compared,
              checker.different);
  if (error.compared() == 0 || error.compared() != expectedCount || checker.compared == 0)
    die("%s: not everything was compared", variant.c_str());
  return error.within(options.tolerance) && checker.different == 0;
}

} // namespace

int main(int argc, char **argv) {
  const Options options = parse(argc, argv);
  const Reference reference = readReference(options.reference);
  size_t variantsRun = 0;
  std::vector<Rows> portable;
  bool isRight = true;
  for (const std::string &variant : options.variants) {
    if (!hostRuns(variant)) {
      checkRefused(options, variant);
      continue;
    }
    isRight &= checkVariant(options, reference, variant, portable);
    ++variantsRun;
  }
  if (variantsRun == 0) {
    std::puts("no variant runs on this CPU: nothing was compared");
    return 77; // a failure but where the test says that it may be skipped
  }
  if (!isRight)
    die("%s: FAILED", options.model.c_str());
  if (options.isPortable && variantsRun == 1) {
    std::puts("one variant alone runs on this CPU: there is none to compare it with");
    return 77;
  }
  return 0;
}
