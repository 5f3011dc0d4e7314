//===- tokenizer_golden_test.cpp - tiny tokenizers of each kind -----------===//
//
// Ids and decoded text as the reference libraries gave them (tests/support/make_tiny_tokenizers.py).
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace llmc;
using Json = nlohmann::json;

namespace {

const std::string folder = LLMC_TOKENIZER_FIXTURES;

Json goldens() {
  std::ifstream in(folder + "/goldens.json");
  return Json::parse(in);
}

/// Texts that are not UTF-8 stand in hexadecimal.
std::string bytesOf(const std::string &hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

TEST(TokenizerGoldens, EqualTheReferences) {
  size_t count = 0;
  const Json all = goldens();
  for (auto file = all.begin(); file != all.end(); ++file) {
    std::string blob, error;
    ASSERT_TRUE(formats::buildTokenizerBlobFromFile(folder + "/" + file.key(), blob, error)) << error;
    Tokenizer t;
    ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK) << file.key() << ": " << lastError();
    for (const Json &golden : *file) {
      const std::string text = golden.contains("hex") ? bytesOf(golden["hex"].get<std::string>())
                                                      : golden["text"].get<std::string>();
      bool isPlain = golden.contains("plain");
      std::vector<llmc_token> tokens;
      Tokenizer::Segment segment{text, !isPlain};
      ASSERT_EQ(t.encode({&segment, 1}, !isPlain, tokens), LLMC_OK) << lastError();
      EXPECT_EQ(tokens, golden["ids"].get<std::vector<llmc_token>>()) << file.key() << ": " << golden;
      std::string decoded;
      ASSERT_EQ(t.decode(tokens, true, decoded, true), LLMC_OK);
      if (golden.contains("decoded") &&
          golden["decoded"].get<std::string>().find("\uFFFD") == std::string::npos)
        EXPECT_EQ(decoded, golden["decoded"].get<std::string>()) << file.key() << ": " << golden;
      ++count;
    }
  }
  EXPECT_GE(count, 700u);
}

} // namespace
