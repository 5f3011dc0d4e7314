//===- Perplexity.cpp - llmc perplexity -----------------------------------===//
//
// The negative log-likelihood of every token of a text after those before it, in windows (Windows.h); with
// --kl also how far the predictions are from saved ones. Logits are looked at as they come and not kept: what
// grows with the text are 4 bytes a token, 8 more with --json or --kl, and the text while it is tokenized.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/LogitsFile.h"
#include "tools/llmc/Windows.h"
#include "tools/support/Progress.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc::cli {
namespace {

constexpr size_t longestWholeText = 32768;       // beyond, attention over all of it takes too long
constexpr size_t logitsBytes = size_t(64) << 20; // of one step

/// Ids between commas, spaces, line ends and the punctuation of {"tokens":[1,2,3]}.
Tokens readTokens(const std::string &path) {
  std::string text = readText(path);
  std::string_view rest = text;
  auto skip = [&](std::string_view characters) {
    rest.remove_prefix(std::min(rest.find_first_not_of(characters), rest.size()));
  };
  skip(" \t\r\n{");
  if (rest.starts_with("\"tokens\""))
    rest.remove_prefix(8);
  skip(" \t\r\n:[");
  Tokens tokens;
  while (!rest.empty() && rest.front() != ']') {
    llmc_token token;
    auto [next, error] = std::from_chars(rest.data(), rest.data() + rest.size(), token);
    if (error != std::errc() || token < 0)
      throw Failure(fmt::format("{}: expected token ids such as 1,2,3, but found '{}' after {} of them", path,
                                rest.substr(0, std::min<size_t>(rest.find_first_of(", \n"), 40)),
                                tokens.size()));
    tokens.push_back(token);
    rest.remove_prefix(size_t(next - rest.data()));
    skip(" \t\r\n,");
  }
  skip(" \t\r\n]}");
  if (!rest.empty())
    throw Failure(fmt::format("{}: expected the end after {} token ids, but found '{}'", path, tokens.size(),
                              rest.substr(0, 40)));
  return tokens;
}

double logSumExp(std::span<const float> logits, float most) {
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - most);
  return double(most) + std::log(sum);
}

/// What the predictions of one model say of another's.
struct Comparison {
  std::vector<double> kl;
  size_t sameBest = 0;

  void row(std::span<const float> base, std::span<const float> here, double hereNorm) {
    size_t best = size_t(std::max_element(base.begin(), base.end()) - base.begin());
    double baseNorm = logSumExp(base, base[best]), sum = 0;
    for (size_t i = 0; i < base.size(); ++i) {
      double logP = base[i] - baseNorm, logQ = here[i] - hereNorm;
      sum += std::exp(float(logP)) * (logP - logQ);
    }
    kl.push_back(sum);
    sameBest += best == size_t(std::max_element(here.begin(), here.end()) - here.begin());
  }
};

class Evaluation {
public:
  Evaluation(llmc_session *owner, uint32_t batchTokens, size_t n)
      : session(owner), step(batchTokens), vocab(n) {
    llmc_batch *made = nullptr;
    check(llmc_batch_new(step, &made));
    batch.reset(made);
  }

  /// Calls score(index of a token, logits that were to predict it) for all that the window scores.
  template <typename Score>
  void run(const Tokens &tokens, const Window &window, llmc_token first, Score score) {
    llmc_seq seq = newSequence(session);
    // The logits after a token score the next one.
    for (size_t begin = window.begin, end = window.end - 1; begin < end; begin += step) {
      size_t stop = std::min<size_t>(begin + step, end), asked = std::clamp(window.scored - 1, begin, stop);
      llmc_batch_clear(batch.get());
      int32_t row = 0;
      Tokens ids(tokens.begin() + long(begin), tokens.begin() + long(stop));
      if (begin == window.begin && first >= 0)
        ids.front() = first;
      if (asked > begin)
        check(llmc_batch_add(batch.get(), seq, ids.data(), asked - begin, LLMC_OUT_NONE, nullptr));
      if (asked < stop)
        check(
            llmc_batch_add(batch.get(), seq, ids.data() + (asked - begin), stop - asked, LLMC_OUT_ALL, &row));
      check(llmc_eval(session, batch.get()));
      for (size_t i = asked; i < stop; ++i) {
        const float *logits = nullptr;
        check(llmc_logits(session, row + int32_t(i - asked), &logits, nullptr));
        score(i + 1, std::span<const float>(logits, vocab));
      }
    }
    check(llmc_seq_free(session, seq));
  }

private:
  llmc_session *session;
  uint32_t step;
  size_t vocab;
  BatchPtr batch;
};

