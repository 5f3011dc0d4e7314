// What devices are called, for the runtime and its tools.
#pragma once

#include <string_view>

namespace llmc {

constexpr const char *anyDevice = "auto", *cpuDevice = "cpu", *cudaDevice = "cuda", *simtDevice = "simt";

/// All of them, as they may stand before the colon of a name.
constexpr std::string_view deviceWords[] = {anyDevice, cpuDevice, cudaDevice, simtDevice};

/// "cuda" of "cuda:1".
constexpr std::string_view deviceWord(std::string_view name) { return name.substr(0, name.find(':')); }

/// What the code that such a device runs is called in a model and as a target; null: the CPU's own.
constexpr const char *deviceTarget(std::string_view word) {
  return word == cudaDevice || word == simtDevice ? "cuda" : nullptr;
}

} // namespace llmc
