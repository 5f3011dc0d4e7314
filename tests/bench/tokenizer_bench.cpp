// Speed of tokenizers on one thread: tokenizer_bench TOKENIZER... [--text FILE]. Prints for each the
// vocabulary, the size of the compiled block, the time to open it, and MB/s for text to tokens.
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

using namespace llmc;

/// Seconds that this thread ran: other work on the machine does not count.
static double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

/// Prose and code that repeat with changing numbers and word order, about 4 MB.
static std::string sample() {
  static const char *const sentences[] = {
      "The committee agreed that the proposal, however promising, needed further study before a decision. ",
      "She walked along the river until the lights of the town disappeared behind the trees. ",
      "for (size_t i = 0; i < count; ++i)\n    total += weights[i] * values[i];\n",
      "In 1987, roughly 35% of households owned one; by 2004 the share had doubled.\n\n",
      "def normalize(path):\n    return os.path.abspath(path) if path else None\n",
      "\"I don't know,\" he said, \"whether they'll come back before winter.\" "};
  std::string out;
  for (uint32_t state = 1; out.size() < (4u << 20); state = state * 1664525u + 1013904223u)
    out += sentences[(state >> 16) % std::size(sentences)];
  return out;
}

int main(int argc, char **argv) {
  std::string text = sample();
  std::vector<const char *> paths;
  for (int i = 1; i < argc; ++i)
    if (!std::strcmp(argv[i], "--text") && i + 1 < argc) {
      std::ifstream in(argv[++i], std::ios::binary);
      text.assign(std::istreambuf_iterator<char>(in), {});
    } else {
      paths.push_back(argv[i]);
    }
  for (const char *path : paths) {
    std::string blob, error;
    double start = now();
    if (!formats::buildTokenizerBlobFromFile(path, blob, error)) {
      std::fprintf(stderr, "%s\n", error.c_str());
      return 1;
    }
    double built = now() - start, opened = 1e9, encoded = 1e9;
    size_t count = 0;
    uint32_t vocab = 0;
    for (int i = 0; i < 5; ++i) {
      start = now();
      Tokenizer t;
      if (t.open(blob.data(), blob.size()) != LLMC_OK) {
        std::fprintf(stderr, "%s\n", lastError());
        return 1;
      }
      opened = std::min(opened, now() - start);
      vocab = t.size();
      std::vector<llmc_token> tokens;
      Tokenizer::Segment segment{text, false};
      start = now();
      if (t.encode({&segment, 1}, false, tokens) != LLMC_OK)
        return 1;
      encoded = std::min(encoded, now() - start);
      count = tokens.size();
    }
    std::printf(
        "%s: %u tokens, block %.1f MB built in %.2f s, opened in %.2f ms; %.1f MB/s, %.2f bytes per token\n",
        path, vocab, double(blob.size()) / 1e6, built, opened * 1e3, double(text.size()) / 1e6 / encoded,
        double(text.size()) / double(std::max<size_t>(count, 1)));
  }
  return 0;
}
