// Any bytes as tokenizer.json and as tokenizer.model: an error, or a tokenizer that the runtime opens and
// that takes any text. What lies behind the last NUL byte of the input is a further text.
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Tokenizer.h"

#include <cstdlib>
#include <cstring>

using namespace llmc;

static void use(const std::string &blob, std::string_view own) {
  Tokenizer t;
  if (t.open(blob.data(), blob.size()) != LLMC_OK)
    return; // a pattern that PCRE2 refuses is found out only here
  static const char text[] =
      "It's <s>hello</s>  1234\n\n\xc3\xa9 \xff\xe4\xbd e\xcc\x81 \xe2\x96\x81 aaaaaaaaaaaa";
  Tokenizer::Segment segments[] = {{{text, sizeof text - 1}, true}, {own, false}};
  std::vector<llmc_token> tokens;
  std::string out;
  if (t.encode(segments, true, tokens) == LLMC_OK && t.decode(tokens, false, out, true) != LLMC_OK)
    std::abort(); // encode gave something that is no token
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::string_view all(reinterpret_cast<const char *>(bytes), size), own = all.substr(all.rfind('\0') + 1);
  std::string_view file = own.size() == all.size() ? all : all.substr(0, all.size() - own.size() - 1);
  std::string blob, error;
  for (auto build : {formats::buildTokenizerBlobFromJson, formats::buildTokenizerBlobFromModel})
    for (std::string_view whole : {all, file}) {
      if (build(whole, "fuzz", blob, error))
        use(blob, own);
      else if (error.rfind("fuzz: ", 0) != 0)
        std::abort(); // a refusal says which file and why
    }
  return 0;
}
