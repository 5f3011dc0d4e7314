//===- TinyVocabulary.cpp - a byte-level vocabulary for tests -------------===//
#include "tests/support/TinyVocabulary.h"

using namespace llmc::test;

std::string TinyVocabulary::spell(unsigned char byte) {
  auto visible = [](int b) { return (b > 32 && b < 127) || (b > 160 && b < 173) || b > 173; };
  int codePoint = byte;
  if (!visible(byte)) {
    codePoint = 256;
    for (int b = 0; b < byte; ++b)
      codePoint += !visible(b);
  }
  if (codePoint < 128)
    return std::string(1, static_cast<char>(codePoint));
  return {static_cast<char>(0xc0 | codePoint >> 6), static_cast<char>(0x80 | (codePoint & 63))};
}

TinyVocabulary::TinyVocabulary() {
  tokens = {"<s>", "</s>", "<|im_end|>", "<user>", "<user>2"};
  types = {3, 3, 3, 4, 4};
  for (int b = 0; b < 256; ++b)
    tokens.push_back(spell(static_cast<unsigned char>(b)));
  std::string space = spell(' '), newline = spell('\n');
  for (auto [left, right] : std::vector<std::pair<std::string, std::string>>{{"h", "e"},
                                                                             {"l", "l"},
                                                                             {"he", "ll"},
                                                                             {"hell", "o"},
                                                                             {space, "w"},
                                                                             {"o", "r"},
                                                                             {space + "w", "or"},
                                                                             {space, space},
                                                                             {"l", "d"},
                                                                             {"a", "a"},
                                                                             {"aa", "aa"},
                                                                             {newline, newline},
                                                                             {spell(0xc3), spell(0xa9)}}) {
    merges.push_back(left + " " + right);
    tokens.push_back(left + right);
  }
  types.resize(tokens.size(), 1);
}

GgufWriter TinyVocabulary::write() const {
  GgufWriter w;
  w.addString("tokenizer.ggml.model", "gpt2").addString("tokenizer.ggml.pre", pre);
  w.addStrings("tokenizer.ggml.tokens", tokens).addNumbers("tokenizer.ggml.token_type", types);
  w.addStrings("tokenizer.ggml.merges", merges);
  return w;
}

GgufWriter TinyVocabulary::writeAll() const {
  GgufWriter w = write();
  w.add("tokenizer.ggml.bos_token_id", uint32_t(Bos)).add("tokenizer.ggml.eos_token_id", uint32_t(Eos));
  return w;
}
