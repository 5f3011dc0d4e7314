// Any text as config.json: an error, or a decoder whose traits are in range.
#include "frontend/HfDecoder.h"
#include "frontend/formats/Safetensors.h"

#include <cstdlib>

using namespace llmc;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const uint8_t noTensors[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
  static std::string error;
  static const auto weights = formats::SafetensorsFile::parse(noTensors, "none", error);
  static const std::string path = "config.json";
  formats::JsonValue json;
  error.clear();
  if (!formats::parseJson({reinterpret_cast<const char *>(bytes), size}, {}, json, error)) {
    if (error.empty())
      std::abort(); // a refusal says why
    return 0;
  }
  frontend::HfConfig config(path, json, *weights);
  frontend::ModelSpec spec;
  spec.file = path;
  frontend::readDecoder(config, spec);
  frontend::readWindow(config, spec);
  for (const char *name : {"architectures", "rope_scaling.type", "text_config.model_type", "a.b.c.d"}) {
    config.strings(name);
    config.numbers(name);
  }
  if (config.ok() && spec.check(error) && (spec.attention.heads < 1 || spec.attention.dimK < 1))
    std::abort();
  if (!config.ok() && config.firstError().rfind("config.json: ", 0) != 0)
    std::abort();
  return 0;
}
