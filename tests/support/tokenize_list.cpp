// Tokenizes texts for comparison with reference programs: tokenize_list TOKENIZER [--special] [--add]
// [--decode]. Standard input: texts, each behind its size in four bytes. Standard output: a line of ids for
// each; with
// --decode behind a tab the bytes that they decode to, in hexadecimal.
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

using namespace llmc;

int main(int argc, char **argv) {
  std::string blob, error, text, line;
  bool parse = false, add = false, decode = false;
  for (int i = 2; i < argc; ++i) {
    parse |= !std::strcmp(argv[i], "--special");
    add |= !std::strcmp(argv[i], "--add");
    decode |= !std::strcmp(argv[i], "--decode");
  }
  Tokenizer tokenizer;
  if (argc < 2 || !formats::buildTokenizerBlobFromFile(argv[1], blob, error)) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 2;
  }
  if (tokenizer.open(blob.data(), blob.size()) != LLMC_OK) {
    std::fprintf(stderr, "%s\n", lastError());
    return 2;
  }
  for (uint32_t size; std::fread(&size, 4, 1, stdin) == 1;) {
    text.resize(size);
    if (std::fread(text.data(), 1, size, stdin) != size)
      return 2;
    std::vector<llmc_token> tokens;
    Tokenizer::Segment segment{text, parse};
    if (tokenizer.encode({&segment, 1}, add, tokens) != LLMC_OK) {
      std::fprintf(stderr, "%s\n", lastError());
      return 1;
    }
    line.clear();
    for (llmc_token id : tokens)
      line += std::to_string(id) + ' ';
    if (decode) {
      std::string back;
      tokenizer.decode(tokens, true, back, true);
      line += '\t';
      char hex[3];
      for (unsigned char c : back) {
        std::snprintf(hex, sizeof hex, "%02x", c);
        line += hex;
      }
    }
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stdout);
  }
  return 0;
}
