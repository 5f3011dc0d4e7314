//===- TinyVocabulary.h - a byte-level vocabulary for tests -----*- C++ -*-===//
//
// A GGUF file with a small but complete byte-level BPE tokenizer: five special tokens, one token for each
// byte, and the results of a dozen merges.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TESTS_SUPPORT_TINYVOCABULARY_H
#define LLMC_TESTS_SUPPORT_TINYVOCABULARY_H

#include "tests/support/GgufWriter.h"

#include <string>
#include <utility>
#include <vector>

namespace llmc::test {

/// Parts of the file; change them before `write`.
struct TinyVocabulary {
  enum : int32_t { Bos = 0, Eos = 1, ImEnd = 2, User = 3, UserLong = 4, FirstByte = 5, FirstMerge = 5 + 256 };

  TinyVocabulary();

  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<std::string> merges;
  std::string pre = "gpt-2";

  /// The keys of the tokenizer, without bos and eos.
  GgufWriter write() const;
  /// With bos and eos.
  GgufWriter writeAll() const;

  static std::string spell(unsigned char byte); // in the byte alphabet
};

} // namespace llmc::test
#endif
