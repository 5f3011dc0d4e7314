//===- SmolLM3.cpp - SmolLM3 ----------------------------------------------===//
//
// A Llama in which some layers rotate nothing.
//
//===----------------------------------------------------------------------===//
#include "frontend/Architecture.h"
#include "frontend/GgufDecoder.h"
#include "frontend/HfDecoder.h"

#include <fmt/format.h>

namespace llmc::frontend {

static void readGguf(GgufConfig &config, ModelSpec &spec) {
  readDecoder(config, RopeStyle::Interleaved, spec);
  // Files of this architecture do not say which; it is every fourth layer.
  for (int64_t layer = 0; layer < spec.layers; ++layer)
    spec.rope.layers.push_back((layer + 1) % 4 != 0);
}

static void readHf(HfConfig &config, ModelSpec &spec) {
  readDecoder(config, spec, {.ropeTheta = 2e6, .tied = true});
  std::vector<double> rotated = config.numbers("no_rope_layers"); // 1: it is
  int64_t interval = config.optionalInteger("no_rope_layer_interval", 1, 1024).value_or(4);
  if (!rotated.empty() && static_cast<int64_t>(rotated.size()) != spec.layers)
    config.refuse("no_rope_layers", fmt::format("a list of {}", rotated.size()),
                  fmt::format("one entry for each of {} layers", spec.layers));
  for (int64_t layer = 0; config.ok() && layer < spec.layers; ++layer)
    spec.rope.layers.push_back(rotated.empty() ? (layer + 1) % interval != 0 : rotated[layer] != 0);
  // Layers without rotation are those that may have a window.
  readWindowLayers(config, spec, [&](int64_t layer) { return config.ok() && !spec.rope.layers[layer]; });
}

extern const Architecture architectureSmolLM3;
const Architecture architectureSmolLM3{"smollm3", readGguf, {"SmolLM3ForCausalLM", "smollm3"}, readHf};

} // namespace llmc::frontend
