//===- Embed.cpp - llmc embed ---------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"
#include "tools/support/Progress.h"

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

} // namespace

int embed(const EmbedOptions &options) {
  checkInput(options);
  ModelPtr model = openModel(options);
  Tokens tokens = inputTokens(model.get(), options, options.model);
  ModelOptions sizes = options;
  if (!sizes.batch)
    sizes.batch = uint32_t(std::min<size_t>(tokens.size(), 512));
  checkRoom(tokens.size(), options);
  SessionPtr session = newSession(model.get(), sizes, tokens.size());
  llmc_seq seq = newSequence(session.get());
  InterruptScope scope(session.get());
  if (!options.all) {
    Progress progress("prompt", tokens.size());
    evaluateAll(session.get(), seq, tokens, sizes.batch, LLMC_OUT_ALL | LLMC_OUT_HIDDEN,
                [&](size_t begin, int32_t, size_t count) { progress.update(begin + count); });
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
    evaluateAll(session.get(), seq, tokens, sizes.batch, LLMC_OUT_ALL | LLMC_OUT_HIDDEN,
                [&](size_t begin, int32_t row, size_t count) {
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
