// Any bytes as a GGUF file: an error or a file whose tensors lie inside of it.
#include "frontend/formats/Gguf.h"

#include <cstdlib>

using namespace llmc::formats;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::string error;
  auto f = GgufFile::parse({bytes, size}, "fuzz", error);
  if (!f) {
    if (error.empty())
      std::abort(); // a refusal says why
    return 0;
  }
  unsigned sum = 0;
  for (const GgufTensor &t : f->tensors())
    if (!t.data.empty())
      sum += t.data.front() + t.data.back();
  for (auto &[key, value] : f->metadata()) {
    f->integer(key, error);
    f->number(key, error);
    f->string(key, error);
    f->array(key, error);
    if (f->value(key) != &value)
      std::abort();
  }
  volatile unsigned sink = sum;
  (void)sink;
  return 0;
}