/// How many tokens a window has.
size_t windowLength(const PerplexityOptions &options, const llmc_model *model, size_t tokens) {
  if (options.ctx)
    return options.ctx;
  size_t trained = size_t(std::max<int64_t>(modelInfo(model, LLMC_INFO_CTX_TRAIN), 0));
  if (tokens <= std::max(longestWholeText, trained))
    return tokens;
  size_t length = trained ? trained : longestWholeText;
  fmt::print(stderr, "llmc: {} tokens in windows of {}; --ctx N chooses another length\n", tokens, length);
  return length;
}

double sumOf(const std::vector<double> &values) {
  double sum = 0;
  for (double value : values)
    sum += value;
  return sum;
}

/// What is told of all rows.
struct Scores {
  size_t count = 0;
  double sum = 0, squares = 0; // of the negative log-likelihoods
  std::vector<double> nll;     // themselves, for --json
  std::optional<Comparison> comparison;

  void add(double value, bool isKept) {
    ++count;
    sum += value;
    squares += value * value;
    if (isKept)
      nll.push_back(value);
  }
  double mean() const { return sum / double(count); }
};

void printJson(const Scores &scores) {
  std::string text = "{\"nll\":[";
  for (size_t i = 0; i < scores.nll.size(); ++i) {
    text += i ? "," : "";
    appendNumber(text, scores.nll[i]);
    if (text.size() > 1 << 16) {
      print(text);
      text.clear();
    }
  }
  text += "],\"perplexity\":";
  appendNumber(text, std::exp(scores.mean()));
  if (const auto &comparison = scores.comparison) {
    text += ",\"kl\":";
    appendNumber(text, sumOf(comparison->kl) / double(scores.count));
    text += ",\"kl_max\":";
    appendNumber(text, *std::max_element(comparison->kl.begin(), comparison->kl.end()));
    text += ",\"same_top\":";
    appendNumber(text, double(comparison->sameBest) / double(scores.count));
  }
  print(text + "}\n");
}

void printText(const Scores &scores, size_t windows) {
  const double n = double(scores.count), mean = scores.mean(), ppl = std::exp(mean);
  const double error = n > 1 ? std::sqrt(std::max(scores.squares / n - mean * mean, 0.0) / (n - 1)) * ppl : 0;
  print(fmt::format("perplexity {:.4f} +- {:.4f} over {} tokens in {} window{}\n", ppl, error, scores.count,
                    windows, windows == 1 ? "" : "s"));
  if (!scores.comparison)
    return;
  std::vector<double> kl = scores.comparison->kl;
  std::sort(kl.begin(), kl.end());
  print(fmt::format(
      "KL(saved || this) {:.6g}, median {:.6g}, 99 % below {:.6g}, largest {:.6g}; same likeliest "
      "token {:.2f} %\n",
      sumOf(kl) / n, kl[kl.size() / 2], kl[std::min(kl.size() - 1, kl.size() * 99 / 100)], kl.back(),
      100 * double(scores.comparison->sameBest) / n));
}

void checkOptions(const PerplexityOptions &options) {
  if (options.file.has_value() == options.tokensFile.has_value())
    throw UsageError("give one text: --file F or --tokens-file F");
  if (options.saveLogits && options.kl)
    throw UsageError("--save-logits and --kl exclude each other");
  if (options.stride && !options.ctx)
    throw UsageError("--stride needs the length of a window: give --ctx N");
  if (options.stride > options.ctx)
    throw UsageError(
        fmt::format("--stride {} is longer than a window of --ctx {}", options.stride, options.ctx));
  if (options.ctx == 1)
    throw UsageError("--ctx 1: expected windows of at least 2 tokens, a token and one to predict");
  if (options.ctx && options.skip >= options.ctx)
    throw UsageError(
        fmt::format("--skip {} leaves nothing of a window of --ctx {}", options.skip, options.ctx));
}

/// What is scored, cut into windows.
struct Text {
  const std::string &source; // the file
  Tokens tokens;
  llmc_token first = -1; // of every later window; -1: none of its own
  size_t length = 0;     // of a window
  std::vector<Window> windows;
  LogitsHeader header; // of what --save-logits and --kl name
};

