//===- LayerList.cpp - which layers of a model to look at -----------------===//
#include "tools/gate/LayerList.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <numeric>

namespace llmc::tools {

static constexpr int64_t mostLayers = 1024; // of an lm.layers

std::vector<int64_t> firstLayers(int64_t count) {
  std::vector<int64_t> layers(count);
  std::iota(layers.begin(), layers.end(), 0);
  return layers;
}

std::string readLayerList(const std::string &text, std::vector<int64_t> &layers) {
  layers.clear();
  const std::string expected = "expected a number of layers from 1 to " + std::to_string(mostLayers) +
                               ", or a rising list like 0-1,15,31, but got '" + text + "'";
  llvm::StringRef list = text;
  if (int64_t count = 0; !list.getAsInteger(10, count)) {
    if (count < 1 || count > mostLayers)
      return expected;
    layers = firstLayers(count);
    return "";
  }
  llvm::SmallVector<llvm::StringRef> parts;
  list.split(parts, ',');
  for (llvm::StringRef part : parts) {
    auto [first, last] = part.split('-');
    uint64_t begin = 0, end = 0;
    const bool isRange = part.contains('-');
    if (first.getAsInteger(10, begin) || (isRange && last.getAsInteger(10, end)))
      return expected;
    if (!isRange)
      end = begin;
    if (begin > end || end >= mostLayers || (!layers.empty() && static_cast<int64_t>(begin) <= layers.back()))
      return expected;
    for (uint64_t layer = begin; layer <= end; ++layer)
      layers.push_back(static_cast<int64_t>(layer));
  }
  return "";
}

std::string writeLayerList(const std::vector<int64_t> &layers) {
  std::string text;
  for (size_t i = 0; i < layers.size();) {
    size_t last = i;
    while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1)
      ++last;
    text += (text.empty() ? "" : ",") + std::to_string(layers[i]) + "-" + std::to_string(layers[last]);
    i = last + 1;
  }
  return text;
}

} // namespace llmc::tools
