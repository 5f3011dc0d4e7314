//===- LayerList.h - which layers of a model to look at ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_GATE_LAYERLIST_H
#define LLMC_TOOLS_GATE_LAYERLIST_H

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::tools {

/// "4": the first four; "0-1,15,31": these; "7-7": that one. One sentence if the text is neither, else
/// nothing.
std::string readLayerList(const std::string &text, std::vector<int64_t> &layers);

/// What readLayerList reads as these: "0-1,15-15".
std::string writeLayerList(const std::vector<int64_t> &layers);

/// The first `count` layers.
std::vector<int64_t> firstLayers(int64_t count);

} // namespace llmc::tools
#endif