Text tokenized(const PerplexityOptions &options, Tokens tokens, std::string text, llmc_model *model) {
  Text result{options.file ? *options.file : *options.tokensFile, std::move(tokens), -1, 0, {}, {}};
  if (options.file) {
    const llmc_tokenizer *tokenizer = tokenizerOf(model, options.model, "--tokens-file");
    result.tokens = tokenizeText(tokenizer, text, LLMC_TOKENIZE_ADD_SPECIAL);
    std::string().swap(text);
    result.tokens.shrink_to_fit(); // there was room for one a byte
    if (llmc_token bos = llmc_token_special(tokenizer, "bos");
        !result.tokens.empty() && result.tokens.front() == bos)
      result.first = bos;
  }
  const size_t count = result.tokens.size();
  if (count < 2)
    throw Failure(fmt::format("{}: a text of {} tokens leaves nothing to predict", result.source, count));
  result.length = windowLength(options, model, count);
  result.windows =
      windowsOf(count, result.length, options.stride ? options.stride : result.length, options.skip);
  for (const Window &window : result.windows)
    result.header.rows += window.end - window.scored;
  if (!result.header.rows)
    throw Failure(fmt::format("{}: --skip {} leaves nothing of a text of {} tokens", result.source,
                              options.skip, count));
  result.header.vocab = uint64_t(modelInfo(model, LLMC_INFO_VOCAB));
  result.header.textHash = XXH3_64bits(result.tokens.data(), count * sizeof(llmc_token));
  result.header.windowHash = XXH3_64bits(result.windows.data(), result.windows.size() * sizeof(Window));
  return result;
}

/// Walks the windows in a session as large as one of them.
Scores scoresOf(const PerplexityOptions &options, const Text &text, llmc_model *model) {
  const size_t vocab = text.header.vocab;
  ModelOptions sizes = options;
  sizes.ctx = uint32_t(std::min(text.length, text.tokens.size()));
  if (!options.batch)
    sizes.batch = uint32_t(std::min<size_t>({sizes.ctx, 512, std::max<size_t>(logitsBytes / 4 / vocab, 16)}));
  noteContext(model, options.ctx ? options.ctx : sizes.ctx, options.ctx != 0);
  SessionPtr session = newSession(model, sessionParams(sizes, 0));
  InterruptScope scope(session.get());
  std::optional<LogitsWriter> writer;
  std::optional<LogitsReader> reader;
  Scores scores;
  if (options.saveLogits)
    writer.emplace(*options.saveLogits, text.header);
  if (options.kl) {
    reader.emplace(*options.kl, text.header);
    scores.comparison.emplace();
  }

  Evaluation evaluation(session.get(), sizes.batch, vocab);
  Progress progress("perplexity", text.header.rows);
  auto score = [&](size_t index, std::span<const float> logits) {
    double norm = logSumExp(logits, *std::max_element(logits.begin(), logits.end()));
    scores.add(norm - logits[size_t(text.tokens[index])], options.json);
    if (writer)
      writer->row(logits);
    if (reader)
      scores.comparison->row(reader->next(), logits, norm);
    progress.update(scores.count);
  };
  for (const Window &window : text.windows) {
    scope.check();
    if (llmc_token last = text.tokens[window.end - 1]; uint64_t(last) >= vocab) // all others are evaluated
      throw Failure(
          fmt::format("{}: token {} is {}, the model has {}", text.source, window.end - 1, last, vocab));
    evaluation.run(text.tokens, window, window.begin ? text.first : -1, score);
  }
  scope.check();
  if (writer)
    writer->finish();
  return scores;
}

} // namespace

int perplexity(const PerplexityOptions &options) {
  checkOptions(options);
  Tokens tokens;
  if (options.tokensFile) // before a model is loaded, or compiled
    tokens = readTokens(*options.tokensFile);
  std::string read = options.file ? readText(*options.file) : "";
  ModelPtr model = openModel(options);
  const Text text = tokenized(options, std::move(tokens), std::move(read), model.get());
  const Scores scores = scoresOf(options, text, model.get());
  if (options.json)
    printJson(scores);
  else
    printText(scores, text.windows.size());
  flushOutput();
  return 0;
}

} // namespace llmc::cli
