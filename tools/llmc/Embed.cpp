//===- Embed.cpp - llmc embed ---------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace llmc::cli {
namespace {

void printNumbers(std::span<const float> values) {
  std::string text = "[";
  for (float value : values) {
    if (text.size() > 1)
      text += ',';
    appendNumber(text, value);
  }
  print(text + "]");
}

/// For people: the first few numbers and the length.
void printStart(std::span<const float> values) {
  double squares = 0;
  for (float value : values)
    squares += double(value) * value;
  std::string text;
  for (float value : values.first(std::min<size_t>(values.size(), 8)))
    text += fmt::format("{:>10.5f}", value);
  print(fmt::format("{}{}  ({} numbers, length {:.5g})\n", text, values.size() > 8 ? " …" : "", values.size(),
                    std::sqrt(squares)));
}

int32_t poolingOf(const std::string &name) {
  return name == "mean" ? LLMC_POOL_MEAN : name == "first" ? LLMC_POOL_FIRST : LLMC_POOL_LAST;
}

/// Evaluates all tokens with their hidden rows, in steps that `each` looks at: (index of the first token,
/// first row, how many).
template <typename Each>
void evaluate(llmc_session *session, llmc_seq seq, std::span<const llmc_token> tokens, size_t step,
              Each each) {
  llmc_batch *made = nullptr;
  check(llmc_batch_new(uint32_t(step), &made));
  BatchPtr batch(made);
  for (size_t begin = 0; begin < tokens.size(); begin += step) {
    size_t n = std::min(step, tokens.size() - begin);
    int32_t firstRow = 0;
    llmc_batch_clear(batch.get());
    check(llmc_batch_add(batch.get(), seq, tokens.data() + begin, n, LLMC_OUT_ALL | LLMC_OUT_HIDDEN,
                         &firstRow));
    check(llmc_eval(session, batch.get()));
    each(begin, firstRow, n);
  }
}

} // namespace

int embed(const EmbedOptions &options) {
  checkInput(options);
  ModelPtr model = openModel(options);
  Tokens tokens = inputTokens(model.get(), options, options.model);
  ModelOptions sizes = options;
  if (!sizes.batch)
    sizes.batch = uint32_t(std::min<size_t>(tokens.size(), 512));
  SessionPtr session = newSession(model.get(), sizes, tokens.size());
  llmc_seq seq = newSequence(session.get());
  InterruptScope scope(session.get());
  if (!options.all) {
    evaluate(session.get(), seq, tokens, sizes.batch, [](size_t, int32_t, size_t) {});
    const float *values = nullptr;
    size_t n = 0;
    check(llmc_embedding(session.get(), seq, poolingOf(options.pooling), &values, &n));
    if (options.json) {
      print("{\"embedding\":");
      printNumbers({values, n});
      print("}\n");
    } else {
      printStart({values, n});
    }
  } else {
    print(options.json ? "{\"rows\":[" : "");
    evaluate(session.get(), seq, tokens, sizes.batch, [&](size_t begin, int32_t row, size_t count) {
      for (size_t i = 0; i < count; ++i) {
        const float *values = nullptr;
        size_t n = 0;
        check(llmc_hidden(session.get(), row + int32_t(i), &values, &n));
        if (!options.json) {
          printStart({values, n});
          continue;
        }
        print(fmt::format("{}{{\"index\":{},\"hidden\":", begin + i ? ",\n" : "", begin + i));
        printNumbers({values, n});
        print("}");
      }
    });
    print(options.json ? "]}\n" : "");
  }
  flushOutput();
  return 0;
}

} // namespace llmc::cli
