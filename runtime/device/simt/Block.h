// One block of threads after the other: a fiber for each thread that has to wait, barriers and warp
// operations as meetings, and what a kernel asks the machine for.
//
// A thread that is never held up runs from begin to end on the stack of the one before it. In which order
// blocks run, and threads begin and go on, is drawn from a seed; seed 0 takes them in order, and each warp as
// far as it comes, which is the quickest way: what few threads need at a time is in the first cache.
#pragma once

#include "runtime/device/simt/Counters.h"
#include "runtime/device/simt/Fiber.h"
#include "runtime/device/simt/Memory.h"
#include "runtime/device/simt/Races.h"

#include "llmc/simt_abi.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace llmc::simt {

struct Extent {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// A variable in the block's shared memory.
struct SharedRegion {
  const char *name;
  uint64_t offset, bytes;
};

/// A launch of one kernel.
struct Launch {
  const llmc_simt_code *code;
  const llmc_simt_kernel *kernel;
  Extent grid, block;
  uint64_t dynamicShared;
  void *const *params;
};

struct RunOptions {
  uint32_t seed = 0;
  bool checksBounds = true, checksRaces = true, counts = false; ///< where the code is instrumented
};

class Block {
public:
  explicit Block(const Memory &memory);
  ~Block();

  /// All blocks of a launch. False: error() says what went wrong where.
  bool run(const Launch &launch, bool isInstrumented, const RunOptions &options);
  const std::string &error() const { return message; }
  Counters counters;

  static const llmc_simt_calls calls; ///< for the running block: there is one in the process

  /// Operands and results of one lane in a warp operation.
  struct Lane {
    const uint32_t *in; ///< null: not in the mask
    uint32_t *out;
  };
  using Lanes = Lane[LLMC_SIMT_WARP];

private:
  friend struct Calls;
  static constexpr uint32_t nowhere = UINT32_MAX;

  struct Copy {
    uint8_t *to;
    const uint8_t *from;
    uint32_t bytes, sourceBytes, group, site;
  };
  /// Of a byte that a copy is on its way to: whose it is, and where it was asked for.
  struct CopyMark {
    uint32_t thread = nowhere, site = 0;
  };
  struct Thread {
    uint32_t index, x, y, z;
    Fiber *fiber;
    bool isDone;
    uint32_t waitsAt;   ///< site, or nowhere
    uint32_t barrier;   ///< its number, if it waits at one
    const uint32_t *in; ///< operands, if it waits at a warp operation; the mask first
    uint32_t *out;
    std::vector<Copy> copies; ///< not done yet, oldest first
    uint32_t copyGroup;
  };

  /// Of a warp, by lane: what the scan of its threads would tell.
  struct Lockstep {
    uint32_t lanes = 0;                    ///< that it has
    uint32_t done = 0, waiting = 0;        ///< ended; at a barrier or warp operation
    uint32_t here = 0, site = 0, mask = 0; ///< at the operation that a lane came to last, and with which mask
  };

  bool checksRaces() const { return isInstrumented && options.checksRaces; }
  bool prepare();
  void runOne(Extent which);
  void poisonShared();
  [[noreturn]] void work(Fiber &self);
  void end(Thread &thread);
  void wait(Thread &thread);
  bool mayStart() const { return nextStart < order.size(); }
  bool startsNext();
  Thread *takeReady();
  Fiber *freeFiber();
  void release(Thread &thread);
  [[noreturn]] void stuck();
  [[noreturn]] void leave();
  [[noreturn]] void fail(const Thread &thread, const char *format, ...) __attribute__((format(printf, 3, 4)));
  std::string placeOf(const Thread &thread) const;
  const char *textOf(uint32_t site) const { return launch.code->sites[site].text; }

  void barrier(uint32_t site, uint32_t number);
  void warp(uint32_t site, const uint32_t *in, uint32_t *out);
  uint32_t lanesAt(const Thread &thread, uint32_t site, uint32_t mask);
  void checkMatrices(uint32_t site, const uint32_t *in, uint32_t lane);
  void runMatrices(uint32_t site, uint32_t firstThread);
  void operate(uint32_t site, const Lanes &lanes, const Thread &thread);
  void forgetCopies();
  void copyAsync(const Copy &copy);
  void markCopy(const Copy &copy, CopyMark mark);
  void checkCopies(uint32_t site, const char *verb, uint64_t offset, uint64_t bytes);
  void checkSource(const Copy &copy);
  void waitCopies(uint32_t groups);
  void finishCopies(Thread &thread, uint32_t beforeGroup);
  void access(uint32_t site, const void *address, uint64_t bytes);
  void passFence();
  void check(uint32_t site, uint32_t operation, uint64_t address, uint64_t bytes, uint32_t alignment,
             uint32_t space);
  void checkShared(uint32_t site, int verb, uint64_t offset, uint64_t bytes);
  void checkGlobal(uint32_t site, int verb, uint64_t address, uint64_t bytes, const Memory::Region *region);
  /// Null: shared memory.
  void checkRace(uint32_t site, int verb, uint64_t offset, uint64_t bytes, const Memory::Region *region);
  const Memory::Region *regionOf(uint32_t site, uint64_t address, uint64_t bytes);
  Extent blockAt(uint32_t number) const {
    return {number % launch.grid.x, number / launch.grid.x % launch.grid.y,
            number / launch.grid.x / launch.grid.y};
  }
  std::unique_lock<std::mutex> makeRunning();
  uint32_t number(uint32_t which) const;
  uint32_t draw(uint32_t below);
  void shuffle(std::vector<uint32_t> &numbers);
  uint32_t warpOf(const Thread &thread) const { return thread.index / LLMC_SIMT_WARP; }
  Lockstep &lockstepOf(const Thread &thread) { return locksteps[warpOf(thread)]; }
  static uint32_t laneBit(const Thread &thread) { return 1u << thread.index % LLMC_SIMT_WARP; }

  const Memory &memory;
  Launch launch = {};
  RunOptions options;
  bool isInstrumented = false;
  Extent at; ///< the running block
  std::vector<Thread> threads;
  std::vector<Lockstep> locksteps; ///< of the warps
  std::vector<uint32_t> order, orderInWarps, blockOrder;
  size_t nextStart = 0, nDone = 0;
  std::vector<Thread *> ready; ///< who may go on; the last one first, unless a seed draws
  Thread *current = nullptr, *starting = nullptr;
  uint32_t arrivedAt[16] = {}; ///< threads at each barrier
  Thread *firstAt[16] = {};
  uint32_t random = 1;

  /// Aligned as no variable asks for more: loads are checked against what the code says of its addresses.
  struct alignas(1024) SharedPiece {
    uint8_t bytes[1024];
  };
  std::vector<SharedPiece> shared;
  uint8_t *sharedStart() { return shared.data()->bytes; }
  uint64_t sharedSize() const { return shared.size() * sizeof(SharedPiece); }
  std::vector<SharedRegion> sharedRegions;
  RaceCheck races;
  std::unique_ptr<Shadow> sharedShadow;
  std::vector<const Memory::Region *> regionOfSite; ///< that it came to last
  std::vector<CopyMark> copying;                    ///< by byte of shared memory
  bool hasCopies = false;                           ///< some byte is marked, or was

  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber *> freeFibers;
  void *outside = nullptr; ///< the place of whoever called run()
  bool isBroken = false;
  std::string message;
};

} // namespace llmc::simt
