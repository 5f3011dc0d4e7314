// Any bytes as a compiled tokenizer, and as a GGUF file to compile one from: an error, or a tokenizer that
// can be used on any text.
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Tokenizer.h"

#include <cstdlib>
#include <cstring>

using namespace llmc;

static void use(const void *blob, size_t size) {
  Tokenizer t;
  if (t.open(blob, size) != LLMC_OK)
    return;
  static const char text[] = "It's <s>hello</s>  1234\n\n\xc3\xa9 \xff\xe4\xbd <user>2 "
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  Tokenizer::Segment segments[] = {{{text, sizeof text - 1}, true}, {"<s>", false}};
  std::vector<llmc_token> tokens;
  std::string out;
  if (t.encode(segments, true, tokens) == LLMC_OK && t.decode(tokens, false, out) != LLMC_OK)
    std::abort(); // encode gave something that is no token
  t.find("hello");
  t.chatTemplate("tools");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::vector<uint64_t> aligned(size / 8 + 1);
  if (size)
    std::memcpy(aligned.data(), bytes, size);
  use(aligned.data(), size);

  std::string blob, error;
  auto f = formats::GgufFile::parse({bytes, size}, "fuzz", error);
  if (f && formats::buildTokenizerBlob(*f, blob, error)) {
    Tokenizer t;
    if (t.open(blob.data(), blob.size()) != LLMC_OK)
      std::abort(); // what the compiler writes, the runtime accepts
    use(blob.data(), blob.size());
  }
  return 0;
}
