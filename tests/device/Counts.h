// What kernels load and store, as the emulator counts it: of each kernel in each weight and each other
// allocation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace llmc::test {

struct Counts {
  uint64_t loads = 0, stores = 0;                       ///< bytes, lane by lane
  uint64_t warpLoads = 0, warpStores = 0;               ///< bytes, those that lanes of a warp share once
  uint64_t loadTransactions = 0, storeTransactions = 0; ///< of a warp, of 128 bytes each
  uint64_t distinctLoads = 0, distinctStores = 0;       ///< bytes, each once a launch
  uint64_t memory = 0;                                  ///< bytes that are there
  /// How full the transactions of loads are, of 1.
  double fill() const {
    return loadTransactions ? double(warpLoads) / (128.0 * double(loadTransactions)) : 1;
  }
};

/// By entry of a kernel and name of the memory ("the weights+4096", "the cache").
using CountTable = std::map<std::pair<std::string, std::string>, Counts>;

/// Loads the model into the emulator with `code` (made with --checks, of which none but counting is done),
/// evaluates steps of so many tokens of one sequence, asking for the last row of each, and reads what was
/// counted. A failure is a failure of the test.
CountTable countSteps(const std::string &model, const std::string &code, const std::vector<uint32_t> &steps);

/// What the last of the steps takes: what all take less what those before it take.
CountTable countLastStep(const std::string &model, const std::string &code, std::vector<uint32_t> steps);

/// A table for people, of what has a part in the loads.
std::string describe(const CountTable &table);

} // namespace llmc::test
