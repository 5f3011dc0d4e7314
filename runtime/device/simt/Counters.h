// What kernels load from and store to global memory, and how full the 128-byte transactions of a warp are.
//
// Lanes do not run in step here, so the accesses of a warp are put together afterwards: the n-th time that
// each of its lanes comes to an instruction is one access of the warp.
//
// A launch has a byte the first time from memory; caches may keep it for the next ones. So bytes are counted
// a second time, each once a launch.
#pragma once

#include "runtime/device/simt/Memory.h"

#include "llmc/simt_abi.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace llmc::simt {

/// Of one kernel in one region of memory, or in a part of one.
struct AccessCounts {
  uint64_t memory = 0;                                  ///< bytes of it
  uint64_t loads = 0, stores = 0;                       ///< bytes, lane by lane
  uint64_t warpLoads = 0, warpStores = 0;               ///< bytes, those that several lanes share once
  uint64_t loadTransactions = 0, storeTransactions = 0; ///< of 128 bytes each
  uint64_t distinctLoads = 0, distinctStores = 0;       ///< bytes, each once a launch
};

class Counters {
public:
  static constexpr uint64_t transactionBytes = 128;
  using Key = std::pair<std::string, std::string>; ///< kernel, region ("the weights+4096": a part)

  const std::map<Key, AccessCounts> &counts() const { return totals; }
  void clear() { totals.clear(); }

  /// A launch of the named kernel begins.
  void begin(const char *kernel, uint32_t nSites, uint32_t nThreads);
  void note(uint32_t site, uint32_t thread, uint64_t address, uint64_t bytes, bool isStore,
            const Memory::Region &region);
  void endBlock();

private:
  using Mask = std::array<uint64_t, 2>; ///< a bit for each byte of a transaction
  struct Segment {
    uint64_t number;
    Mask mask;
  };
  struct Group {
    uint32_t arrived = 0;
    bool isStore = false;
    AccessCounts *counts = nullptr;
    std::vector<Segment> segments;
  };
  struct Groups {
    uint64_t first = 0; ///< number of the oldest that is open
    std::deque<Group> open;
    std::array<uint64_t, LLMC_SIMT_WARP> passes = {}; ///< how often each lane came
  };
  static void note(Group &group, uint64_t address, uint64_t bytes);
  void close(Group &group);
  AccessCounts &countsOf(const Memory::Region &region, uint64_t address);

  std::map<Key, AccessCounts> totals;
  std::string kernel;
  /// Of the running kernel, by the numbers of the region and, from 1, of its part.
  std::map<std::pair<uint32_t, uint32_t>, AccessCounts *> here;
  uint32_t sites = 0, threads = 0;
  std::vector<Groups> groups;                        ///< [warp][site]
  std::vector<uint32_t> touched;                     ///< numbers of those that are in use
  std::unordered_map<uint64_t, Mask> loaded, stored; ///< what the launch has had, by numbers of segments
};

} // namespace llmc::simt
