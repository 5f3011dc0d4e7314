// What blocks of a launch know of each other's memory. They never meet; but who passes a fence of the device
// tells with its next atomic operation all that it knew at the fence, and who finds that at the same place
// knows it behind its own next fence: the patterns of release and acquire of PTX's memory model ("Memory
// Consistency Model", 8.8), with fences of both kinds.
#pragma once

#include "llmc/simt_abi.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace llmc::simt {

class BlockOrder {
public:
  using LaneTicks = std::array<uint64_t, LLMC_SIMT_WARP>;
  /// What a thread knew of its own block: accesses of all threads before this tick, and those of its own
  /// warp's lanes before these.
  struct Release {
    uint64_t block, meeting, warp;
    LaneTicks lanes;
  };

  void beginLaunch(uint32_t nThreads);
  void beginBlock();
  void fence(uint32_t thread, const Release &own);
  /// A place: any two numbers that are the same for nothing else.
  void atomic(uint32_t thread, std::pair<const void *, uint64_t> place);
  void blockMet();
  void warpMet(uint32_t warp, uint32_t mask);
  /// Whether the thread knows of an access of another block.
  bool isKnown(uint32_t thread, uint64_t block, uint64_t tick, uint64_t itsThread) const;

private:
  using Known = std::set<const Release *>;
  struct Thread {
    Known known; ///< beside what the block knows
    Known found; ///< at places, since the last fence
    Known told;  ///< by the next atomic operation
  };

  std::deque<Release> releases; ///< of the launch
  std::map<std::pair<const void *, uint64_t>, Known> places;
  std::vector<Thread> threads; ///< of the block
  Known ofBlock;
  bool hasKnown = false; ///< some thread knows something
};

} // namespace llmc::simt
