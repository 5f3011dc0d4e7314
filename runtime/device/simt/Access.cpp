// What a running kernel calls: memory accesses as they are checked and counted, functions.
#include "runtime/device/simt/Block.h"

#include <cmath>
#include <cstdio>

namespace llmc::simt {

constexpr const char *verbs[] = {"reads", "writes", "changes"};

static int verbOf(uint32_t operation) {
  return operation == LLMC_SIMT_STORE || operation == LLMC_SIMT_COPY_ASYNC ? 1
         : operation == LLMC_SIMT_ATOMIC                                   ? 2
                                                                           : 0;
}

void Block::access(uint32_t site, const void *address, uint64_t bytes) {
  const llmc_simt_site &what = launch.code->sites[site];
  check(site, what.operation, uint64_t(address), bytes, what.count, what.space);
}

/// COPY_ASYNC stands for its writes; its reads come as LOAD.
void Block::check(uint32_t site, uint32_t operation, uint64_t address, uint64_t bytes, uint32_t alignment,
                  uint32_t space) {
  if (!isInstrumented)
    return;
  Thread &thread = *current;
  const int verb = verbOf(operation);
  if (alignment && address & (alignment - 1)) // a power of two
    fail(thread, "%s %llu bytes at 0x%llx, which is not a multiple of %u: %s", verbs[verb],
         (unsigned long long)bytes, (unsigned long long)address, alignment, textOf(site));
  const uint64_t offset = address - uint64_t(sharedStart());
  const bool isShared = offset < sharedSize();
  const bool isOwn = thread.fiber->holds(reinterpret_cast<const void *>(address));
  const bool isElsewhere = space == LLMC_SIMT_SPACE_SHARED  ? !isShared
                           : space == LLMC_SIMT_SPACE_LOCAL ? !isOwn
                                                            : space != 0 && (isShared || isOwn);
  if (options.checksBounds && isElsewhere)
    fail(thread, "%s %llu bytes at 0x%llx as %s memory, but that is %s memory: %s", verbs[verb],
         (unsigned long long)bytes, (unsigned long long)address,
         space == LLMC_SIMT_SPACE_SHARED  ? "shared"
         : space == LLMC_SIMT_SPACE_LOCAL ? "the thread's own"
                                          : "global",
         isShared ? "shared"
         : isOwn  ? "the thread's own"
                  : "global",
         textOf(site));
  if (isShared) {
    if (options.checksBounds)
      checkShared(site, verb, offset, bytes);
    if (options.checksRaces) {
      checkCopies(site, verbs[verb], offset, bytes);
      checkRace(site, verb, offset, bytes, nullptr);
    }
  } else if (!isOwn) {
    checkGlobal(site, verb, address, bytes, regionOf(site, address, bytes));
  }
}

void Block::passFence() {
  if (checksRaces())
    races.passFence(current->index);
}

/// An instruction comes back to the same allocation again and again.
const Memory::Region *Block::regionOf(uint32_t site, uint64_t address, uint64_t bytes) {
  const Memory::Region *&region = regionOfSite[site];
  if (!region || !region->holds(address, bytes))
    region = memory.find(address);
  return region;
}

void Block::checkGlobal(uint32_t site, int verb, uint64_t address, uint64_t bytes,
                        const Memory::Region *region) {
  const bool isInside = region && region->holds(address, bytes);
  if (options.checksBounds && !region)
    fail(*current, "%s %llu bytes at 0x%llx, where no memory was allocated: %s", verbs[verb],
         (unsigned long long)bytes, (unsigned long long)address, textOf(site));
  if (options.checksBounds && !isInside)
    fail(*current, "%s %llu bytes at offset %llu of '%s', which has %llu: %s", verbs[verb],
         (unsigned long long)bytes, (unsigned long long)(address - region->start), region->name.c_str(),
         (unsigned long long)region->bytes, textOf(site));
  if (options.checksBounds && verb != 0 && region->isConstant)
    fail(*current, "%s %llu bytes of '%s', which kernels may only read: %s", verbs[verb],
         (unsigned long long)bytes, region->name.c_str(), textOf(site));
  if (!isInside)
    return;
  if (options.checksRaces && !region->isConstant)
    checkRace(site, verb, address - region->start, bytes, region);
  if (options.counts)
    counters.note(site, current->index, address, bytes, verb != 0, *region);
}

void Block::checkShared(uint32_t site, int verb, uint64_t offset, uint64_t bytes) {
  const SharedRegion *nearest = nullptr;
  for (const SharedRegion &region : sharedRegions)
    if (offset >= region.offset && (!nearest || region.offset > nearest->offset))
      nearest = &region;
  if (!nearest)
    fail(*current, "%s %llu bytes of shared memory that is not the kernel's: %s", verbs[verb],
         (unsigned long long)bytes, textOf(site));
  if (bytes > nearest->bytes || offset - nearest->offset > nearest->bytes - bytes)
    fail(*current, "%s %llu bytes at offset %llu of shared '%s', which has %llu: %s", verbs[verb],
         (unsigned long long)bytes, (unsigned long long)(offset - nearest->offset), nearest->name,
         (unsigned long long)nearest->bytes, textOf(site));
}

void Block::checkRace(uint32_t site, int verb, uint64_t offset, uint64_t bytes,
                      const Memory::Region *region) {
  std::unique_ptr<Shadow> &shadow = region ? region->shadow : sharedShadow;
  if (!shadow && !(shadow = Shadow::make(region->bytes)))
    fail(*current, "no memory to check races on '%s'", region->name.c_str());
  const RaceCheck::Kind kinds[] = {RaceCheck::Kind::Read, RaceCheck::Kind::Write, RaceCheck::Kind::Atomic};
  RaceCheck::Conflict conflict;
  if (!races.note(*shadow, !region, offset, bytes, current->index, kinds[verb], site, conflict))
    return;
  const Thread &other = threads[conflict.earlier.thread];
  const Extent its = blockAt(blockOrder[races.blockOf(conflict.earlier)]);
  char whose[64] = "";
  if (!races.isOfThisBlock(conflict.earlier))
    snprintf(whose, sizeof whose, " of block (%u, %u, %u)", its.x, its.y, its.z);
  fail(*current, "race: it %s byte %llu of %s at %s, thread (%u, %u, %u)%s %s it at %s, and %s", verbs[verb],
       (unsigned long long)conflict.offset, region ? ("'" + region->name + "'").c_str() : "shared memory",
       textOf(site), other.x, other.y, other.z, whose, conflict.wasWrite ? "wrote" : "read",
       textOf(uint32_t(conflict.earlier.site)),
       *whose ? "no fences and atomics order these blocks" : "no barrier stands between");
}

static float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

static float mathOf(uint32_t function, float x) {
  const bool flushes = function & LLMC_SIMT_FLUSH;
  if (flushes)
    x = flushed(x);
  float y = x;
  switch (function & ~uint32_t(LLMC_SIMT_FLUSH)) {
  case LLMC_SIMT_EXP2:
    y = std::exp2(x);
    break;
  case LLMC_SIMT_LOG2:
    y = std::log2(x);
    break;
  case LLMC_SIMT_SIN:
    y = std::sin(x);
    break;
  case LLMC_SIMT_COS:
    y = std::cos(x);
    break;
  case LLMC_SIMT_TANH:
    y = std::tanh(x);
    break;
  default:
    break;
  }
  return flushes ? flushed(y) : y;
}

/// The block that runs: whoever runs one has the lock.
static Block *running = nullptr;
static std::mutex runMutex;

std::unique_lock<std::mutex> Block::makeRunning() {
  std::unique_lock lock(runMutex);
  running = this;
  return lock;
}

struct Calls {
  static uint32_t number(uint32_t which) { return running->number(which); }
  static uint8_t *shared() { return running->sharedStart(); }
  static void barrier(uint32_t site, uint32_t number) { running->barrier(site, number); }
  static void warp(uint32_t site, const uint32_t *in, uint32_t *out) { running->warp(site, in, out); }
  static void copyAsync(uint32_t site, void *to, const void *from, uint32_t bytes, uint32_t sourceBytes) {
    running->copyAsync(
        {static_cast<uint8_t *>(to), static_cast<const uint8_t *>(from), bytes, sourceBytes, 0, site});
  }
  static void commitCopies() { ++running->current->copyGroup; }
  static void waitCopies(uint32_t groups) { running->waitCopies(groups); }
  static void access(uint32_t site, const void *address, uint64_t bytes) {
    running->access(site, address, bytes);
  }
  static void fence() { running->passFence(); }
};

const llmc_simt_calls Block::calls = {Calls::number,    Calls::shared,       Calls::barrier,    Calls::warp,
                                      Calls::copyAsync, Calls::commitCopies, Calls::waitCopies, mathOf,
                                      Calls::access,    Calls::fence};

} // namespace llmc::simt
