// Races on shared memory: for every byte who wrote it last and who read it since, and whether a meeting of
// threads stands between that and the next access.
#pragma once

#include "llmc/simt_abi.h"

#include <cstdint>
#include <vector>

namespace llmc::simt {

class RaceCheck {
public:
  enum class Kind { Read, Write, Atomic };
  struct Access {
    uint32_t thread = none, epoch = 0, warpEpoch = 0, site = 0;
    bool isAtomic = false;
  };
  struct Conflict {
    Access earlier;
    uint64_t offset;
    bool wasWrite;
  };
  static constexpr uint32_t none = UINT32_MAX;

  /// A new block begins: nothing of what was noted counts any more.
  void begin(uint64_t bytes, uint32_t nThreads);
  void blockMet() { ++epoch; }
  /// The lanes of a warp met and see each other's memory.
  void warpMet(uint32_t warp) { warpEpochs[warp] = ++lastWarpEpoch; }

  /// Notes an access of some thread; true: it is not ordered against an earlier one of another.
  bool note(uint64_t offset, uint64_t bytes, uint32_t thread, Kind kind, uint32_t site, Conflict &out);

private:
  struct Byte {
    Access write, reads[2]; // two readers: whoever writes next, one of them is another thread
  };
  bool isOrdered(const Access &earlier, const Access &now) const;

  std::vector<Byte> shadow;
  std::vector<uint32_t> warpEpochs;
  uint32_t epoch = 0, lastWarpEpoch = 0;
};

} // namespace llmc::simt
