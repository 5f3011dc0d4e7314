//===- Logits.cpp - llmc logits -------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/TraceWriter.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>

namespace llmc::cli {
namespace {

/// {"rows":[{"index":i,"logits":[…]},…]}, a row at a time: all rows of a long input need not fit in memory as
/// text.
class JsonRows {
public:
  void row(size_t index, const float *logits, size_t n) {
    text = first ? "{\"rows\":[" : ",\n";
    first = false;
    text += fmt::format("{{\"index\":{},\"logits\":[", index);
    for (size_t i = 0; i < n; ++i) {
      if (i)
        text += ',';
      appendNumber(text, logits[i]);
    }
    text += "]}";
    print(text);
  }
  void end() { print("]}\n"); }

private:
  bool first = true;
  std::string text;
};

/// For people: the likeliest tokens of a row, as text where the model has a tokenizer.
void printLikeliest(size_t index, const float *logits, size_t n, const llmc_tokenizer *tokenizer) {
  std::vector<llmc_token> ids(n);
  std::iota(ids.begin(), ids.end(), 0);
  size_t shown = std::min<size_t>(n, 10);
  std::partial_sort(ids.begin(), ids.begin() + shown, ids.end(), [&](llmc_token a, llmc_token b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  print(fmt::format("after token {}\n", index));
  for (size_t i = 0; i < shown; ++i) {
    const char *bytes = nullptr;
    size_t length = 0;
    uint32_t attributes = 0;
    std::string quoted;
    if (tokenizer && llmc_token_bytes(tokenizer, ids[i], &bytes, &length, &attributes) == LLMC_OK)
      quoted = nlohmann::json(std::string(bytes, length))
                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    print(fmt::format("  {:>7}  {:>10.4f}  {}\n", ids[i], logits[ids[i]], quoted));
  }
}

} // namespace

int logits(const LogitsOptions &options) {
  Tokens tokens = parseTokens(options.tokens);
  ModelPtr model = openModel(options);
  checkRoom(tokens.size(), options);
  SessionPtr session = newSession(model.get(), options, tokens.size());
  const llmc_tokenizer *tokenizer = nullptr;
  if (llmc_model_tokenizer(model.get(), &tokenizer) != LLMC_OK)
    tokenizer = nullptr;
  llmc_seq seq = newSequence(session.get());
  InterruptScope scope(session.get());
  JsonRows rows;
  auto show = [&](size_t index, int32_t row) {
    const float *values = nullptr;
    size_t n = 0;
    check(llmc_logits(session.get(), row, &values, &n));
    if (options.json)
      rows.row(index, values, n);
    else
      printLikeliest(index, values, n, tokenizer);
  };
  auto trace = newTrace(model.get(), session.get(), options.model, options);
  traced(trace.get(), [&] {
    if (!options.all) {
      check(prefill(model.get(), session.get(), seq, tokens, options, trace != nullptr));
      show(tokens.size() - 1, -1);
    } else {
      size_t step = options.batch ? options.batch : std::min<size_t>(tokens.size(), 512);
      evaluateAll(session.get(), seq, tokens, step, LLMC_OUT_ALL,
                  [&](size_t begin, int32_t firstRow, size_t n) {
                    for (size_t i = 0; i < n; ++i)
                      show(begin + i, firstRow + int32_t(i));
                  });
    }
  });
  if (options.json)
    rows.end();
  flushOutput();
  return 0;
}

} // namespace llmc::cli
