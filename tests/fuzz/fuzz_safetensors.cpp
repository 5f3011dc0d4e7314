// Any bytes as a safetensors file: an error or a file whose tensors fill its data.
#include "frontend/formats/Safetensors.h"

#include <cstdlib>

using namespace llmc::formats;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  std::string error;
  auto f = SafetensorsFile::parse({bytes, size}, "fuzz", error);
  if (!f) {
    if (error.empty())
      std::abort(); // a refusal says why
    return 0;
  }
  unsigned sum = 0;
  size_t held = 0;
  for (const WeightTensor &t : f->tensors()) {
    held += t.data.size();
    if (!t.data.empty())
      sum += t.data.front() + t.data.back();
    if (f->tensor(t.name) != &t || t.typeName().empty())
      std::abort();
  }
  if (held > size)
    std::abort();
  volatile unsigned sink = sum;
  (void)sink;
  return 0;
}
