// Races: for every byte (for four at once while they are accessed as a word) who wrote it last and who read
// it since, and whether a meeting of threads stands between that and the next access. In shared memory this
// is asked of a block, in global memory of a launch, whose blocks know of each other what fences and atomics
// tell (BlockOrder.h).
//
// Time is a number that grows with each meeting, block and launch. What a barrier of the block orders is
// older than the last one; what a barrier of the warp orders, each lane knows of each other lane.
#pragma once

#include "runtime/device/simt/BlockOrder.h"

#include "llmc/simt_abi.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace llmc::simt {

/// What was last done to a piece of memory: to each of its words of four bytes, or, once some of a word's
/// bytes were accessed alone, to each of these. Takes room only for what was touched.
class Shadow {
public:
  struct Access {
    uint64_t tick : 33 = 0; ///< 0: there was none
    uint64_t thread : 10 = 0;
    uint64_t site : 20 = 0;
    uint64_t isAtomic : 1 = 0;
  };
  static_assert(sizeof(Access) == sizeof(uint64_t));
  struct Cell {
    Access write, reads[2];
  };
  static constexpr uint64_t wordBytes = 4;

  /// Null: no memory.
  static std::unique_ptr<Shadow> make(uint64_t bytes);
  ~Shadow();
  Shadow(const Shadow &) = delete;
  Shadow &operator=(const Shadow &) = delete;
  uint64_t size() const { return bytes; }
  /// The cell of the byte at `offset`, and how many bytes from there on, of the next `nBytes`, it stands for.
  Cell &cellAt(uint64_t offset, uint64_t nBytes, uint64_t &covered);

private:
  Shadow(uint64_t bytes, Cell *cells) : bytes(bytes), ofBytes(cells), ofWords(cells + bytes) {}
  static constexpr uint64_t splitTick = (uint64_t(1) << 33) - 1; ///< of a word whose bytes have cells

  uint64_t bytes;
  Cell *ofBytes, *ofWords; ///< in one piece
};

class RaceCheck {
public:
  enum class Kind { Read, Write, Atomic };
  struct Conflict {
    Shadow::Access earlier;
    uint64_t offset;
    bool wasWrite;
  };

  void beginLaunch(uint32_t nThreads);
  /// The next one of the launch. What stands in shared memory is of this block alone from now on.
  void beginBlock();
  void blockMet();
  /// These lanes of a warp met and see each other's memory.
  void warpMet(uint32_t warp, uint32_t mask);
  /// A thread passes a fence that other blocks may know of.
  void passFence(uint32_t thread);

  /// Notes an access of some thread; true: it is not ordered against an earlier one of another.
  bool note(Shadow &shadow, bool isShared, uint64_t offset, uint64_t bytes, uint32_t thread, Kind kind,
            uint32_t site, Conflict &out);
  /// Whose access it was: the number of a block of this launch, in the order of their beginning.
  uint64_t blockOf(const Shadow::Access &access) const;
  bool isOfThisBlock(const Shadow::Access &access) const { return access.tick >= sharedBegin; }

private:
  bool isOrdered(const Shadow::Access &earlier, const Shadow::Access &now) const;
  void noteRead(Shadow::Cell &cell, const Shadow::Access &now) const;

  uint64_t tick = 0;
  uint64_t first = 0; ///< what is older counts no more for the access at hand
  uint64_t launchBegin = 0, sharedBegin = 0, lastMeeting = 0;
  std::vector<uint64_t> blockBegins;
  /// By thread: of each lane of its warp, what came before that it sees.
  std::vector<BlockOrder::LaneTicks> seen;
  BlockOrder blocks;
};

} // namespace llmc::simt
